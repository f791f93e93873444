//! One session with meshd: configurations, endpoints and certificates as they come, answers as they are due.
//!
//! Never keeps meshd waiting for an answer that does not come: what cannot be applied is refused, with the reason.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use mesh_bundle::resource::WorkloadIdentity;
use mesh_bundle::{Digest, Kri};
use mesh_delivery::client::{ClientError, Sender, Session, Unsent};
use mesh_delivery::message::{ClusterEndpoints, FromProxy, Received, Secrets};
use mesh_delivery::subscriber::Event;
use tokio::time::{Instant, sleep_until};

use super::Control;
use super::agent;
use super::meter::Meter;
use super::plane::Plane;
use super::request::Request;
use super::view::View;
use crate::backoff::dice;
use crate::clock::unix_now;
use crate::configuration::{Configuration, rejected, same_identity};
use crate::identity::Credential;
use crate::world::Rejected;

/// Endpoints that change within one of these are applied together: a rollout changes hundreds in a second.
const COALESCE: Duration = Duration::from_millis(20);
/// Endpoints that go on changing are written to disk no more often than this.
const KEEP_EVERY: Duration = Duration::from_secs(1);
/// A disk that took nothing is tried again after this long.
const KEEP_AGAIN: Duration = Duration::from_secs(60);
/// When nothing else is due.
const IDLE: Duration = Duration::from_secs(60);

/// How a session ended.
pub(super) enum Ended {
    /// What was refused for a local reason shall be offered again.
    Reopen,
    /// The other end, or the way to it, is gone.
    Lost(String),
}

/// What changes of a proxy without a word of meshd.
#[derive(Debug, PartialEq, Eq)]
struct Local {
    draining: bool,
    unhealthy: BTreeSet<String>,
}

impl Local {
    fn of(view: &View) -> Self {
        Self {
            draining: view.draining,
            unhealthy: view.unhealthy.clone(),
        }
    }
}

/// A session that is open.
pub(super) struct Running<'a, P> {
    pub(super) control: &'a mut Control<P>,
    pub(super) session: Session,
    pub(super) sender: Sender,
    /// For the certificate that peers see.
    pub(super) svid: Request,
    /// For the certificate that meshd sees.
    pub(super) membership: Request,
    /// Received, and waiting for the certificate that it asks for.
    pub(super) waiting: Option<Configuration>,
    told: Option<FromProxy>,
    apply_at: Option<Instant>,
    keep_at: Option<Instant>,
    kept_at: Option<Instant>,
    reopen_at: Option<Instant>,
    /// How long what waits may wait for an agent.
    pub(super) agent_until: Option<Instant>,
    /// They come first on a session; one that begins with something else has none.
    secrets_told: bool,
    meter: Meter,
}

impl<'a, P: Plane> Running<'a, P> {
    pub(super) fn new(control: &'a mut Control<P>, session: Session) -> Self {
        let sender = session.sender();
        Self {
            control,
            session,
            sender,
            svid: Request::default(),
            membership: Request::default(),
            waiting: None,
            told: None,
            apply_at: None,
            keep_at: None,
            kept_at: None,
            reopen_at: None,
            agent_until: None,
            secrets_told: false,
            meter: Meter::default(),
        }
    }

    pub(super) async fn run(mut self) -> Ended {
        let ended = loop {
            match self.turn().await {
                Ok(None) => {}
                Ok(Some(ended)) => break ended,
                Err(error) => break Ended::Lost(error.to_string()),
            }
        };
        if self.keep_at.is_some() {
            self.control.keep().await;
        }
        ended
    }

    /// Does what is due, then waits for one thing to happen.
    async fn turn(&mut self) -> Result<Option<Ended>, ClientError> {
        self.follow_agent().await?;
        self.tell_status().await?;
        self.ask_for_certificates().await?;
        if self.control.store.is_behind() {
            self.keep_at.get_or_insert(Instant::now() + KEEP_AGAIN);
        }
        let wake = self.wake();
        let mut view = self.control.view.subscribe();
        let before = Local::of(&view.borrow_and_update());
        let turned = async {
            // What changes from outside: the proxy begins to drain, its workload answers or does not.
            drop(view.wait_for(|view| Local::of(view) != before).await);
        };
        let news = self.control.agent_news();
        let event = tokio::select! {
            event = self.session.next() => Some(event?),
            () = sleep_until(wake) => None,
            () = turned => return Ok(None),
            () = news => return Ok(None),
        };
        match event {
            Some(event) => self.handle(event).await.map(|()| None),
            None => self.tick().await,
        }
    }

