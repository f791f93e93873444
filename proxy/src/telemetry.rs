//! What a proxy tells about itself and its traffic, and whom: endpoints that are asked, and collectors that are sent to
//! (language 5.11 to 5.13).
//!
//! Never makes traffic wait, and never fails it: whatever cannot be told is counted and let go.

mod environment;
mod export;
mod exposition;
mod gather;
mod otlp;
mod outbox;
mod push;
mod records;
mod ship;
mod target;
pub(crate) mod wire;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use arc_swap::ArcSwap;
use mesh_bundle::Kri;
use mesh_bundle::decide::Selection;
use mesh_bundle::resource::{
    Collector, EndpointTls, EnvironmentMode, Metrics as Policy, MetricsBackend, PrometheusEndpoint,
};
use rustls::ServerConfig;
use tokio::runtime::Handle;
use tokio::task::JoinHandle;

pub(crate) use environment::{Environment, Unheard};
pub(crate) use gather::Sources;
pub(crate) use otlp::{attribute, attribute_number};
pub(crate) use outbox::Outbox;

use export::Courier;
pub(crate) use ship::Envelope;

use records::Records;
use target::{Target, Untold};

use crate::access_log::Home;
use crate::http_metrics::{Endpoint, serve};
use crate::metrics::{Metrics, Signal};
use crate::table::{Bind, Table};

/// What a table says about the metrics of its proxy.
#[derive(Debug)]
pub(crate) struct MetricsPlan {
    pub(crate) policy: Policy,
    pub(crate) selection: Selection,
}

/// Everything that tells, beside the traffic.
#[derive(Debug)]
pub(crate) struct Telemetry {
    metrics: Arc<Metrics>,
    began: SystemTime,
    running: Mutex<Running>,
    records: Records,
    /// For the endpoint, where it is to have a certificate of its own.
    pub(crate) provided: Option<Arc<ServerConfig>>,
    /// What may be said about collectors beside what the bundle says.
    pub(crate) environment: Environment,
}

#[derive(Debug, Default)]
struct Running {
    endpoints: BTreeMap<Bind, (Arc<ArcSwap<Endpoint>>, Task)>,
    /// Where metrics are sent, and what was said about it.
    pushes: Vec<(Push, Option<Task>)>,
}

/// What a task was begun with: another one is another task.
#[derive(Debug, PartialEq, Eq)]
struct Push {
    to: Result<Target, Untold>,
    interval: Duration,
    policy: Policy,
    home: Arc<Home>,
}

