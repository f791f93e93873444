//! What is counted about telemetry itself: what could not be passed on is not passed over.
//!
//! Never takes a label from what an application or a collector said.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

/// The usual metrics, without the `_total` of counters: what a dashboard of traffic and an alarm about a proxy need.
pub(crate) const BASIC: [&str; 9] = [
    "mesh_requests",
    "mesh_request_duration_seconds",
    "mesh_connections",
    "mesh_refusals",
    "mesh_open_connections",
    "mesh_proxy_ready",
    "mesh_proxy_connected",
    "mesh_proxy_cert_expiry_seconds",
    "mesh_application_up",
];

/// What is sent to collectors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Signal {
    Metrics,
    Traces,
    Logs,
}

/// Why something did not come to a collector.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lost {
    /// There was no room to wait in.
    Queue,
    /// The collector could not be reached, or did not take it in time.
    Export,
    /// The collector did not want it.
    Rejected,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct LostLabels {
    signal: &'static str,
    reason: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ApplicationLabels {
    application: String,
}

/// How an application answered.
#[derive(Debug, Clone)]
pub(crate) struct Scraped {
    up: Gauge,
    failures: Counter,
    left_out: Counter,
}

/// The counters of telemetry.
#[derive(Debug, Default)]
pub(crate) struct TelemetryMetrics {
    lost: Family<LostLabels, Counter>,
    up: Family<ApplicationLabels, Gauge>,
    failures: Family<ApplicationLabels, Counter>,
    left_out: Family<ApplicationLabels, Counter>,
}

impl Signal {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Metrics => "metrics",
            Self::Traces => "traces",
            Self::Logs => "logs",
        }
    }
}

impl TelemetryMetrics {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let new = Self::default();
        registry.register(
            "mesh_telemetry_lost",
            "Spans, records and exports of metrics that did not come to their collector",
            Family::clone(&new.lost),
        );
        registry.register(
            "mesh_application_up",
            "1 where the application answered when its metrics were asked for last",
            Family::clone(&new.up),
        );
        registry.register(
            "mesh_application_scrape_failures",
            "Times that an application did not answer with its metrics",
            Family::clone(&new.failures),
        );
        registry.register(
            "mesh_application_samples_left_out",
            "Lines of an application that are no samples, too many, or there already",
            Family::clone(&new.left_out),
        );
        new
    }

    /// What counts what was lost.
    pub(crate) fn lost(&self, signal: Signal, why: Lost) -> Counter {
        self.lost.get_or_create_owned(&LostLabels {
            signal: signal.as_str(),
            reason: match why {
                Lost::Queue => "queue",
                Lost::Export => "export",
                Lost::Rejected => "rejected",
            },
        })
    }

    /// The application of that name, or at that place.
    pub(crate) fn application(&self, name: &str) -> Scraped {
        let labels = ApplicationLabels {
            application: name.to_owned(),
        };
        Scraped {
            up: self.up.get_or_create_owned(&labels),
            failures: self.failures.get_or_create_owned(&labels),
            left_out: self.left_out.get_or_create_owned(&labels),
        }
    }
}

impl Scraped {
    pub(crate) fn answered(&self) {
        self.up.set(1);
    }

    /// True when it is worth a line: it answered the last time, or was never asked before.
    pub(crate) fn failed(&self) -> bool {
        let was_up = self.up.set(0) == 1;
        let first = self.failures.inc() == 0;
        was_up || first
    }

    pub(crate) fn left_out(&self, samples: u64) {
        if samples > 0 {
            self.left_out.inc_by(samples);
        }
    }
}
