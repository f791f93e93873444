//! Metrics of meshd, in the format of Prometheus.
//!
//! Never a label that a peer chooses: values come from fixed lists, from the bundle, or are the one commit that is served.

use std::fmt::Write;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{EncodeLabel, EncodeLabelSet, LabelSetEncoder};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry as Metered, Unit};
use tokio::time::Instant;

use crate::event::Events;
use crate::publish::Published;
use crate::reconcile::{Outcome, Trouble};
use crate::registry::{Registry, Standing};
use crate::sources::{Source, Sources};
use crate::status::Condition;

/// Which source; nothing is said where there is one.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Of(Option<String>);

impl EncodeLabelSet for Of {
    fn encode(&self, encoder: &mut LabelSetEncoder<'_>) -> Result<(), std::fmt::Error> {
        match &self.0 {
            Some(source) => ("source", source.as_str()).encode(encoder.encode_label()),
            None => Ok(()),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Passed {
    #[prometheus(flatten)]
    of: Of,
    result: &'static str,
}

/// Something that git was asked, and what came of it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Asked {
    #[prometheus(flatten)]
    of: Of,
    op: &'static str,
    result: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct InState {
    #[prometheus(flatten)]
    of: Of,
    state: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Info {
    source: String,
    revision: String,
    ready: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Bundle {
    #[prometheus(flatten)]
    of: Of,
    revision: String,
    digest: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Authority {
    authority: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Suspended {
    #[prometheus(flatten)]
    of: Of,
    reason: &'static str,
}

/// What is counted as it happens; everything else is read when somebody asks.
#[derive(Debug)]
pub(crate) struct Metrics {
    /// There are several sources, so that each says which it is.
    several: bool,
    reconciled: Family<Passed, Counter>,
    passes: Family<Of, Histogram>,
    fetches: Family<Asked, Histogram>,
    /// When the control authority ends, in seconds since 1970.
    control_ends: u64,
    events: Arc<Events>,
    delivered: Histogram,
}

/// What is read of each source when somebody asks.
#[derive(Default)]
struct Read {
    ages: Family<Of, Gauge>,
    states: Family<InState, Gauge>,
    sources: Family<Info, Gauge>,
    bundles: Family<Bundle, Gauge>,
    suspended: Family<Suspended, Gauge>,
}

impl Metrics {
    pub(crate) fn new(
        several: bool,
        control_ends: u64,
        (events, delivered): (Arc<Events>, Histogram),
    ) -> Self {
        Self {
            several,
            reconciled: Family::default(),
            passes: Family::new_with_constructor(durations),
            fetches: Family::new_with_constructor(durations),
            control_ends,
            events,
            delivered,
        }
    }

    fn of(&self, source: &str) -> Of {
        Of(self.several.then(|| source.to_owned()))
    }

    /// Counts a pass: `Published`, or the reason of the trouble, all of which are written in the source.
    pub(crate) fn reconciled(
        &self,
        source: &str,
        outcome: &Result<Outcome, Trouble>,
        took: Duration,
    ) {
        let of = self.of(source);
        let result = match outcome {
            Ok(_) => "Published",
            Err(trouble) => trouble.reason,
        };
        let passes = self.passes.get_or_create_owned(&of);
        passes.observe(took.as_secs_f64());
        self.reconciled.get_or_create(&Passed { of, result }).inc();
    }

    /// Counts a look at the repository: `Succeeded`, or the reason of the trouble.
    pub(crate) fn fetched<T>(&self, source: &str, fetched: &Result<T, Trouble>, took: Duration) {
        let result = fetched
            .as_ref()
            .map_or_else(|it| it.reason, |_| "Succeeded");
        let asked = Asked {
            of: self.of(source),
            op: "fetch",
            result,
        };
        let fetches = self.fetches.get_or_create(&asked);
        fetches.observe(took.as_secs_f64());
    }

    /// The page.
    pub(super) fn text(&self, sources: &Sources, registry: &Registry) -> String {
        let mut metered = Metered::default();
        let reconciled = self.reconciled.clone();
        metered.register("meshd_reconcile", "Passes by result", reconciled);
        let help = "How long a pass takes";
        let name = "meshd_reconcile_duration";
        match self.several {
            true => metered.register_with_unit(name, help, Unit::Seconds, self.passes.clone()),
            false => {
                let passes = self.passes.get_or_create_owned(&Of(None));
                metered.register_with_unit(name, help, Unit::Seconds, passes);
            }
        }
        let fetches = self.fetches.clone();
        let help = "How long git takes to answer";
        metered.register_with_unit("meshd_git_request_duration", help, Unit::Seconds, fetches);
        let delivered = self.delivered.clone();
        let help =
            "From when a configuration is published for a connected proxy to when it holds it";
        metered.register_with_unit("meshd_delivery", help, Unit::Seconds, delivered);
        let read = Read::default();
        for source in sources.each() {
            self.read(&read, source, registry);
        }
        self.register_read(&mut metered, read, sources);
        self.events.register(&mut metered);
        self.register_ends(&mut metered, registry.published().as_deref());
        let mut text = String::new();
        if encode(&mut text, &metered).is_err() {
            // Writing to a text cannot fail; should it, an empty page is honest.
            text.clear();
            let _ = writeln!(text, "# EOF");
        }
        text
    }

    /// What there is to say of one source at this moment.
    fn read(&self, read: &Read, source: &Source, registry: &Registry) {
        let (of, report) = (self.of(source.name()), source.status.report());
        let number = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        let served = report.revision.as_deref().zip(report.digest);
        if let Some(since) = served.and_then(|served| source.rollout.history().since(served)) {
            let seconds = crate::registry::Now::read().unix.saturating_sub(since);
            let age = read.ages.get_or_create_owned(&of);
            age.set(i64::try_from(seconds).unwrap_or(i64::MAX));
        }
        let proxies = registry.proxies(Some(source.name()), Instant::now());
        for standing in [
            Standing::Acked,
            Standing::Pending,
            Standing::Nacked,
            Standing::Offline,
        ] {
            let those = proxies.iter().filter(|seen| seen.standing == standing);
            let (of, state) = (of.clone(), standing.as_str());
            let gauge = read.states.get_or_create_owned(&InState { of, state });
            gauge.set(number(those.count()));
        }
        let is_ready = |it: &Condition| it.kind == "Ready" && it.status == "True";
        let ready = report.conditions.iter().any(is_ready);
        let labels = Info {
            source: source.name().to_owned(),
            revision: report.seen.clone().unwrap_or_default(),
            ready: if ready { "true" } else { "false" },
        };
        read.sources.get_or_create_owned(&labels).set(1);
        if let Some((revision, digest)) = served {
            let labels = Bundle {
                of: of.clone(),
                revision: revision.to_owned(),
                digest: digest.to_string(),
            };
            read.bundles.get_or_create_owned(&labels).set(1);
        }
        for reason in ["Suspended", "RolledBack"] {
            let holds = |it: &Condition| it.kind == "Suspended" && it.reason == reason;
            let holds = report.conditions.iter().any(holds);
            let of = of.clone();
            let gauge = read
                .suspended
                .get_or_create_owned(&Suspended { of, reason });
            gauge.set(i64::from(holds));
        }
    }

    fn register_read(&self, metered: &mut Metered, read: Read, sources: &Sources) {
        let published = |source: &Source| {
            let report = source.status.report();
            let served = report.revision.as_deref().zip(report.digest);
            served.is_some_and(|served| source.rollout.history().since(served).is_some())
        };
        let help = "Time since what is served was published";
        let name = "meshd_bundle_age";
        if self.several {
            metered.register_with_unit(name, help, Unit::Seconds, read.ages);
        } else if published(sources.first()) {
            let age = read.ages.get_or_create_owned(&Of(None));
            metered.register_with_unit(name, help, Unit::Seconds, age);
        }
        metered.register("meshd_proxies", "Dataplanes by how they stand", read.states);
        let help = "The newest commit that was seen";
        metered.register("meshd_source_info", help, read.sources);
        metered.register("meshd_bundle_info", "What is served", read.bundles);
        let help = "Whether git is not followed";
        metered.register("meshd_suspended", help, read.suspended);
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
