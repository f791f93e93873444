//! Boot order of meshd, as a list; then it waits for the signal to end.
//!
//! Never listens before there is something to answer with, and never gives up what it restored because git is away.

mod identity;
mod listening;
mod outside;

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
use crate::reconcile::{Ctx, Kind, Outcome, Reconciler, Trouble};
use crate::registry::{Kept, Now, Registry};
use crate::revocation::Revocations;
use crate::rollout::Rollout;
use crate::settings::{Etcd, Settings};
use crate::share::{Share, Uses, Voucher};
use crate::state::{StateDir, StateFailure};
use crate::status::Status;
use crate::tls::{self, OwnCertificate};
use crate::token::BadKey;
use identity::Identity;
use listening::Listening;
use outside::Outside;

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
    status: Arc<Status>,
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
        let registry = Arc::new(Registry::new(Kept::read(&state), now));
        // 2. Addresses, before anything takes long.
        let listening = Listening::open(&config, &state).await?;
        let addresses = listening.addresses()?;
        let (own, renew_at) = OwnCertificate::new(Arc::clone(&control)).map_err(Failure::System)?;
        let tls = tls::server(&control, Arc::clone(&own)).map_err(Failure::System)?;
        // 3. Something to serve: the last good commit, or git's.
        let Identity(tokens, issuers, signers) = Identity::open(&config.settings, &state).await?;
        let events = Arc::new(Events::open(&state));
        let outside = Outside::open(&config.settings, &state, &events).await?;
        let (keeps, lives) = (Arc::clone(&state), Arc::clone(&registry));
        let (tells, read) = (Arc::clone(&events), (&*config.said, &outside.source));
        let rollout = Rollout::new(keeps, lives, distrust, read, tells);
        let rollout = Arc::new(rollout.signed_by(signers.clone()));
        if config.settings.etcd.is_some() {
            rollout.among_others();
        }
        let status = Arc::new(Status::new());
        let name = outside.source.source.name.to_string();
        let counted = (Arc::clone(&events), registry.delivered());
        let metrics = Arc::new(Metrics::new(name, control.not_after(), counted));
        let mut reconciler = Reconciler::new(Ctx {
            config: outside.source,
            bell: Arc::clone(&outside.bell),
            rollout: Arc::clone(&rollout),
            status: Arc::clone(&status),
            tokens: Arc::clone(&tokens),
            metrics: Arc::clone(&metrics),
            events: Arc::clone(&events),
            statements: outside.statements,
            registry: Arc::clone(&registry),
        });
        let wait = begin(&rollout, &status, &mut reconciler).await?;
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
            rollout: Arc::clone(&rollout),
            tokens,
            issuers,
            revocations: Mutex::new(Arc::new(revocations)),
            holders: Mutex::new(BTreeMap::new()),
            uses,
            again: Notify::new(),
        });
        share(&mut tasks, etcd, (&gate, &status), &stop);
        tasks.spawn(Arc::clone(&rollout).drive(stopped()));
        tasks.spawn(work(Arc::clone(&registry), Arc::clone(&state), stopped()));
        identity::watch(&mut tasks, &gate, (&state, &events), signers, &stop);
        tasks.spawn(Arc::clone(&events).keep(Arc::clone(&state), stopped()));
        tasks.spawn(until(own.keep_renewed(renew_at), stopped()));
        let (shown, served) = (Arc::clone(&status), Arc::clone(&registry));
        let answers = Admin::new(shown, served, metrics, rollout, (events, outside.bell));
        let delivery = listening.answer(&mut tasks, &answers, &stop);
        let server = mesh_delivery::server::serve(delivery, tls, Arc::clone(&gate), stopped());
        tasks.spawn(told("delivery", server));
        let hooks = outside.helpers.begin(&mut tasks, &stop)?;
        tasks.spawn(reconciler.run(wait, stopped()));
        tracing::info!(delivery = %addresses.0, admin = %addresses.1, "listening");
        Ok(Self {
            delivery: addresses.0,
            admin: addresses.1,
            stop,
            tasks,
            registry,
            state,
            gate,
            status,
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

    /// The commit that is served.
    #[must_use]
    pub fn revision(&self) -> Option<String> {
        self.status.report().revision
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
    (gate, status): (&Arc<Gate>, &Arc<Status>),
    stop: &watch::Sender<bool>,
) {
    if let Some(etcd) = etcd {
        let share = Share::new(etcd, Arc::clone(gate), Arc::clone(status));
        tasks.spawn(share.work(stop.subscribe()));
        tasks.spawn(share.run(stop.subscribe()));
    }
}

/// Restores, or makes the first pass; both have failed where neither leaves anything to serve nor a commit to mend.
async fn begin(
    rollout: &Rollout,
    status: &Status,
    reconciler: &mut Reconciler,
) -> Result<Duration, Failure> {
    if let Some(suspended) = rollout.suspended() {
        tracing::warn!(reason = suspended.reason, message = %suspended.message, "git is not followed");
        status.suspend(Some(suspended));
    }
    if let Some((revision, digest)) = rollout.restore().await? {
        tracing::info!(%revision, %digest, "restored");
        status.restored(&revision, digest);
        return Ok(Duration::ZERO);
    }
    let (wait, outcome) = reconciler.reconcile().await;
    match outcome {
        Ok(Outcome { .. }) => Ok(wait),
        // An operator can say that git is to be followed while meshd runs.
        Err(trouble) if trouble.kind == Kind::Suspended => Ok(wait),
        // A commit can be mended while meshd runs; a repository that is not there is most likely a mistake on the
        // command line.
        Err(Trouble {
            kind: Kind::Stalled | Kind::Waiting(_),
            revision: Some(_),
            ..
        }) => Ok(wait),
        Err(trouble) => Err(Failure::Repository(trouble.message)),
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
