//! Every way from the traffic to a collector, by what leads there: ways outlive tables.
//!
//! Never ends a way with records on it: what was put there is sent before whoever ships it leaves.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use mesh_bundle::resource::{Collector, TracingBackend};
use tokio::runtime::Handle;

use super::export::Courier;
use super::otlp;
use super::outbox::{Outbox, outbox};
use super::ship::{Envelope, Shipping};
use crate::access_log::{Home, LogWays, collectors};
use crate::metrics::{Lost, Metrics, Signal};
use crate::table::Table;

/// Known ways.
#[derive(Debug, Default)]
pub(crate) struct Records(Mutex<Ways>);

type Ways = HashMap<Way, Outbox>;

/// What tells two ways apart.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Way {
    signal: Signal,
    /// The collector, and how it is spoken to.
    to: String,
    home: Arc<Home>,
}

impl Records {
    /// Gives a table its ways, and lets go of those that nothing leads to any more.
    pub(crate) fn follow(&self, table: &Table, metrics: &Arc<Metrics>, runtime: &Handle) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let before = std::mem::take(&mut *known);
        let mut laying = Laying {
            before,
            wanted: HashMap::new(),
            home: &table.home,
            metrics,
            runtime,
        };
        if let Some(tracer) = &table.tracer
            && let Some(outbox) = laying.spans(&tracer.backend)
        {
            tracer.outbox.get_or_init(|| outbox);
        }
        let mut ways = LogWays::new();
        for collector in collectors(table) {
            if !ways.contains_key(&collector.kri)
                && let Some(outbox) = laying.otlp(collector, Signal::Logs)
            {
                ways.insert(collector.kri.clone(), outbox);
            }
        }
        table.log_ways.get_or_init(|| ways);
        *known = laying.wanted;
    }

    /// Waits until everything that was put there is sent, or given up.
    pub(crate) async fn flush(&self) {
        let ways: Vec<Outbox> = {
            let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            known.values().cloned().collect()
        };
        for outbox in ways {
            outbox.flush().await;
        }
    }
}

struct Laying<'a> {
    before: Ways,
    wanted: Ways,
    home: &'a Arc<Home>,
    metrics: &'a Arc<Metrics>,
    runtime: &'a Handle,
}

impl Laying<'_> {
    fn spans(&mut self, backend: &TracingBackend) -> Option<Outbox> {
        match backend {
            TracingBackend::OpenTelemetry { collector } => self.otlp(collector, Signal::Traces),
            TracingBackend::Zipkin { url, .. } => {
                let list = Envelope::List {
                    begin: "[",
                    between: ",",
                    end: "]",
                };
                self.way(Signal::Traces, format!("zipkin {url}"), || {
                    Some((Courier::json(url)?, list))
                })
            }
            TracingBackend::Datadog { .. } => None,
        }
    }

    fn otlp(&mut self, collector: &Collector, signal: Signal) -> Option<Outbox> {
        let home = Arc::clone(self.home);
        // Whoever says so: the same way is the same collector.
        let to = format!(
            "{:?}",
            (
                &collector.kri,
                collector.protocol,
                &collector.address,
                collector.port,
                &collector.path
            )
        );
        self.way(signal, to, || {
            let envelope = Envelope::Otlp {
                resource: otlp::resource(&home),
            };
            Some((Courier::otlp(collector, signal)?, envelope))
        })
    }

    fn way(
        &mut self,
        signal: Signal,
        to: String,
        make: impl FnOnce() -> Option<(Courier, Envelope)>,
    ) -> Option<Outbox> {
        let way = Way {
            signal,
            to,
            home: Arc::clone(self.home),
        };
        if let Some(known) = self.wanted.get(&way) {
            return Some(known.clone());
        }
        let outbox = match self.before.remove(&way) {
            Some(known) => known,
            None => {
                let Some((courier, envelope)) = make() else {
                    let (to, signal) = (&way.to, signal.as_str());
                    tracing::warn!(to, signal, "nobody says where this collector is");
                    return None;
                };
                let lost = self.metrics.telemetry.lost(signal, Lost::Queue);
                let (outbox, inbox) = outbox(lost);
                let shipping = Shipping {
                    courier,
                    envelope,
                    signal,
                    metrics: Arc::clone(self.metrics),
                };
                self.runtime.spawn(shipping.run(inbox));
                outbox
            }
        };
        self.wanted.insert(way, outbox.clone());
        Some(outbox)
    }
}