/// Ends when it is dropped.
#[derive(Debug)]
struct Task(JoinHandle<()>);

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Telemetry {
    pub(crate) fn new(metrics: Arc<Metrics>) -> Self {
        Self {
            metrics,
            began: SystemTime::now(),
            running: Mutex::default(),
            records: Records::default(),
            provided: None,
            environment: Environment::default(),
        }
    }

    /// From now on it is told as this table says. What stays the same goes on.
    pub(crate) fn follow(&self, table: &Table, runtime: &Handle) {
        let told = (&self.metrics, &self.environment);
        self.records.follow(table, told, runtime);
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        let before = std::mem::take(&mut *running);
        let Some(plan) = &table.metrics else {
            return;
        };
        let sources = Arc::new(Sources {
            metrics: Arc::clone(&self.metrics),
            selection: plan.selection.clone(),
            unused: plan.policy.include_unused.value,
            applications: value(plan.policy.applications.as_ref()).to_vec(),
        });
        let Running {
            mut endpoints,
            mut pushes,
        } = before;
        let backends = value(plan.policy.backends.as_ref());
        let collectors = backends.iter().filter_map(|backend| match backend {
            MetricsBackend::OpenTelemetry { collector, .. } => Some(collector),
            MetricsBackend::Prometheus(_) => None,
        });
        let alone = is_alone(collectors);
        for backend in backends {
            match backend {
                MetricsBackend::Prometheus(wanted) => {
                    let Some((bind, endpoint)) = self.endpoint(wanted, table, &sources) else {
                        continue;
                    };
                    let started = match endpoints.remove(&bind) {
                        Some((served, task)) => {
                            served.store(Arc::new(endpoint));
                            (served, task)
                        }
                        None => {
                            let served = Arc::new(ArcSwap::from_pointee(endpoint));
                            let serving = serve(bind.clone(), Arc::clone(&served));
                            let task = runtime.spawn(async { match serving.await {} });
                            (served, Task(task))
                        }
                    };
                    running.endpoints.insert(bind, started);
                }
                MetricsBackend::OpenTelemetry {
                    collector,
                    interval,
                } => {
                    let to = Target::of(collector, &self.environment, Signal::Metrics, alone);
                    let push = Push {
                        to,
                        interval: interval.as_std(),
                        policy: plan.policy.clone(),
                        home: Arc::clone(&table.home),
                    };
                    let known = pushes.iter().position(|(known, _)| *known == push);
                    let task = match known {
                        Some(known) => pushes.swap_remove(known).1,
                        None => self.push(&push, collector, &sources, runtime),
                    };
                    running.pushes.push((push, task));
                }
            }
        }
    }

    /// Waits until everything that was kept of requests is sent, or given up.
    pub(crate) async fn flush(&self) {
        self.records.flush().await;
    }

    /// Begins to send metrics; `None` where they cannot be sent, which is told.
    fn push(
        &self,
        push: &Push,
        collector: &Collector,
        sources: &Arc<Sources>,
        runtime: &Handle,
    ) -> Option<Task> {
        let courier = match &push.to {
            Ok(target) => Courier::otlp(target, Signal::Metrics),
            Err(untold) => Err(untold.clone()),
        };
        match courier {
            Ok(courier) => Some(Task(runtime.spawn(push::run(push::Pushing {
                courier,
                interval: push.interval,
                sources: Arc::clone(sources),
                resource: otlp::resource(&push.home),
                began: self.began,
            })))),
            Err(why) => {
                untold(&collector.kri, Signal::Metrics, &why);
                None
            }
        }
    }

    /// Where an endpoint is, and what it serves; `None` where it cannot be opened as it must be.
    fn endpoint(
        &self,
        wanted: &PrometheusEndpoint,
        table: &Table,
        sources: &Arc<Sources>,
    ) -> Option<(Bind, Endpoint)> {
        let closed = |reason: &str| {
            tracing::warn!(port = wanted.port, reason, "no endpoint for metrics");
        };
        let Some(host) = table.home.reached_at.clone() else {
            closed("the Dataplane has no address");
            return None;
        };
        let tls = match wanted.tls {
            EndpointTls::Disabled => None,
            EndpointTls::Identity => {
                let identity = table.identity.as_ref();
                let server = identity.and_then(|identity| identity.server(&[]).ok());
                if server.is_none() {
                    closed(
                        "the proxy has no certificate yet, and its peers must prove who they are",
                    );
                    return None;
                }
                server
            }
            EndpointTls::Provided => {
                if self.provided.is_none() {
                    closed("`ProvidedTLS` needs `--metrics-cert` and `--metrics-key`");
                    return None;
                }
                self.provided.clone()
            }
        };
        let bind = Bind {
            host,
            port: wanted.port,
        };
        let endpoint = Endpoint {
            path: wanted.path.clone(),
            sources: Arc::clone(sources),
            tls,
        };
        Some((bind, endpoint))
    }
}

fn value<T>(list: Option<&mesh_bundle::Sourced<Vec<T>>>) -> &[T] {
    list.map_or([].as_slice(), |list| &list.value)
}

/// Can the environment be meant for one of them? It names none.
fn is_alone<'c>(collectors: impl Iterator<Item = &'c Collector>) -> bool {
    let open = collectors.filter(|it| it.environment.mode != EnvironmentMode::Disabled);
    open.map(|it| &it.kri).collect::<BTreeSet<_>>().len() <= 1
}

fn untold(collector: &Kri, signal: Signal, why: &Untold) {
    let (collector, signal) = (collector.to_string(), signal.as_str());
    tracing::warn!(collector, signal, %why, "telemetry is not sent");
}

/// Since 1970.
pub(crate) fn nanos(at: SystemTime) -> u64 {
    let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}
