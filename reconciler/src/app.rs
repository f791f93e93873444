//! Boot order of meshd, as a list; then it waits for the signal to end.
//!
//! Never listens before there is something to answer with, and never gives up what it restored because git is away.

mod identity;
mod listening;
mod outside;
mod start;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use mesh_compiler::config::Said;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;

use crate::admin::{Admin, Metrics};
use crate::authority::Gate;
use crate::ca::{self, CaFailure};
use crate::control;
use crate::distrust::Distrust;
use crate::event::Events;
use crate::registry::{Kept, Now, Registry};
use crate::revocation::Revocations;
use crate::rollout::Shared;
use crate::settings::{Etcd, Settings};
use crate::share::{Share, Uses, Voucher};
use crate::state::{StateDir, StateFailure};
use crate::status::Status;
use crate::tls::{self, OwnCertificate};
use crate::token::BadKey;
use identity::Identity;
use listening::Listening;
use outside::Outside;
use start::Begun;

/// Sessions are ended in words; who does not take them is not waited for.
const FAREWELL: Duration = Duration::from_secs(5);

/// What `meshd run` is told.
#[derive(Debug, Clone)]
pub struct Config {
    /// What no commit may change. Names at least one source.
    pub settings: Settings,
    /// The state directory.
    pub state: PathBuf,
    /// For proxies.
    pub listen: SocketAddr,
    /// For operators.
    pub admin: SocketAddr,
    /// The file with the token that opens everything under `/v1` there.
    pub admin_token: Option<PathBuf>,
    /// What a bundle depends on beside the files.
    pub said: Vec<Said>,
}

