//! Certificates of a session: asked for when a configuration needs one or one grows old, taken when they fit.
//!
//! Never keeps a configuration waiting for a certificate that will not come, and never gives up on a renewal.

use std::sync::Arc;

use mesh_bundle::resource::WorkloadIdentity;
use mesh_bundle::{Key, Kri};
use mesh_delivery::client::ClientError;
use mesh_delivery::message::Certificate;
use rustls_pki_types::CertificateDer;
use tokio::time::Instant;

use super::plane::Plane;
use super::session::Running;
use crate::clock::{look_again, unix_now};
use crate::configuration::{Configuration, rejected_at};
use crate::enroll;
use crate::identity::{Credential, Unacceptable};

impl<P: Plane> Running<'_, P> {
    /// Asks for what is due and not asked for yet.
    pub(super) async fn ask_for_certificates(&mut self) -> Result<(), ClientError> {
        let (now, unix) = (Instant::now(), unix_now());
        if let Some(identity) = self.wanted_identity(unix) {
            let (issuer, name) = (identity.issuer.clone(), identity.spiffe_id.clone());
            if let Some(request) = self.svid.ask(Some(issuer), name, now) {
                self.say(request).await?;
            }
        }
        let membership = self.control.membership.as_ref();
        let old = membership.filter(|m| m.credential.renew_at() <= unix);
        if let Some(name) = old.map(|m| m.credential.name().clone())
            && let Some(request) = self.membership.ask(None, name, now)
        {
            self.say(request).await?;
        }
        Ok(())
    }

    /// The identity that a certificate is needed for now.
    fn wanted_identity(&self, now: u64) -> Option<&WorkloadIdentity> {
        let of_meshd = |identity: &&WorkloadIdentity| identity.agent.is_none();
        if let Some(waiting) = &self.waiting {
            return waiting.identity().filter(of_meshd);
        }
        let serving = self.control.serving.as_ref()?;
        let old = serving.svid.as_ref()?.renew_at() <= now;
        let identity = serving.configuration.identity();
        identity.filter(|_| old).filter(of_meshd)
    }

    /// The next moments at which [`Running::ask_for_certificates`] or the clock has something to say.
    pub(super) fn certificate_moments(&self, now: Instant) -> [Option<Instant>; 3] {
        let renew =
            |credential: &Credential, due: Instant| look_again(credential.renew_at()).max(due);
        let serving = self.control.serving.as_ref();
        let svid = serving.and_then(|serving| serving.svid.as_ref());
        let due = self.svid.due(now);
        let waiting = self.waiting.as_ref().and_then(Configuration::identity);
        let renew_svid = match &self.waiting {
            // The agent says when it has something.
            Some(_) if waiting.is_some_and(|it| it.agent.is_some()) => None,
            Some(_) => Some(due),
            None => svid
                .filter(|svid| !svid.is_of_agent())
                .map(|svid| renew(svid, due)),
        };
        let membership = self.control.membership.as_ref();
        let due = self.membership.due(now);
        let renew_membership = membership.map(|m| renew(&m.credential, due));
        let expiry = svid
            .filter(|svid| !svid.is_expired(unix_now()))
            .map(|svid| look_again(svid.not_after().saturating_add(1)));
        [renew_svid, renew_membership, expiry]
    }

    /// An answer that was due did not come.
    pub(super) async fn check_overdue(&mut self, now: Instant) -> Result<(), ClientError> {
        if self.membership.is_overdue(now) {
            self.refused(None, "no answer in time").await?;
        }
        if let Some(issuer) = self.svid.overdue_issuer(now) {
            self.refused(Some(issuer), "no answer in time").await?;
        }
        Ok(())
    }

    pub(super) async fn take_certificate(
        &mut self,
        answer: Certificate,
    ) -> Result<(), ClientError> {
        let issuer = answer.issuer.clone();
        let anchors = answer.anchors.clone();
        let request = match issuer {
            Some(_) => &mut self.svid,
            None => &mut self.membership,
        };
        match request.answer(answer, unix_now()) {
            Ok(credential) if issuer.is_some() => {
                if self.take_anchors(anchors).await {
                    self.ask_for_membership().await?;
                }
                self.take_svid(credential).await
            }
            Ok(credential) => {
                self.take_membership(credential).await;
                self.take_anchors(anchors).await;
                Ok(())
            }
            // It answers an earlier question of this session.
            Err(Unacceptable::OtherKey) => Ok(()),
            Err(error) => self.refused(issuer, &error.to_string()).await,
        }
    }

    async fn take_svid(&mut self, credential: Credential) -> Result<(), ClientError> {
        let svid = Some(Arc::new(credential));
        if let Some(configuration) = self.waiting.take() {
            return self.apply(configuration, svid).await;
        }
        let Some(serving) = &self.control.serving else {
            return Ok(());
        };
        let configuration = serving.configuration.clone();
        match self.control.adopt(configuration, svid).await {
            Ok(()) => tracing::info!("certificate renewed"),
            Err(reason) => {
                tracing::warn!(%reason, "the renewed certificate could not be put to use");
                self.svid.failed(Instant::now());
            }
        }
        Ok(())
    }

    /// What meshd is known by from now on: it changes its authority only when everybody has heard of the next one.
    async fn take_anchors(&mut self, anchors: Vec<CertificateDer<'static>>) -> bool {
        let Some(membership) = &mut self.control.membership else {
            return false;
        };
        let same = anchors.is_empty() || anchors == membership.anchors;
        if same || !anchors.iter().all(enroll::is_authority) {
            return false;
        }
        membership.anchors = anchors;
        self.control.store.save_membership(membership).await;
        tracing::info!("meshd is known by another authority from now on");
        true
    }

    /// What the authority before has signed is not to be shown for longer than it takes.
    async fn ask_for_membership(&mut self) -> Result<(), ClientError> {
        let membership = self.control.membership.as_ref();
        let name = membership.map(|held| held.credential.name().clone());
        let now = Instant::now();
        let request = name.and_then(|name| self.membership.ask(None, name, now));
        match request {
            Some(request) => self.say(request).await,
            None => Ok(()),
        }
    }

    async fn take_membership(&mut self, credential: Credential) {
        let Some(membership) = &mut self.control.membership else {
            return;
        };
        membership.credential = credential;
        let end = membership.credential.not_after();
        self.control.store.save_membership(membership).await;
        self.control.show(|view| view.control_not_after = Some(end));
        tracing::info!("control certificate renewed");
    }

    /// meshd issues nothing, for now. A configuration that waits for it is refused: a later one may need no certificate,
    /// and meshd sends none before this one is answered.
    pub(super) async fn refused(
        &mut self,
        issuer: Option<Kri>,
        reason: &str,
    ) -> Result<(), ClientError> {
        let now = Instant::now();
        let Some(issuer) = issuer else {
            tracing::warn!(reason, "meshd does not renew the control certificate");
            self.membership.failed(now);
            return Ok(());
        };
        tracing::warn!(%issuer, reason, "meshd issues no certificate");
        self.svid.failed(now);
        let Some(configuration) = self.waiting.take() else {
            return Ok(());
        };
        self.reopen_later();
        let reason = format!("meshd issues no certificate of `{issuer}` for it: {reason}");
        let rejected = rejected_at(Key::Proxy, reason);
        self.nack(configuration.received.root, rejected).await
    }
}
