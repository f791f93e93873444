//! The gate: who becomes a proxy of the mesh, whose session is served, and which certificates each gets.
//!
//! Never takes a name from a request: names come from the token, from the control certificate and from the bundle.

mod choice;
mod enrol;
mod peer;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use mesh_bundle::{Instance, Kri};
use mesh_delivery::message::{Certificate, Denied, Enrolled, Enrollment, ProxyName};
use mesh_delivery::publisher::Wanted;
use mesh_delivery::{Authority, Report};
use rustls_pki_types::CertificateDer;
use tokio::sync::{Notify, watch};

use crate::ca::{Authority as Signing, CaFailure, CertificateAuthority, Issued, Name, Request};
use crate::oidc::Issuers;
use crate::publish::Published;
use crate::registry::{Now, Registry, Rejection, Said};
use crate::revocation::{self, Revocations};
use crate::share::Uses;
use crate::sources::Sources;
use crate::state::StateFailure;
use crate::token::Tokens;

use choice::only;
use peer::Peer;

/// Long enough for an outage of meshd that lasts over a holiday: without it, a proxy has to be enrolled again.
const CONTROL_LIFETIME: Duration = Duration::from_hours(30 * 24);

/// What the delivery server asks.
#[derive(Debug)]
pub(crate) struct Gate {
    pub(crate) control: Arc<CertificateAuthority>,
    pub(crate) registry: Arc<Registry>,
    pub(crate) sources: Arc<Sources>,
    pub(crate) tokens: Arc<Tokens>,
    pub(crate) issuers: Arc<Issuers>,
    pub(crate) revocations: Mutex<Arc<Revocations>>,
    /// By which proof each proxy was admitted last.
    pub(crate) holders: Mutex<BTreeMap<Kri, String>>,
    /// Of counted join tokens, where several meshds count together.
    pub(crate) uses: Option<Uses>,
    /// What is revoked is to be looked at now.
    pub(crate) again: Notify,
}

impl Gate {
    /// Revokes what proxies hold that were admitted last by a proof which is revoked now.
    pub(crate) fn end_revoked_tokens(&self, now: u64) -> Result<(), StateFailure> {
        self.tokens.look()?;
        let Ok(published) = self.published() else {
            return Ok(());
        };
        let ended: Vec<(Kri, String)> = {
            let holders = self.holders.lock().unwrap_or_else(PoisonError::into_inner);
            let revoked = |token: &str| self.is_revoked(&published, token);
            let ended = holders.iter().filter(|(_, token)| revoked(token));
            ended
                .map(|(proxy, token)| (proxy.clone(), token.clone()))
                .collect()
        };
        for (proxy, token) in ended {
            let (mesh, dataplane) = (proxy.mesh(), proxy.name());
            tracing::warn!(
                mesh,
                dataplane,
                token,
                "its join token is revoked, and so is what it led to"
            );
            revocation::revoke(self.sources.state(), mesh, dataplane, now)?;
            let mut holders = self.holders.lock().unwrap_or_else(PoisonError::into_inner);
            holders.retain(|holder, by| *holder != proxy || *by != token);
        }
        Ok(())
    }

    fn is_revoked(&self, published: &Published, token: &str) -> bool {
        published.revoked_tokens.contains(token) || self.tokens.is_revoked(token)
    }

    /// From now on these are revoked; their sessions end at once, and their peers hear of it.
    pub(crate) async fn revoke(&self, revocations: Revocations) {
        let revocations = Arc::new(revocations);
        let news = {
            let mut slot = self
                .revocations
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            let news = revocations.beyond(&slot);
            *slot = Arc::clone(&revocations);
            news
        };
        for (mesh, dataplane) in news {
            tracing::warn!(mesh, dataplane, "revoked");
            self.registry.cut(&mesh, &dataplane);
        }
        for source in self.sources.each() {
            source.rollout.revoke(&revocations).await;
        }
        self.registry.tell_others();
    }

    /// Whose control certificates are revoked.
    pub(crate) fn revoked(&self) -> Arc<Revocations> {
        let slot = self
            .revocations
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&slot)
    }
}

impl Authority for Gate {
    async fn enroll(&self, request: Enrollment, remote: SocketAddr) -> Result<Enrolled, Denied> {
        let outcome = self.enroll_proxy(request).await;
        match &outcome {
            Ok((proxy, _)) => tracing::info!(%proxy, %remote, "proxy enrolled"),
            Err(Denied::Unavailable(reason)) => {
                tracing::info!(reason, %remote, "not enrolled for now");
            }
            Err(
                Denied::Unauthenticated(reason)
                | Denied::Forbidden(reason)
                | Denied::Invalid(reason),
            ) => tracing::warn!(reason, %remote, "refused"),
        }
        outcome.map(|(_, enrolled)| enrolled)
    }

