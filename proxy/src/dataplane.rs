//! The data plane as a whole: what is applied, and how it ends.
//!
//! Never applies a part of a table: the listeners that it needs are bound first, then everything is swapped at once.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use mesh_bundle::Key;
use mesh_delivery::traffic::Both;
use rustls::ServerConfig;
use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tokio::sync::Mutex;
use tokio::task::JoinHandle;
use tokio::time::{Instant, interval, sleep, timeout};

use crate::dns::{self, Dns};
use crate::health_check;
use crate::listener::{Listener, bind};
use crate::metrics::Metrics;
use crate::shared::{Phase, Shared};
use crate::table::{Asked, Place, Table};
use crate::telemetry::{Environment, Telemetry};
use crate::workers::Workers;
use crate::world::Rejected;

/// How often idle connections are looked for.
const SWEEP_EVERY: Duration = Duration::from_secs(5);
/// To find the address of a listener that is given by name.
const BIND_WAIT: Duration = Duration::from_secs(5);
/// Before clients are told on their connections, most of them have heard from meshd and left by themselves, which cannot
/// cross with a request as a farewell of HTTP can.
const NEWS_TRAVEL: Duration = Duration::from_secs(1);
/// For what is still to be written to access logs.
const LAST_WORDS: Duration = Duration::from_secs(1);
/// While draining: nothing has been under way for so long, so nobody comes any more.
const QUIET: Duration = Duration::from_millis(500);
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// The running data path of one proxy.
#[derive(Debug)]
pub struct DataPlane {
    shared: Arc<Shared>,
    workers: Workers,
    listeners: Mutex<BTreeMap<Place, Listener>>,
    /// Where names are answered, once there is something that is captured.
    dns_port: Option<u16>,
    dns: Mutex<Option<Dns>>,
    sweeping: JoinHandle<()>,
    /// What is told beside the traffic; on the runtime of whoever applies tables, so that no thread for traffic does it.
    telemetry: Telemetry,
}

impl DataPlane {
    /// Starts without a listener: there is none before a table is applied. Connections are served by `workers`.
    #[must_use]
    pub fn start(metrics: Arc<Metrics>, workers: impl Into<Workers>) -> Self {
        let workers = workers.into();
        let runtime = workers.first();
        let telemetry = Telemetry::new(Arc::clone(&metrics));
        let shared = Arc::new(Shared::new(metrics, runtime.clone()));
        let swept = Arc::clone(&shared);
        let sweeping = runtime.spawn(async move {
            let mut ticks = interval(SWEEP_EVERY);
            loop {
                ticks.tick().await;
                swept.upstreams.sweep();
            }
        });
        Self {
            shared,
            workers,
            listeners: Mutex::default(),
            dns_port: None,
            dns: Mutex::default(),
            sweeping,
            telemetry,
        }
    }

    /// Where a table captures what the workload sends, its questions for names are answered on this port of loopback.
    #[must_use]
    pub fn answering_names_on(mut self, port: Option<u16>) -> Self {
        self.dns_port = port;
        self
    }

    /// What went through it since it began.
    pub(crate) fn counted(&self) -> Both {
        self.shared.metrics.tally.sum()
    }

    /// Lets so many connections be open at once, over all listeners; more are closed as soon as they come. For one that has
    /// none yet.
    pub fn hold_at_most(&self, connections: usize) {
        self.shared.hold_at_most(connections);
    }

    /// For a proxy at an edge, where who is refused shall not read what the repository holds.
    pub fn hide_refusals(&self) {
        self.shared.hide_refusals();
    }

    /// The same, whose endpoint for metrics has this certificate where it is to have one of its own.
    #[must_use]
    pub(crate) fn showing_metrics_with(mut self, provided: Option<Arc<ServerConfig>>) -> Self {
        self.telemetry.provided = provided;
        self
    }

    /// The same, whose collectors may be spoken of by these variables.
    #[must_use]
    pub(crate) fn hearing_of_collectors(mut self, environment: Environment) -> Self {
        self.telemetry.environment = environment;
        self
    }

