//! Metrics of meshd, in the format of Prometheus.
//!
//! Never a label that a peer chooses: values come from fixed lists, from the bundle, or are the one commit that is served.

use std::fmt::Write;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry as Metered, Unit};

use crate::event::Events;
use crate::publish::Published;
use crate::reconcile::{Outcome, Trouble};
use crate::registry::{Seen, Standing};
use crate::status::{Condition, Report};

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Passed {
    result: &'static str,
}

/// Something that git was asked, and what came of it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Asked {
    op: &'static str,
    result: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct InState {
    state: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Source {
    source: String,
    revision: String,
    ready: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Bundle {
    revision: String,
    digest: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Authority {
    authority: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Suspended {
    reason: &'static str,
}

/// What is counted as it happens; everything else is read when somebody asks.
#[derive(Debug)]
pub(crate) struct Metrics {
    source: String,
    reconciled: Family<Passed, Counter>,
    passes: Histogram,
    fetches: Family<Asked, Histogram>,
    /// When the control authority ends, in seconds since 1970.
    control_ends: u64,
    events: Arc<Events>,
    delivered: Histogram,
}

impl Metrics {
    pub(crate) fn new(
        source: String,
        control_ends: u64,
        (events, delivered): (Arc<Events>, Histogram),
    ) -> Self {
        Self {
            source,
            reconciled: Family::default(),
            passes: durations(),
            fetches: Family::new_with_constructor(durations),
            control_ends,
            events,
            delivered,
        }
    }

    /// Counts a pass: `Published`, or the reason of the trouble, all of which are written in the source.
    pub(crate) fn reconciled(&self, outcome: &Result<Outcome, Trouble>, took: Duration) {
        let result = match outcome {
            Ok(_) => "Published",
            Err(trouble) => trouble.reason,
        };
        self.reconciled.get_or_create(&Passed { result }).inc();
        self.passes.observe(took.as_secs_f64());
    }

    /// Counts a look at the repository: `Succeeded`, or the reason of the trouble.
    pub(crate) fn fetched<T>(&self, fetched: &Result<T, Trouble>, took: Duration) {
        let result = fetched
            .as_ref()
            .map_or_else(|it| it.reason, |_| "Succeeded");
        let asked = Asked {
            op: "fetch",
            result,
        };
        let fetches = self.fetches.get_or_create(&asked);
        fetches.observe(took.as_secs_f64());
    }

    /// The page.
    pub(super) fn text(
        &self,
        (report, since): (&Report, Option<u64>),
        proxies: &[Seen],
        published: Option<&Published>,
    ) -> String {
        let mut metered = Metered::default();
        let reconciled = self.reconciled.clone();
        metered.register("meshd_reconcile", "Passes by result", reconciled);
        let passes = self.passes.clone();
        let help = "How long a pass takes";
        metered.register_with_unit("meshd_reconcile_duration", help, Unit::Seconds, passes);
        let fetches = self.fetches.clone();
        let help = "How long git takes to answer";
        metered.register_with_unit("meshd_git_request_duration", help, Unit::Seconds, fetches);
        let delivered = self.delivered.clone();
        let help =
            "From when a configuration is published for a connected proxy to when it holds it";
        metered.register_with_unit("meshd_delivery", help, Unit::Seconds, delivered);
        if let Some(since) = since {
            let age = Gauge::<i64>::default();
            let seconds = crate::registry::Now::read().unix.saturating_sub(since);
            age.set(i64::try_from(seconds).unwrap_or(i64::MAX));
            let help = "Time since what is served was published";
            metered.register_with_unit("meshd_bundle_age", help, Unit::Seconds, age);
        }
        self.events.register(&mut metered);
        let states = Family::<InState, Gauge>::default();
        for standing in [
            Standing::Acked,
            Standing::Pending,
            Standing::Nacked,
            Standing::Offline,
        ] {
            let count = proxies
                .iter()
                .filter(|seen| seen.standing == standing)
                .count();
            let state = standing.as_str();
            let gauge = states.get_or_create_owned(&InState { state });
            gauge.set(i64::try_from(count).unwrap_or(i64::MAX));
        }
        metered.register("meshd_proxies", "Dataplanes by how they stand", states);
        self.register_source(&mut metered, report);
        register_suspended(&mut metered, report);
        self.register_ends(&mut metered, published);
        let mut text = String::new();
        if encode(&mut text, &metered).is_err() {
            // Writing to a text cannot fail; should it, an empty page is honest.
            text.clear();
            let _ = writeln!(text, "# EOF");
        }
        text
    }

    fn register_source(&self, metered: &mut Metered, report: &Report) {
        let source = Family::<Source, Gauge>::default();
        let ready = report
            .conditions
            .iter()
            .any(|condition| condition.kind == "Ready" && condition.status == "True");
        let labels = Source {
            source: self.source.clone(),
            revision: report.seen.clone().unwrap_or_default(),
            ready: if ready { "true" } else { "false" },
        };
        source.get_or_create_owned(&labels).set(1);
        metered.register(
            "meshd_source_info",
            "The newest commit that was seen",
            source,
        );
        let bundle = Family::<Bundle, Gauge>::default();
        if let (Some(revision), Some(digest)) = (&report.revision, report.digest) {
            let labels = Bundle {
                revision: revision.clone(),
                digest: digest.to_string(),
            };
            bundle.get_or_create_owned(&labels).set(1);
        }
        metered.register("meshd_bundle_info", "What is served", bundle);
    }

    fn register_ends(&self, metered: &mut Metered, published: Option<&Published>) {
        let ends = Family::<Authority, Gauge<f64, AtomicU64>>::default();
        let now = crate::registry::Now::read().unix;
        let usable = published.map(|published| published.authorities.usable());
        let usable = usable.into_iter().flatten();
        let usable = usable.map(|(kri, authority)| (kri.to_string(), authority.not_after()));
        let control = (crate::ca::CONTROL.to_owned(), self.control_ends);
        for (authority, end) in usable.chain([control]) {
            let left = Duration::from_secs(end.saturating_sub(now));
            let gauge = ends.get_or_create_owned(&Authority { authority });
            gauge.set(left.as_secs_f64());
        }
        let help = "Time until a certificate authority ends";
        metered.register_with_unit("meshd_cert_expiry", help, Unit::Seconds, ends);
    }
}

/// From some milliseconds to the longest that a pass may take.
fn durations() -> Histogram {
    Histogram::new(exponential_buckets(0.005, 2.0, 16))
}

/// 1 for as long as git is not followed.
fn register_suspended(metered: &mut Metered, report: &Report) {
    let family = Family::<Suspended, Gauge>::default();
    for reason in ["Suspended", "RolledBack"] {
        let holds = |it: &Condition| it.kind == "Suspended" && it.reason == reason;
        let holds = report.conditions.iter().any(holds);
        let gauge = family.get_or_create_owned(&Suspended { reason });
        gauge.set(i64::from(holds));
    }
    metered.register("meshd_suspended", "Whether git is not followed", family);
}
