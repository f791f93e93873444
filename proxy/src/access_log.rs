//! Access logs: what is written about requests and connections, and to whom.
//!
//! Never makes traffic wait for a log: a record that finds no room is dropped, and counted.

mod otlp;
mod record;
mod time;
mod value;
mod writer;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use mesh_bundle::Kri;
use mesh_bundle::decide::applying;
use mesh_bundle::resource::{Collector, IndependentRule, LogBackend, LogFormat, LogSink};
use tokio::runtime::Handle;

use crate::metrics::Metrics;
use crate::session::Session;
use crate::table::{DestinationTable, InboundTable, RouteEntry, Table, TrafficTable};
use crate::telemetry::Outbox;
use crate::trace::{self, Context, Span};

use otlp::Layout;
pub(crate) use record::{Home, Log, Record, RequestView};
use writer::{Queue, Sink};

/// The way to each collector of records.
pub(crate) type LogWays = BTreeMap<Kri, Outbox>;

/// One place that records go to, in one format.
#[derive(Debug)]
pub(crate) struct Outlet(Form);

#[derive(Debug)]
enum Form {
    /// A line in a file or over a connection.
    Line { format: LogFormat, queue: Queue },
    /// A log record for a collector of OpenTelemetry.
    Otlp { layout: Layout, outbox: Outbox },
}

impl Outlet {
    fn put(&self, record: &Record, span: Option<&Span>) {
        match &self.0 {
            Form::Line { format, queue } => queue.put(|| value::line(format, record)),
            Form::Otlp { layout, outbox } => outbox.put(|| otlp::write(layout, record, span)),
        }
    }
}

/// All queues of a data plane. They outlive tables.
#[derive(Debug)]
pub(crate) struct AccessLogs {
    runtime: Handle,
    metrics: Arc<Metrics>,
    queues: Mutex<HashMap<Sink, Queue>>,
}

/// A file for lines of another sort, written by the same writer.
#[derive(Debug, Clone)]
pub(crate) struct EventFile(Queue);

impl EventFile {
    /// Queues a line, or counts it as dropped; `line` is given the time, as `2026-01-31T10:00:00.000Z`.
    pub(crate) fn put(&self, line: impl FnOnce(String) -> String) {
        self.0.put(|| line(time::text(SystemTime::now(), &[])));
    }
}

impl AccessLogs {
    pub(crate) fn new(runtime: Handle, metrics: Arc<Metrics>) -> Self {
        Self {
            runtime,
            metrics,
            queues: Mutex::default(),
        }
    }

    /// Gives a table its outlets, and lets go of those that nothing leads to any more: what is queued there is still written.
    pub(crate) fn follow(&self, table: &Table) {
        let mut known = self.queues.lock().unwrap_or_else(PoisonError::into_inner);
        let mut wanted = HashMap::new();
        let ways = table.log_ways.get();
        let mut queue = |sink: Sink| {
            let make = || {
                let dropped = self.metrics.dropped_records(&sink.to_string());
                Queue::start(&sink, dropped, &self.runtime)
            };
            let queue = wanted.entry(sink.clone());
            let queue = queue.or_insert_with(|| known.remove(&sink).unwrap_or_else(make));
            queue.clone()
        };
        for inbound in table.inbounds.values() {
            let http = inbound.inbound.protocol.is_http();
            let rules = inbound.policy.access_logs.iter();
            let rule = |rule: &IndependentRule<LogBackend>| IndependentRule {
                number: rule.number,
                peer: rule.peer.clone(),
                acts: outlets(&rule.acts, http, ways, &mut queue),
                origin: rule.origin.clone(),
            };
            let rules = rules.map(rule).collect();
            inbound.logs.get_or_init(|| rules);
        }
        for outbound in table.outbounds.values() {
            let destination = &outbound.destination;
            let http = matches!(destination.traffic, TrafficTable::Http { .. });
            let backends = destination.destination.access_log.as_ref();
            let backends = backends.map_or([].as_slice(), |log| &log.value);
            let own = outlets(backends, http, ways, &mut queue);
            destination.log.get_or_init(|| own);
            let TrafficTable::Http { table, routes, .. } = &destination.traffic else {
                continue;
            };
            for (compiled, entry) in table.routes().iter().zip(routes) {
                if let Some(log) = &compiled.route.access_log {
                    let own = outlets(&log.value, http, ways, &mut queue);
                    entry.log.get_or_init(|| own);
                }
            }
        }
        for cluster in &table.clusters {
            let check = cluster.health_check.as_ref();
            if let Some(path) = check.and_then(|check| check.event_log_path.as_ref()) {
                let events = queue(Sink::File(path.value.clone()));
                cluster.events.get_or_init(|| EventFile(events));
            }
        }
        *known = wanted;
    }

    /// Waits until everything that was queued is written.
    pub(crate) async fn flush(&self) {
        let queues: Vec<Queue> = {
            let known = self.queues.lock().unwrap_or_else(PoisonError::into_inner);
            known.values().cloned().collect()
        };
        for queue in queues {
            queue.flush().await;
        }
    }
}