    fn admit(&self, peer: &[CertificateDer<'_>]) -> Result<ProxyName, Denied> {
        let peer = peer::read(peer).map_err(Denied::Unauthenticated)?;
        let admitted = self.admit_peer(&peer);
        if let Err(reason @ (Denied::Unauthenticated(_) | Denied::Forbidden(_))) = &admitted {
            let (mesh, dataplane) = (peer.mesh.as_str(), peer.dataplane.as_str());
            tracing::warn!(mesh, dataplane, %reason, "refused");
        }
        admitted.map(ProxyName)
    }

    fn wanted(&self, proxy: &ProxyName) -> Option<watch::Receiver<Option<Arc<Wanted>>>> {
        self.registry.subscribe(&proxy.0)
    }

    async fn issue(
        &self,
        proxy: &ProxyName,
        peer: &[CertificateDer<'_>],
        issuer: Option<&Kri>,
        csr: &[u8],
    ) -> Result<Certificate, Denied> {
        let outcome = match issuer {
            Some(issuer) => self.issue_identity(&proxy.0, issuer, csr).await,
            None => self.renew_control(peer, csr),
        };
        if let Err(denied) = &outcome {
            let issuer = issuer.map_or_else(|| "control".to_owned(), ToString::to_string);
            tracing::warn!(%proxy, issuer, reason = %denied, "no certificate issued");
        }
        outcome
    }

    fn report(&self, proxy: &ProxyName, report: Report) {
        let ProxyName(kri) = proxy;
        match report {
            Report::Connected { session, hello } => {
                let version = hello.version.escape_default().to_string();
                tracing::info!(%proxy, version, "connected");
                self.registry.connected(kri, session, hello.root);
            }
            Report::Acked {
                session,
                root,
                revision,
            } => {
                tracing::info!(%proxy, revision, "acknowledged");
                self.registry.acknowledged(kri, session, root);
            }
            Report::Nacked {
                session,
                root,
                revision,
                key,
                pointer,
                reason,
            } => {
                let key = key.map(|key| key.to_string());
                tracing::warn!(%proxy, revision, key, pointer, reason, "rejected");
                let place = key.map(|key| format!("{key}{pointer}: "));
                let reason = format!("{}{reason}", place.unwrap_or_default());
                let rejection = Rejection { root, reason };
                self.registry.rejected(kri, session, rejection);
            }
            Report::Status {
                session,
                ready,
                draining,
                unhealthy,
            } => {
                tracing::debug!(%proxy, ready, draining, ?unhealthy, "status");
                let said = Said {
                    ready,
                    draining,
                    unhealthy,
                };
                self.registry.status(kri, session, said);
            }
            Report::Traffic { session, traffic } => {
                self.registry.measured(kri, session, &traffic);
            }
            Report::Disconnected { session } => {
                tracing::info!(%proxy, "disconnected");
                self.registry.disconnected(kri, session);
            }
        }
    }
}

impl Gate {
    fn admit_peer(&self, peer: &Peer) -> Result<Kri, Denied> {
        let revocations = self.revoked();
        let again =
            |why: &str| Denied::Forbidden(format!("{why}; enrol again with a new join token"));
        if revocations.covers(&peer.mesh, &peer.dataplane, peer.issued) {
            return Err(again("the control certificate is revoked"));
        }
        let published = self.published_for(&peer.mesh)?;
        let proxy = only(&published, &peer.mesh, &peer.dataplane)?;
        let workload = published.proxies.get(&proxy);
        let workload = workload.and_then(|proxy| proxy.workload.as_deref());
        if !peer.is_of(workload) {
            let (bound, found) = (peer.workload.as_deref(), workload);
            return Err(again(&format!(
                "the control certificate is for the workload `{}`, the Dataplane `{}` is of `{}`",
                bound.unwrap_or_default(),
                peer.dataplane,
                found.unwrap_or_default()
            )));
        }
        let Some(token) = &peer.token else {
            return Ok(proxy);
        };
        let revoked = self.is_revoked(&published, token);
        {
            let mut holders = self.holders.lock().unwrap_or_else(PoisonError::into_inner);
            // Whoever knocks with a revoked one is not to end what another holds by a good one.
            if revoked {
                holders
                    .entry(proxy.clone())
                    .or_insert_with(|| token.clone());
            } else {
                holders.insert(proxy.clone(), token.clone());
            }
        }
        match revoked {
            true => Err(again(
                "the join token behind the control certificate is revoked",
            )),
            false => Ok(proxy),
        }
    }

    /// The same name again: what the first proof was good for never grows.
    fn renew_control(
        &self,
        peer: &[CertificateDer<'_>],
        csr: &[u8],
    ) -> Result<Certificate, Denied> {
        let peer = peer::read(peer).map_err(Denied::Unauthenticated)?;
        self.admit_peer(&peer)?;
        let (csr, now) = (Request::read(csr)?, Now::read().unix);
        let name = peer.id()?;
        let name = Name::Spiffe(&name);
        let issued = self.control.issue(&csr, name, CONTROL_LIFETIME, now)?;
        Ok(certificate(None, issued, self.control.anchors()))
    }

    async fn issue_identity(
        &self,
        proxy: &Kri,
        issuer: &Kri,
        csr: &[u8],
    ) -> Result<Certificate, Denied> {
        let now = Now::read().unix;
        let csr = Request::read(csr)?;
        let published = self.published()?;
        let identity = published
            .proxies
            .get(proxy)
            .and_then(|proxy| proxy.identity.as_ref())
            .filter(|identity| identity.issuer == *issuer)
            .ok_or_else(|| Denied::Forbidden(format!("`{issuer}` gives this proxy no identity")))?;
        let authority = published
            .authorities
            .get(issuer)
            .map_err(|why| Denied::Unavailable(why.to_owned()))?;
        self.wait_for_trust(&published, issuer, now)?;
        if !self.registry.claim(proxy, csr.fingerprint) {
            let why = "this key belongs to another proxy; make a new one";
            return Err(Denied::Forbidden(why.to_owned()));
        }
        let (mesh, dataplane) = (proxy.mesh(), proxy.name());
        let instance = Instance::of(mesh, dataplane);
        let lifetime = identity.lifetime.as_std();
        let issued = match authority {
            Signing::Held(authority) => {
                let issued = (mesh.to_owned(), dataplane.to_owned());
                let issued = self.sources.of(mesh).rollout.issued(&issued, now);
                let name = Name::Workload(&identity.spiffe_id, instance, issued);
                authority.issue(&csr, name, lifetime, now)?
            }
            Signing::Elsewhere(signer, anchors) => {
                let id = identity.spiffe_id.clone();
                signer.issue(anchors, csr, id, lifetime, now).await?
            }
        };
        self.registry.certified(proxy, issuer, issued.not_after);
        // Long before the certificate that meshd knows it by is renewed.
        let anchors = match self.control.has_former() {
            true => self.control.anchors(),
            false => Vec::new(),
        };
        Ok(certificate(Some(issuer.clone()), issued, anchors))
    }

    /// A certificate of an authority that is new in its trust domain is worth something once its peers know that.
    fn wait_for_trust(&self, published: &Published, issuer: &Kri, now: u64) -> Result<(), Denied> {
        let spreading = published.authorities.spreads_until(issuer) > now;
        if spreading && !self.registry.all_answered() {
            let why = "the certificate authority is new, and not known to every proxy yet";
            return Err(Denied::Unavailable(why.to_owned()));
        }
        Ok(())
    }

    /// What is served, where one of the sources has this mesh: one that cannot be served yet may come.
    fn published_for(&self, mesh: &str) -> Result<Arc<Published>, Denied> {
        if !self.sources.has(mesh) {
            let why = format!("no source serves the mesh `{mesh}` at this moment");
            return Err(Denied::Unavailable(why));
        }
        self.published()
    }

    fn published(&self) -> Result<Arc<Published>, Denied> {
        let none = || Denied::Unavailable("nothing is published yet".to_owned());
        self.registry.published().ok_or_else(none)
    }
}

fn certificate(
    issuer: Option<Kri>,
    issued: Issued,
    anchors: Vec<CertificateDer<'static>>,
) -> Certificate {
    Certificate {
        issuer,
        chain: issued.chain,
        not_after: issued.not_after,
        renew_at: issued.renew_at,
        anchors,
    }
}

impl From<CaFailure> for Denied {
    fn from(failure: CaFailure) -> Self {
        let text = failure.to_string();
        match failure {
            CaFailure::Request(_) => Self::Invalid(text),
            _ => Self::Unavailable(text),
        }
    }
}
