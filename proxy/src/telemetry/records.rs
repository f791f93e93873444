//! Every way from the traffic to a collector, by what leads there: ways outlive tables.
//!
//! Never ends a way with records on it: what was put there is sent before whoever ships it leaves.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use mesh_bundle::Kri;
use mesh_bundle::resource::{Collector, TracingBackend, ZipkinVersion};
use tokio::runtime::Handle;

use super::environment::Environment;
use super::export::Courier;
use super::outbox::{Outbox, outbox};
use super::ship::{Envelope, Shipping};
use super::target::{Target, Untold};
use super::{is_alone, otlp, untold};
use crate::access_log::{Home, LogWays, collectors};
use crate::metrics::{Lost, Metrics, Signal};
use crate::table::Table;
use crate::trace::zipkin;

/// Known ways.
#[derive(Debug, Default)]
pub(crate) struct Records(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    ways: HashMap<Way, Outbox>,
    /// What leads nowhere: said once, not with each table.
    closed: HashSet<(Kri, Signal, Untold)>,
}

/// What tells two ways apart.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Way {
    signal: Signal,
    to: To,
    home: Arc<Home>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum To {
    Otlp(Target),
    /// Its URL, and what is written there.
    Zipkin(String, ZipkinVersion),
}

impl Records {
    /// Gives a table its ways, and lets go of those that nothing leads to any more.
    pub(crate) fn follow(
        &self,
        table: &Table,
        (metrics, environment): (&Arc<Metrics>, &Environment),
        runtime: &Handle,
    ) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut laying = Laying {
            before: std::mem::take(&mut *known),
            wanted: Known::default(),
            home: &table.home,
            metrics,
            environment,
            runtime,
        };
        if let Some(tracer) = &table.tracer
            && let Some(outbox) = laying.spans(&tracer.backend)
        {
            tracer.outbox.get_or_init(|| outbox);
        }
        // One may be named by the log of every destination.
        let of_logs: BTreeMap<&Kri, &Collector> =
            collectors(table).map(|it| (&it.kri, it)).collect();
        let alone = is_alone(of_logs.values().copied());
        let ways = of_logs.into_iter().filter_map(|(kri, collector)| {
            let outbox = laying.otlp(collector, Signal::Logs, alone)?;
            Some((kri.clone(), outbox))
        });
        let ways: LogWays = ways.collect();
        table.log_ways.get_or_init(|| ways);
        *known = laying.wanted;
    }

    /// Waits until everything that was put there is sent, or given up.
    pub(crate) async fn flush(&self) {
        let ways: Vec<Outbox> = {
            let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            known.ways.values().cloned().collect()
        };
        for outbox in ways {
            outbox.flush().await;
        }
    }
}

struct Laying<'a> {
    before: Known,
    wanted: Known,
    home: &'a Arc<Home>,
    metrics: &'a Arc<Metrics>,
    environment: &'a Environment,
    runtime: &'a Handle,
}

impl Laying<'_> {
    fn spans(&mut self, backend: &TracingBackend) -> Option<Outbox> {
        match backend {
            TracingBackend::OpenTelemetry { collector } => {
                self.otlp(collector, Signal::Traces, true)
            }
            TracingBackend::Zipkin { url, version, .. } => {
                let way = self.way(Signal::Traces, To::Zipkin(url.clone(), *version), || {
                    let (list, kind) = zipkin::list(*version);
                    // `meshc` has seen that it is a URL.
                    let courier = Courier::posting(kind, url).ok_or(Untold::Nowhere)?;
                    Ok((courier, list))
                });
                way.ok()
            }
            TracingBackend::Datadog { .. } => None,
        }
    }

    fn otlp(&mut self, collector: &Collector, signal: Signal, alone: bool) -> Option<Outbox> {
        let home = Arc::clone(self.home);
        let target = Target::of(collector, self.environment, signal, alone);
        let way = target.and_then(|target| {
            self.way(signal, To::Otlp(target.clone()), || {
                let envelope = Envelope::Otlp {
                    resource: otlp::resource(&home),
                };
                Ok((Courier::otlp(&target, signal)?, envelope))
            })
        });
        way.map_err(|why| {
            let closed = (collector.kri.clone(), signal, why);
            if !self.before.closed.contains(&closed) {
                untold(&closed.0, signal, &closed.2);
            }
            self.wanted.closed.insert(closed);
        })
        .ok()
    }

    fn way(
        &mut self,
        signal: Signal,
        to: To,
        make: impl FnOnce() -> Result<(Courier, Envelope), Untold>,
    ) -> Result<Outbox, Untold> {
        let way = Way {
            signal,
            to,
            home: Arc::clone(self.home),
        };
        if let Some(known) = self.wanted.ways.get(&way) {
            return Ok(known.clone());
        }
        let outbox = match self.before.ways.remove(&way) {
            Some(known) => known,
            None => {
                let (courier, envelope) = make()?;
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
        self.wanted.ways.insert(way, outbox.clone());
        Ok(outbox)
    }
}