    async fn handle(&mut self, event: Event) -> Result<(), ClientError> {
        let says_what_is_wanted =
            matches!(event, Event::Configuration(_) | Event::Endpoints { .. });
        if says_what_is_wanted && !self.secrets_told {
            self.note_secrets(Secrets::default());
        }
        match event {
            Event::Configuration(received) => self.receive(received).await,
            Event::Endpoints { service, endpoints } => {
                self.note_endpoints(service, endpoints);
                Ok(())
            }
            Event::Secrets(secrets) => {
                self.note_secrets(secrets);
                Ok(())
            }
            Event::Certificate(certificate) => self.take_certificate(certificate).await,
            Event::CertificateRefused { issuer, reason } => self.refused(issuer, &reason).await,
            Event::Measure { every } => {
                let counted = self.control.plane.counted();
                self.meter.ask(every, Instant::now(), counted, dice());
                Ok(())
            }
        }
    }

    /// What was planned for a time that has come.
    async fn tick(&mut self) -> Result<Option<Ended>, ClientError> {
        let now = Instant::now();
        let due = |at: &mut Option<Instant>| at.take_if(|at| *at <= now).is_some();
        if due(&mut self.apply_at) {
            self.control.refresh().await;
        }
        if due(&mut self.keep_at) {
            self.control.keep().await;
            self.kept_at = Some(now);
        }
        let (root, plane) = (self.control.root(), &self.control.plane);
        if let Some(traffic) = self.meter.due(now, root, || plane.counted()) {
            self.say(FromProxy::Traffic(Box::new(traffic))).await?;
        }
        self.check_overdue(now).await?;
        self.control.complain_when_expired();
        Ok(due(&mut self.reopen_at).then_some(Ended::Reopen))
    }

    /// The earliest moment at which something is due.
    fn wake(&self) -> Instant {
        let now = Instant::now();
        [
            self.apply_at,
            self.keep_at,
            self.reopen_at,
            self.waiting.as_ref().and(self.agent_until),
            self.meter.next(),
        ]
        .into_iter()
        .chain(self.certificate_moments(now))
        .flatten()
        .fold(now + IDLE, Instant::min)
    }

    async fn receive(&mut self, received: Received) -> Result<(), ClientError> {
        let root = received.root;
        self.reopen_at = None;
        let Some(membership) = &self.control.membership else {
            return self
                .nack(root, rejected("this proxy is not enrolled"))
                .await;
        };
        match Configuration::read(received, &membership.name) {
            Ok(configuration) => self.prepare(configuration).await,
            Err(reason) => self.nack(root, reason).await,
        }
    }

    /// Applies a configuration, once its certificate is there.
    async fn prepare(&mut self, configuration: Configuration) -> Result<(), ClientError> {
        self.waiting = None;
        let svid = match configuration.identity() {
            None => None,
            Some(identity) => match self.held_for(identity) {
                // Who was sent away and is here again needs another one.
                Some(svid) if !svid.is_revoked(&configuration.config.trust) => Some(svid),
                _ => {
                    let wait = agent::patience(identity);
                    self.agent_until = wait.map(|wait| Instant::now() + wait);
                    self.waiting = Some(configuration);
                    return Ok(());
                }
            },
        };
        self.apply(configuration, svid).await
    }

    /// The certificate in use, where it serves this identity.
    fn held_for(&self, identity: &WorkloadIdentity) -> Option<Arc<Credential>> {
        let serving = self.control.serving.as_ref()?;
        let current = serving.configuration.identity()?;
        let svid = serving.svid.as_ref()?;
        let serves = same_identity(current, identity) && !svid.is_expired(unix_now());
        serves.then(|| Arc::clone(svid))
    }

