//! The control side: keeps the proxy enrolled, its configuration current and its certificates fresh.
//!
//! Never takes anything away because meshd is gone, and never gives the data plane a part of a world: a configuration that
//! asks for a certificate is applied together with it, or not at all.

mod addresses;
mod agent;
mod join;
mod meter;
pub(crate) mod plane;
mod renew;
mod request;
mod session;
#[cfg(test)]
pub(crate) mod tests;
pub(crate) mod view;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use mesh_bundle::{Digest, Kri};
use mesh_delivery::message::{ClusterEndpoints, Secrets};
use tokio::sync::watch;
use tokio::time::Instant;

use crate::backoff::{Backoff, dice};
use crate::clock::unix_now;
use crate::configuration::Configuration;
use crate::enroll::Claim;
use crate::identity::{Credential, PrivateKey};
use crate::state::{Membership, Restored, Serving, Store};
use crate::workload::Probes;
use crate::workload_api::Agent;
use crate::world::{Rejected, World};
use addresses::Addresses;
use join::NoSession;
use plane::Plane;
use view::{Applied, View};

/// What an operator shows `meshd`.
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// A session that lasted this long was a good one: the next is tried at once.
const STEADY: Duration = Duration::from_secs(10);

/// Where meshd is, and how this proxy becomes one of its.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    /// Each `host:port`; at least one.
    pub(crate) meshd: Vec<String>,
    pub(crate) token_file: PathBuf,
    /// Of the authority that meshd is known by, where the token does not say it.
    pub(crate) pin: Option<Digest>,
    pub(crate) claim: Claim,
    /// The socket of the Workload API on this host.
    pub(crate) agent: Option<PathBuf>,
}

/// A person must do something before this proxy can serve.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Hopeless(pub(crate) String);

/// Everything that the control side knows.
pub(crate) struct Control<P> {
    settings: Settings,
    addresses: Addresses,
    store: Store,
    plane: P,
    view: watch::Sender<View>,
    membership: Option<Membership>,
    serving: Option<Serving>,
    /// From disk, and not applied yet.
    parked: Option<Serving>,
    endpoints: BTreeMap<Kri, Arc<ClusterEndpoints>>,
    secrets: Arc<Secrets>,
    /// Between sessions that failed.
    reconnect: Backoff,
    /// Between offers of a configuration that this host could not take, such as for a port in use.
    reoffer: Backoff,
    /// The key that the token was shown with, and which token.
    enrolment: Option<(String, PrivateKey)>,
    /// While an identity is one that it gives the certificates of.
    agent: Option<Agent>,
    said_ready: bool,
    said_expired: bool,
    probes: Probes,
}

impl<P: Plane> Control<P> {
    /// With what was on disk; nothing of it is applied yet.
    pub(crate) fn new(
        settings: Settings,
        store: Store,
        plane: P,
        view: watch::Sender<View>,
        restored: Restored,
    ) -> Self {
        Self {
            addresses: Addresses::new(&settings.meshd, dice()),
            settings,
            store,
            plane,
            probes: Probes::new(view.clone()),
            view,
            membership: restored.membership,
            serving: None,
            parked: restored.serving,
            endpoints: restored.endpoints,
            secrets: Arc::new(restored.secrets),
            reconnect: Backoff::default(),
            reoffer: Backoff::default(),
            enrolment: None,
            agent: None,
            said_ready: false,
            said_expired: false,
        }
    }

    /// Serves what was on disk, then follows meshd. Ends only when this proxy cannot serve without a person's help.
    pub(crate) async fn run(mut self) -> Hopeless {
        self.resume().await;
        loop {
            let trouble = match self.connect().await {
                Ok(session) => {
                    self.show(|view| {
                        view.connected = true;
                        view.trouble = None;
                    });
                    tracing::info!(meshd = self.addresses.current(), "connected");
                    self.addresses.answered();
                    let opened = Instant::now();
                    let ended = session::Running::new(&mut self, session).run().await;
                    self.show(|view| view.connected = false);
                    if opened.elapsed() >= STEADY {
                        self.reconnect.reset();
                    }
                    match ended {
                        session::Ended::Reopen => continue,
                        session::Ended::Lost(error) => error,
                    }
                }
                Err(NoSession::Hopeless(reason)) => return reason,
                Err(NoSession::Transient(reason)) => reason,
            };
            let away = self.addresses.current().to_owned();
            let wait = match self.addresses.turn() {
                true => self.reconnect.next(dice),
                // Another one may answer.
                false => Duration::ZERO,
            };
            let certificate_left_s = self.certificate_left(unix_now());
            tracing::warn!(meshd = away, reason = %trouble, retry_ms = millis(wait), certificate_left_s, "meshd is away");
            self.show(|view| view.trouble = Some(trouble));
            self.complain_when_expired();
            self.rest(wait).await;
            self.resume().await;
        }
    }