    /// Makes a table the one that everything is decided with, and opens and closes listeners to match.
    ///
    /// # Errors
    /// A listener that cannot be bound. Then nothing has changed.
    pub async fn apply(&self, table: Arc<Table>) -> Result<(), Rejected> {
        let mut listeners = self.listeners.lock().await;
        let wanted = table.places();
        let mut bound = Vec::new();
        for (place, asked) in &wanted {
            if !listeners.contains_key(place) {
                bound.push((place.clone(), self.bind(place, asked).await?));
            }
        }
        let mut dns = self.dns.lock().await;
        let capture = table
            .capture
            .as_ref()
            .and_then(|capture| capture.outbound_port);
        let port = self.dns_port.filter(|_| capture.is_some());
        let sockets = match port.filter(|_| dns.is_none()) {
            Some(port) => self.bind_dns(port).await?,
            None => Vec::new(),
        };
        self.telemetry.follow(&table, &Handle::current());
        self.shared.swap(Arc::clone(&table));
        if port.is_none() {
            *dns = None;
        } else if dns.is_none() {
            *dns = Some(Dns::start(&self.shared, sockets, self.workers.first()));
        }
        health_check::start(&self.shared, &table, self.workers.first());
        listeners.retain(|place, _| wanted.contains_key(place));
        for (place, sockets) in bound {
            let listener = Listener::start(&self.shared, &place, sockets, &self.workers);
            listeners.insert(place, listener);
        }
        Ok(())
    }

    async fn bind(&self, place: &Place, asked: &Asked) -> Result<Vec<TcpListener>, Rejected> {
        let rejected = |reason: String| Rejected {
            key: Some(asked.0.clone()),
            pointer: asked.1.to_owned(),
            reason: format!("cannot listen on {}: {reason}", place.bind),
        };
        let (owned, workers) = (place.clone(), self.workers.clone());
        let runtime = self.workers.first();
        let binding = runtime.spawn(async move { bind(&owned, &workers).await });
        match timeout(BIND_WAIT, binding).await {
            Ok(Ok(Ok(sockets))) => Ok(sockets),
            Ok(Ok(Err(why))) => Err(rejected(why.to_string())),
            Ok(Err(_)) | Err(_) => Err(rejected("it took too long".to_owned())),
        }
    }

    async fn bind_dns(&self, port: u16) -> Result<Vec<dns::Sockets>, Rejected> {
        let binding = self.workers.first().spawn(dns::bind(port));
        let why = match timeout(BIND_WAIT, binding).await {
            Ok(Ok(Ok(sockets))) => return Ok(sockets),
            Ok(Ok(Err(why))) => why.to_string(),
            Ok(Err(_)) | Err(_) => "it took too long".to_owned(),
        };
        Err(Rejected {
            key: Some(Key::Proxy),
            pointer: "/capture".to_owned(),
            reason: format!("cannot answer names on port {port} of loopback (`--dns-port`): {why}"),
        })
    }

    /// Ends without losing a request: clients are told to go elsewhere, what is under way is finished, and only what
    /// lasts beyond `deadline` is cut. Listeners stay open for those who have not heard yet; who has not heard after half
    /// of the time finds the door closed, and goes elsewhere for that reason.
    pub async fn drain(&self, deadline: Duration) {
        let end = Instant::now() + deadline;
        sleep(NEWS_TRAVEL.min(deadline / 4)).await;
        self.shared.enter(Phase::Draining);
        self.quiet(Instant::now() + (end - Instant::now()) / 2)
            .await;
        self.listeners.lock().await.clear();
        self.quiet(end).await;
        self.shared.enter(Phase::Over);
        self.shared.upstreams.retire();
        // A log that nobody takes does not hold up the end.
        let last_words = async {
            self.shared.access_logs.flush().await;
            self.telemetry.flush().await;
        };
        let _ = timeout(LAST_WORDS, last_words).await;
    }

    /// Waits until nothing is under way and nothing has come for [`QUIET`], at most until `end`.
    async fn quiet(&self, end: Instant) {
        let (mut seen, mut since) = (self.shared.traffic(), Instant::now());
        while Instant::now() < end {
            let traffic = self.shared.traffic();
            if traffic != seen || traffic.is_under_way() {
                (seen, since) = (traffic, Instant::now());
            } else if since.elapsed() >= QUIET {
                return;
            }
            sleep(LOOK_EVERY.min(end - Instant::now())).await;
        }
    }
}

impl Drop for DataPlane {
    fn drop(&mut self) {
        self.sweeping.abort();
        self.shared.enter(Phase::Over);
    }
}

#[cfg(test)]
impl DataPlane {
    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }
}