    pub(super) async fn apply(
        &mut self,
        configuration: Configuration,
        svid: Option<Arc<Credential>>,
    ) -> Result<(), ClientError> {
        let (root, revision) = (
            configuration.received.root,
            configuration.received.revision.clone(),
        );
        let before = self.control.root();
        if let Err(reason) = self.control.adopt(configuration, svid).await {
            self.reopen_later();
            return self.nack(root, reason).await;
        }
        let plane = &self.control.plane;
        if let Some(traffic) = self.meter.turn(before, || plane.counted()) {
            self.say(FromProxy::Traffic(Box::new(traffic))).await?;
        }
        self.apply_at = None;
        self.keep_at = None;
        self.control.reoffer.reset();
        tracing::info!(revision, %root, "applied");
        self.say(FromProxy::Ack { root }).await
    }

    pub(super) async fn nack(
        &mut self,
        root: Digest,
        rejected: Rejected,
    ) -> Result<(), ClientError> {
        let reason = rejected.to_string();
        tracing::error!(%root, reason, "not applied");
        self.control.show(|view| view.trouble = Some(reason));
        let Rejected {
            key,
            pointer,
            reason,
        } = rejected;
        let message = FromProxy::Nack {
            root,
            key,
            pointer,
            reason,
        };
        self.say(message).await
    }

    /// meshd does not offer again what was refused; a new session does.
    pub(super) fn reopen_later(&mut self) {
        self.reopen_at = Some(Instant::now() + self.control.reoffer.next(dice));
    }

    fn note_endpoints(&mut self, service: Kri, endpoints: ClusterEndpoints) {
        let control = &mut *self.control;
        let serving = control.serving.as_ref();
        let named = serving.is_some_and(|s| s.configuration.config.clusters.contains_key(&service));
        if endpoints.endpoints.is_empty() && !endpoints.tls_ready && !named {
            control.endpoints.remove(&service);
            return;
        }
        // A new session begins with everything, most of which is known.
        let known = control.endpoints.get(&service);
        if known.is_some_and(|known| **known == endpoints) {
            return;
        }
        control.endpoints.insert(service, Arc::new(endpoints));
        if named {
            let soon = Instant::now() + COALESCE;
            let keep = self
                .kept_at
                .map_or(soon, |kept| soon.max(kept + KEEP_EVERY));
            self.apply_at.get_or_insert(soon);
            self.keep_at.get_or_insert(keep);
        }
    }

    /// They come before the configuration that needs them, and alone where only a value has changed.
    fn note_secrets(&mut self, secrets: Secrets) {
        self.secrets_told = true;
        if *self.control.secrets == secrets {
            return;
        }
        self.control.secrets = Arc::new(secrets);
        if self.control.serving.is_some() {
            let soon = Instant::now() + COALESCE;
            self.apply_at.get_or_insert(soon);
            self.keep_at.get_or_insert(soon);
        }
    }

    /// Sends a message. Where the session is over already, the next turn says why.
    pub(super) async fn say(&self, message: FromProxy) -> Result<(), ClientError> {
        match self.sender.send(message).await {
            Ok(()) | Err(Unsent::Over) => Ok(()),
            Err(error @ Unsent::Stalled) => Err(ClientError::Ended(error.to_string())),
            Err(error @ Unsent::Misplaced(_)) => Err(ClientError::Protocol(error.to_string())),
        }
    }

    async fn tell_status(&mut self) -> Result<(), ClientError> {
        let (
            ready,
            Local {
                draining,
                unhealthy,
            },
        ) = {
            let view = self.control.view.borrow();
            (view.unready(unix_now()).is_none(), Local::of(&view))
        };
        let status = FromProxy::Status {
            ready,
            draining,
            unhealthy,
        };
        if self.told.as_ref() != Some(&status) && (self.told.is_some() || ready || draining) {
            self.say(status.clone()).await?;
            self.told = Some(status);
            if draining {
                self.control.show(|view| view.farewell = true);
            }
        }
        Ok(())
    }
}