/// Every collector that records of this table go to; one may be named several times.
pub(crate) fn collectors(table: &Table) -> impl Iterator<Item = &Collector> {
    let inbounds = table.inbounds.values();
    let rules = inbounds.flat_map(|inbound| &inbound.policy.access_logs);
    let received = rules.flat_map(|rule| &rule.acts);
    let destinations = table.outbounds.values();
    let destinations = destinations.map(|outbound| &outbound.destination);
    let sent = destinations.flat_map(|destination| {
        let own = destination.destination.access_log.iter();
        let routes = match &destination.traffic {
            TrafficTable::Http { table, .. } => table.routes(),
            TrafficTable::Tcp { .. } => &[],
        };
        let routes = routes.iter();
        own.chain(routes.filter_map(|compiled| compiled.route.access_log.as_ref()))
            .flat_map(|log| &log.value)
    });
    received
        .chain(sent)
        .filter_map(|backend| match &backend.sink {
            LogSink::OpenTelemetry { collector, .. } => Some(&**collector),
            LogSink::File { .. } | LogSink::Tcp { .. } => None,
        })
}

/// `http`: the default format is that of requests.
fn outlets(
    backends: &[LogBackend],
    http: bool,
    ways: Option<&LogWays>,
    queue: &mut impl FnMut(Sink) -> Queue,
) -> Vec<Arc<Outlet>> {
    let default = || match http {
        true => LogFormat::of_requests(),
        false => LogFormat::of_connections(),
    };
    let mut line = |sink: Sink, format: &Option<LogFormat>| Form::Line {
        format: format.clone().unwrap_or_else(default),
        queue: queue(sink),
    };
    let outlet = |backend: &LogBackend| {
        let form = match &backend.sink {
            LogSink::File { path, format } => line(Sink::File(path.clone()), format),
            LogSink::Tcp { address, format } => line(Sink::Tcp(address.clone()), format),
            LogSink::OpenTelemetry {
                collector,
                attributes,
                body,
            } => Form::Otlp {
                layout: Layout {
                    attributes: attributes.clone(),
                    body: body.clone(),
                    otherwise: default(),
                },
                // Without a way it was told that nobody says where the collector is.
                outbox: ways?.get(&collector.kri)?.clone(),
            },
        };
        Some(Arc::new(Outlet(form)))
    };
    backends.iter().filter_map(outlet).collect()
}

/// What is kept of one request or connection, if anything, and what was decided about tracing it.
pub(crate) type Kept = (Option<Box<Log>>, Option<Context>);

/// Of what came to an inbound; `None` where nobody wants it. Without a request it is a connection.
pub(crate) fn of_inbound(
    session: &Session,
    table: &Table,
    inbound: &InboundTable,
    asked: Option<RequestView<'_>>,
) -> Kept {
    let context = trace::decide(session, table, asked);
    let followed = context.as_ref().is_some_and(Context::is_sampled);
    let rules = inbound.logs.get().filter(|rules| !rules.is_empty());
    if rules.is_none() && !followed {
        return (None, context);
    }
    let peer = session.peer();
    let rules = applying(rules.map_or([].as_slice(), Vec::as_slice), &peer);
    let outlets: Vec<Arc<Outlet>> = rules.flat_map(|rule| &rule.acts).cloned().collect();
    if outlets.is_empty() && !followed {
        return (None, context);
    }
    let head = asked.map(|asked| asked.head(!outlets.is_empty()));
    let mut record = Record::new(session, table, head);
    record.destination = table.home.workload.clone();
    record.cluster = Some(Arc::clone(&inbound.label));
    let span = trace::begin(table, context, asked);
    (Some(Log::new(outlets, record, span)), context)
}

/// Of what goes to a destination; a request whose route is not known yet has the outlets of the destination.
pub(crate) fn of_outbound(
    session: &Session,
    table: &Table,
    destination: &DestinationTable,
    asked: Option<RequestView<'_>>,
) -> Kept {
    let context = trace::decide(session, table, asked);
    let followed = context.as_ref().is_some_and(Context::is_sampled);
    let own = destination.log.get().map_or([].as_slice(), Vec::as_slice);
    // What logs there are is known before a table is served from.
    let routed = destination
        .logs_routes
        .get_or_init(|| match &destination.traffic {
            TrafficTable::Http { routes, .. } => {
                routes.iter().any(|route| route.log.get().is_some())
            }
            TrafficTable::Tcp { .. } => false,
        });
    let logged = !own.is_empty() || *routed;
    if !logged && !followed {
        return (None, context);
    }
    let mut record = Record::new(session, table, asked.map(|asked| asked.head(logged)));
    record.destination = Some(destination.destination.kri.name().into());
    let span = trace::begin(table, context, asked);
    (Some(Log::new(own.to_vec(), record, span)), context)
}

impl Log {
    /// Now the route is known.
    pub(crate) fn routed(&mut self, route: &RouteEntry) {
        self.record.route = Some(Arc::clone(&route.label));
        if let Some(own) = route.log.get() {
            self.outlets.clone_from(own);
        }
    }
}
