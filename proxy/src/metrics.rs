//! What is counted, and the registry that the admin listener shows.
//!
//! Never takes a label from what a client wrote: the values are names of the configuration, verified identities, and
//! rows of [`Refusal`](crate::refusal::Refusal).

mod telemetry;

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use mesh_bundle::decide::Faults;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Metric, Registry};

use crate::account::Lines;
use crate::refusal::Refusal;
use crate::tally::Tally;

pub(crate) use telemetry::{BASIC, Lost, Signal, TelemetryMetrics};

/// Seconds: from what a proxy itself takes to what people wait for.
const BUCKETS: [f64; 13] = [
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 15.0,
];

/// The flag of what went well.
pub(crate) const NO_FLAG: &str = "-";

/// Which way traffic goes, seen from the workload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Direction {
    Inbound,
    Outbound,
}

impl Direction {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Inbound => "inbound",
            Self::Outbound => "outbound",
        }
    }
}

/// Whose traffic, and where to.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Flow {
    direction: &'static str,
    source: Arc<str>,
    destination: Arc<str>,
    route: Arc<str>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    direction: &'static str,
    source: Arc<str>,
    destination: Arc<str>,
    route: Arc<str>,
    code: u16,
    flag: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ConnectionLabels {
    direction: &'static str,
    source: Arc<str>,
    destination: Arc<str>,
    flag: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RefusalLabels {
    direction: &'static str,
    refusal: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct SinkLabels {
    sink: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct FaultLabels {
    fault: &'static str,
}

type Seconds = Family<Flow, Histogram, fn() -> Histogram>;

/// Everything that one proxy counts.
pub struct Metrics {
    registry: Mutex<Registry>,
    requests: Family<RequestLabels, Counter>,
    seconds: Seconds,
    retries: Family<Flow, Counter>,
    withheld: Family<Flow, Counter>,
    connections: Family<ConnectionLabels, Counter>,
    refusals: Family<RefusalLabels, Counter>,
    shadow_denied: Counter,
    faults: Family<FaultLabels, Counter>,
    dropped_records: Family<SinkLabels, Counter>,
    pub(crate) open: Gauge,
    pub(crate) telemetry: TelemetryMetrics,
    /// In sum, for meshd.
    pub(crate) tally: Arc<Tally>,
    /// What may still be logged of refusals.
    pub(crate) lines: Lines,
    flows: Mutex<HashMap<Flow, Arc<RequestStats>>>,
}

/// The counters of one flow of requests, found once.
#[derive(Debug)]
pub(crate) struct RequestStats {
    flow: Flow,
    direction: Direction,
    tally: Arc<Tally>,
    requests: Family<RequestLabels, Counter>,
    /// What almost every request ends as.
    ok: Counter,
    retries: Counter,
    /// Rare, so it is looked up.
    withheld: Family<Flow, Counter>,
    seconds: Histogram,
}

impl Metrics {
    /// Nothing counted yet.
    #[must_use]
    pub fn new() -> Self {
        let mut registry = Registry::default();
        let requests = Family::default();
        let seconds = Seconds::new_with_constructor(|| Histogram::new(BUCKETS));
        let (retries, withheld) = (Family::default(), Family::default());
        let connections = Family::default();
        let refusals = Family::default();
        let (shadow_denied, open) = (Counter::default(), Gauge::default());
        let (faults, dropped_records) = (Family::default(), Family::default());
        registry.register(
            "mesh_requests",
            "Requests by how they ended",
            Family::clone(&requests),
        );
        registry.register(
            "mesh_request_duration_seconds",
            "From the head of the request to the end of the response",
            seconds.clone(),
        );
        registry.register(
            "mesh_retries",
            "Requests that were sent again",
            Family::clone(&retries),
        );
        registry.register(
            "mesh_retries_withheld",
            "Requests that were not sent again because as many were as may be",
            Family::clone(&withheld),
        );
        registry.register(
            "mesh_connections",
            "TCP connections, and mesh TLS connections by their peer, by how they ended",
            Family::clone(&connections),
        );
        registry.register(
            "mesh_refusals",
            "What was not served, and why",
            Family::clone(&refusals),
        );
        registry.register(
            "mesh_shadow_denied",
            "What a stricter permission would refuse",
            Counter::clone(&shadow_denied),
        );
        registry.register(
            "mesh_faults",
            "Faults that were made on purpose",
            Family::clone(&faults),
        );
        registry.register(
            "mesh_access_log_dropped",
            "Access log records that could not be written",
            Family::clone(&dropped_records),
        );
        registry.register(
            "mesh_open_connections",
            "Accepted and not yet closed",
            Gauge::clone(&open),
        );
        let telemetry = TelemetryMetrics::register(&mut registry);
        Self {
            registry: Mutex::new(registry),
            requests,
            seconds,
            retries,
            withheld,
            connections,
            refusals,
            shadow_denied,
            faults,
            dropped_records,
            open,
            telemetry,
            tally: Arc::default(),
            lines: Lines::default(),
            flows: Mutex::default(),
        }
    }

    /// Adds what another part of the proxy counts.
    pub fn register(&self, name: &str, help: &str, metric: impl Metric) {
        let mut registry = self.registry.lock().unwrap_or_else(PoisonError::into_inner);
        registry.register(name, help, metric);
    }

    /// Adds what is looked up when somebody asks.
    pub(crate) fn register_collector(&self, collector: Box<dyn Collector>) {
        let mut registry = self.registry.lock().unwrap_or_else(PoisonError::into_inner);
        registry.register_collector(collector);
    }

    /// As Prometheus reads it (`OpenMetrics` text).
    ///
    /// # Errors
    /// Never for the metrics of this crate.
    pub fn encode(&self) -> Result<String, fmt::Error> {
        let registry = self.registry.lock().unwrap_or_else(PoisonError::into_inner);
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &registry)?;
        Ok(text)
    }

    pub(crate) fn flow(
        &self,
        direction: Direction,
        source: &Arc<str>,
        destination: &Arc<str>,
        route: &Arc<str>,
    ) -> Arc<RequestStats> {
        let flow = Flow {
            direction: direction.as_str(),
            source: Arc::clone(source),
            destination: Arc::clone(destination),
            route: Arc::clone(route),
        };
        let mut flows = self.flows.lock().unwrap_or_else(PoisonError::into_inner);
        let stats = flows.entry(flow).or_insert_with_key(|flow| {
            let requests = Family::clone(&self.requests);
            let ok = requests.get_or_create_owned(&flow.ended(200, NO_FLAG));
            Arc::new(RequestStats {
                flow: flow.clone(),
                direction,
                tally: Arc::clone(&self.tally),
                requests,
                ok,
                retries: self.retries.get_or_create_owned(flow),
                withheld: Family::clone(&self.withheld),
                seconds: self.seconds.get_or_create_owned(flow),
            })
        });
        Arc::clone(stats)
    }

    pub(crate) fn connection(
        &self,
        direction: Direction,
        source: &Arc<str>,
        destination: &Arc<str>,
        flag: &'static str,
    ) {
        let labels = ConnectionLabels {
            direction: direction.as_str(),
            source: Arc::clone(source),
            destination: Arc::clone(destination),
            flag,
        };
        self.connections.get_or_create(&labels).inc();
        self.tally.connection(direction, flag);
    }

    pub(crate) fn refused(&self, direction: Direction, refusal: Refusal) {
        let labels = RefusalLabels {
            direction: direction.as_str(),
            refusal: refusal.row().label,
        };
        self.refusals.get_or_create(&labels).inc();
        self.tally.refused(direction, refusal);
    }

    pub(crate) fn shadow_denied(&self) {
        self.shadow_denied.inc();
    }

    /// What counts the records that a sink did not take.
    pub(crate) fn dropped_records(&self, sink: &str) -> Counter {
        let sink = sink.to_owned();
        self.dropped_records
            .get_or_create_owned(&SinkLabels { sink })
    }

    /// What was done to one request.
    pub(crate) fn faults(&self, met: &Faults<'_>) {
        for (made, fault) in [
            (!met.delay.is_zero(), "delay"),
            (met.abort.is_some(), "abort"),
            (met.bits_per_second.is_some(), "response-bandwidth"),
        ] {
            if made {
                self.faults.get_or_create(&FaultLabels { fault }).inc();
            }
        }
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

impl Flow {
    fn ended(&self, code: u16, flag: &'static str) -> RequestLabels {
        RequestLabels {
            direction: self.direction,
            source: Arc::clone(&self.source),
            destination: Arc::clone(&self.destination),
            route: Arc::clone(&self.route),
            code,
            flag,
        }
    }
}

impl RequestStats {
    pub(crate) fn sent_again(&self) {
        self.retries.inc();
    }

    pub(crate) fn not_sent_again(&self) {
        self.withheld.get_or_create(&self.flow).inc();
    }

    /// A request with this status and flag, after so long. A gRPC call may have failed whatever its status in HTTP is.
    pub(crate) fn ended(&self, (code, flag, after): (u16, &'static str, Duration), failed: bool) {
        match (code, flag) {
            (200, NO_FLAG) => self.ok.inc(),
            _ => self
                .requests
                .get_or_create(&self.flow.ended(code, flag))
                .inc(),
        };
        self.seconds.observe(after.as_secs_f64());
        self.tally.request(self.direction, failed, after);
    }
}