/// Why meshd does not run.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The state directory.
    #[error(transparent)]
    State(#[from] StateFailure),
    /// A certificate authority.
    #[error(transparent)]
    Authority(#[from] CaFailure),
    /// The key of join tokens.
    #[error(transparent)]
    TokenKey(#[from] BadKey),
    /// Revocations that cannot be read might let in whom they keep out.
    #[error("what is revoked cannot be read: {0}")]
    Revocations(String),
    /// An address cannot be listened on.
    #[error("listening on {address}: {source}")]
    Listen {
        /// From the command line.
        address: SocketAddr,
        /// The answer of the system.
        source: std::io::Error,
    },
    /// Neither git nor the state directory has anything to serve.
    #[error("{0}; and there is no earlier state to serve")]
    Repository(String),
    /// Something that does not happen on a healthy machine.
    #[error("{0}")]
    System(String),
}

/// Runs meshd until it is told to end.
///
/// # Errors
/// See [`Failure`]. After the first `listening` in the log there is none but of the system.
pub async fn run(config: Config) -> Result<(), Failure> {
    let mut terminate = signal(SignalKind::terminate()).map_err(|e| system(&e))?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(|e| system(&e))?;
    let running = tokio::select! {
        started = Meshd::start(config) => started?,
        _ = terminate.recv() => return Ok(()),
        _ = interrupt.recv() => return Ok(()),
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    running.end().await;
    Ok(())
}

/// A meshd that runs inside of this process.
#[derive(Debug)]
pub struct Meshd {
    delivery: SocketAddr,
    admin: SocketAddr,
    stop: watch::Sender<bool>,
    tasks: JoinSet<()>,
    registry: Arc<Registry>,
    state: Arc<StateDir>,
    gate: Arc<Gate>,
    hooks: Option<SocketAddr>,
}

impl Meshd {
    /// Starts it. When this returns it listens.
    ///
    /// # Errors
    /// See [`Failure`].
    pub async fn start(config: Config) -> Result<Self, Failure> {
        // 1. What was there before: the directory, the keys, who is revoked, who was ready.
        let state = Arc::new(identity::state(&config.state, &config.settings)?);
        let now = Now::read();
        let control = Arc::new(ca::open_control(&state, now.unix)?);
        let revocations = Revocations::read(&state, now.unix).map_err(Failure::Revocations)?;
        let distrust = Distrust::read(&state).map_err(Failure::Revocations)?;
        let count = config.settings.sources.len();
        let registry = Registry::new(Kept::read(&state), now).of_sources(count);
        let registry = Arc::new(registry);
        // 2. Addresses, before anything takes long.
        let listening = Listening::open(&config, &state).await?;
        let addresses = listening.addresses()?;
        let (own, renew_at) = OwnCertificate::new(Arc::clone(&control)).map_err(Failure::System)?;
        let tls = tls::server(&control, Arc::clone(&own)).map_err(Failure::System)?;
        // 3. Something to serve: the last good commit, or git's.
        let Identity(tokens, issuers, signers) = Identity::open(&config.settings, &state).await?;
        let events = Arc::new(Events::open(&state));
        let Outside { followed, helpers } =
            Outside::open(&config.settings, &state, &events).await?;
        let counted = (Arc::clone(&events), registry.delivered());
        let metrics = Metrics::new(count > 1, control.not_after(), counted);
        let shared = Shared::new(
            Arc::clone(&state),
            Arc::clone(&registry),
            distrust,
            (&config.said, signers.clone()),
            Arc::clone(&events),
        );
        let with = (Arc::clone(&tokens), Arc::new(metrics));
        let begun = Begun::new(&shared, followed, with, config.settings.etcd.is_some())?;
        let (sources, metrics) = (begun.sources(), begun.metrics());
        let reconcilers = begun.begin(config.settings.etcd.as_ref()).await?;
        // 4. Everybody to work.
        let stop = watch::Sender::new(false);
        let stopped = || stop.subscribe();
        let mut tasks = JoinSet::new();
        let etcd = config.settings.etcd;
        let uses = etcd.clone();
        let uses = uses.map(|etcd| Uses::new(etcd, Voucher::new(&control)));
        let gate = Arc::new(Gate {
            control,
            registry: Arc::clone(&registry),
            sources: Arc::clone(&sources),
            tokens,
            issuers,
            revocations: Mutex::new(Arc::new(revocations)),
            holders: Mutex::new(BTreeMap::new()),
            uses,
            again: Notify::new(),
        });
        share(&mut tasks, etcd, &gate, &stop);
        for source in sources.each() {
            tasks.spawn(Arc::clone(&source.rollout).drive(stopped()));
        }
        tasks.spawn(work(Arc::clone(&registry), Arc::clone(&state), stopped()));
        identity::watch(&mut tasks, &gate, (&state, &events), signers, &stop);
        tasks.spawn(Arc::clone(&events).keep(Arc::clone(&state), stopped()));
        tasks.spawn(until(own.keep_renewed(renew_at), stopped()));
        let (shown, served) = (Arc::clone(&sources), Arc::clone(&registry));
        let answers = Admin::new(shown, served, metrics, events);
        let delivery = listening.answer(&mut tasks, &answers, &stop);
        let server = mesh_delivery::server::serve(delivery, tls, Arc::clone(&gate), stopped());
        tasks.spawn(told("delivery", server));
        let hooks = helpers.begin(&mut tasks, &stop)?;
        for (reconciler, wait) in reconcilers {
            tasks.spawn(reconciler.run(wait, stopped()));
        }
        tracing::info!(delivery = %addresses.0, admin = %addresses.1, "listening");
        Ok(Self {
            delivery: addresses.0,
            admin: addresses.1,
            stop,
            tasks,
            registry,
            state,
            gate,
            hooks,
        })
    }

    /// Reads now what is revoked, instead of within some seconds.
    pub async fn look_for_revocations(&self) {
        identity::revoke(&self.gate, &self.state).await;
    }

    /// Where proxies connect to.
    #[must_use]
    pub fn delivery(&self) -> SocketAddr {
        self.delivery
    }

    /// Where it tells about itself.
    #[must_use]
    pub fn admin(&self) -> SocketAddr {
        self.admin
    }

    /// Where webhooks are taken, if anywhere.
    #[must_use]
    pub fn hooks(&self) -> Option<SocketAddr> {
        self.hooks
    }

    /// The commit that is served, of the first source.
    #[must_use]
    pub fn revision(&self) -> Option<String> {
        self.status().report().revision
    }

    fn status(&self) -> &Status {
        &self.gate.sources.first().status
    }

    /// Ends it: sessions in words, then everything else. Proxies keep what they have.
    pub async fn end(mut self) {
        let _ = self.stop.send(true);
        let ended = async { while self.tasks.join_next().await.is_some() {} };
        let in_time = tokio::time::timeout(FAREWELL, ended).await;
        if in_time.is_err() {
            self.tasks.shutdown().await;
        }
        keep(&self.registry, &self.state, Now::read()).await;
        control::close(&self.state);
        self.state.release();
        tracing::info!("ended");
    }
}

/// Tells other meshds, and hears of them, where they share an etcd.
fn share(
    tasks: &mut JoinSet<()>,
    etcd: Option<Etcd>,
    gate: &Arc<Gate>,
    stop: &watch::Sender<bool>,
) {
    if let Some(etcd) = etcd {
        let share = Share::new(etcd, Arc::clone(gate));
        tasks.spawn(share.work(stop.subscribe()));
        tasks.spawn(share.run(stop.subscribe()));
    }
}

/// Keeps endpoints and feeds up to date.
async fn work(registry: Arc<Registry>, state: Arc<StateDir>, mut stop: watch::Receiver<bool>) {
    loop {
        tokio::select! {
            biased;
            _ = stop.wait_for(|stop| *stop) => return,
            () = registry.work() => {}
        }
        let now = Now::read();
        keep(&registry, &state, now).await;
        registry.tell(now);
    }
}

/// What a restart must know is on the disk before anybody acts on it.
async fn keep(registry: &Registry, state: &Arc<StateDir>, now: Now) {
    let Some(kept) = registry.settle(now) else {
        return;
    };
    let state = Arc::clone(state);
    let written = tokio::task::spawn_blocking(move || kept.write(&state)).await;
    let error = match written {
        Ok(Ok(())) => return,
        Ok(Err(failure)) => failure.to_string(),
        Err(error) => error.to_string(),
    };
    tracing::error!(error, "what is known of the proxies cannot be kept");
    registry.not_kept();
}

async fn until(task: impl Future<Output = ()>, mut stop: watch::Receiver<bool>) {
    tokio::select! {
        _ = stop.wait_for(|stop| *stop) => {}
        () = task => {}
    }
}

async fn told(what: &'static str, server: impl Future<Output = std::io::Result<()>>) {
    if let Err(error) = server.await {
        tracing::error!(%error, what, "nothing is accepted any more");
    }
}

fn system(error: &std::io::Error) -> Failure {
    Failure::System(error.to_string())
}

#[cfg(test)]
mod tests;