    /// Applies what was on disk, before meshd is asked for anything. A port that is still in use is tried again later.
    async fn resume(&mut self) {
        let Some(mut parked) = self.parked.take().filter(|_| self.serving.is_none()) else {
            return;
        };
        if parked.svid.is_none() {
            parked.svid = self.wait_for_agent(&parked.configuration).await;
        }
        let revision = parked.configuration.received.revision.clone();
        let world = self.world(&parked.configuration, parked.svid.as_ref());
        match self.plane.apply(&world).await {
            Ok(()) => {
                tracing::info!(revision, "serving the last state that was kept on disk");
                self.hold(parked, world);
            }
            Err(reason) => {
                tracing::error!(revision, %reason, "the state on disk cannot be served now");
                self.parked = Some(parked);
            }
        }
    }

    /// Makes a configuration the one that decides, and keeps it. On refusal everything stays as it is.
    async fn adopt(
        &mut self,
        configuration: Configuration,
        svid: Option<Arc<Credential>>,
    ) -> Result<(), Rejected> {
        let world = self.world(&configuration, svid.as_ref());
        self.plane.apply(&world).await?;
        self.store
            .save_serving(&configuration.received, svid.as_deref())
            .await;
        self.keep_endpoints().await;
        self.keep_secrets().await;
        let serving = Serving {
            configuration,
            svid,
        };
        self.hold(serving, world);
        Ok(())
    }

    /// Gives the data plane the newest endpoints.
    async fn refresh(&mut self) {
        let Some(serving) = &self.serving else { return };
        let world = self.world(&serving.configuration, serving.svid.as_ref());
        match self.plane.apply(&world).await {
            Ok(()) => self.show(|view| view.applied = Some(Applied::new(world))),
            Err(reason) => tracing::warn!(%reason, "new endpoints could not be applied"),
        }
    }

    /// Keeps what changed; and everything, where the disk did not take something before.
    async fn keep(&self) {
        if self.store.catch_up() {
            if let Some(membership) = &self.membership {
                self.store.save_membership(membership).await;
            }
            if let Some(serving) = &self.serving {
                let received = &serving.configuration.received;
                self.store
                    .save_serving(received, serving.svid.as_deref())
                    .await;
            }
        }
        self.keep_endpoints().await;
        self.keep_secrets().await;
    }

    /// Nothing is written for a proxy that never had a secret.
    async fn keep_secrets(&self) {
        if let Some(membership) = &self.membership {
            self.store
                .save_secrets(&membership.name, &self.secrets)
                .await;
        }
    }

    async fn keep_endpoints(&self) {
        if let Some(membership) = &self.membership {
            self.store
                .save_endpoints(&membership.name, &self.endpoints)
                .await;
        }
    }

    fn hold(&mut self, serving: Serving, world: World) {
        let spiffe_id = serving.svid.as_ref().map(|svid| svid.name().as_str());
        let identity = serving.configuration.identity();
        let valid = match &serving.svid {
            Some(svid) => !svid.is_expired(unix_now()),
            None => identity.is_none(),
        };
        if identity.is_none_or(|identity| identity.agent.is_none()) {
            self.agent = None;
        }
        if valid && !self.said_ready {
            tracing::info!(revision = world.revision, spiffe_id, "ready");
            self.said_ready = true;
        }
        let inbounds = serving.configuration.config.inbounds.iter();
        self.probes
            .renew(inbounds.map(|(section, (inbound, _))| (section, inbound)));
        self.serving = Some(serving);
        self.parked = None;
        self.said_expired = false;
        self.show(|view| {
            view.applied = Some(Applied::new(world));
            view.trouble = None;
        });
        self.complain_when_expired();
    }

    fn world(&self, configuration: &Configuration, svid: Option<&Arc<Credential>>) -> World {
        let named = |service: &Kri| configuration.config.clusters.contains_key(service);
        let endpoints = self.endpoints.iter().filter(|(service, _)| named(service));
        World {
            config: Arc::clone(&configuration.config),
            revision: configuration.received.revision.clone(),
            root: configuration.received.root,
            endpoints: endpoints
                .map(|(service, cluster)| (service.clone(), (**cluster).clone()))
                .collect(),
            secrets: Arc::clone(&self.secrets),
            svid: svid.map(|credential| Arc::new(credential.svid())),
        }
    }

    /// Of the configuration that is applied.
    fn root(&self) -> Option<Digest> {
        let serving = self.serving.as_ref()?;
        Some(serving.configuration.received.root)
    }

    /// For how many seconds peers will accept this proxy.
    fn certificate_left(&self, now: u64) -> Option<u64> {
        let svid = self.serving.as_ref()?.svid.as_ref()?;
        Some(svid.not_after().saturating_sub(now))
    }

    /// Says once that peers refuse this proxy from now on.
    fn complain_when_expired(&mut self) {
        let svid = self.serving.as_ref().and_then(|s| s.svid.as_ref());
        if let Some(svid) = svid.filter(|svid| svid.is_expired(unix_now())) {
            if !self.said_expired {
                let by = if svid.is_of_agent() {
                    "the SPIFFE agent gives"
                } else {
                    "meshd issues"
                };
                tracing::error!(
                    spiffe_id = svid.name().as_str(),
                    "the certificate has ended: new mTLS connections fail until {by} another"
                );
            }
            self.said_expired = true;
        }
    }

    fn show(&self, change: impl FnOnce(&mut View)) {
        self.view.send_modify(change);
    }
}

fn millis(wait: Duration) -> u64 {
    u64::try_from(wait.as_millis()).unwrap_or(u64::MAX)
}
