//! The gate: who becomes a proxy of the mesh, whose session is served, and which certificates each gets.
//!
//! Never takes a name from a request: names come from the token, from the control certificate and from the bundle.

mod peer;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use mesh_bundle::{Instance, Kri, SpiffeId};
use mesh_delivery::message::{Certificate, Denied, Enrolled, Enrollment, ProxyName};
use mesh_delivery::publisher::Wanted;
use mesh_delivery::{Authority, Report};
use rustls_pki_types::CertificateDer;
use tokio::sync::watch;

use crate::ca::{CaFailure, CertificateAuthority, Issued, Name, Request};
use crate::publish::Published;
use crate::registry::{Now, Registry, Rejection, Said};
use crate::revocation::Revocations;
use crate::rollout::Rollout;
use crate::token::{Bound, Record, Refused, Tokens};

/// Long enough for an outage of meshd that lasts over a holiday: without it, a proxy has to be enrolled again.
const CONTROL_LIFETIME: Duration = Duration::from_hours(30 * 24);

/// What the delivery server asks.
#[derive(Debug)]
pub(crate) struct Gate {
    pub(crate) control: Arc<CertificateAuthority>,
    pub(crate) registry: Arc<Registry>,
    pub(crate) rollout: Arc<Rollout>,
    pub(crate) tokens: Arc<Tokens>,
    pub(crate) revocations: Mutex<Arc<Revocations>>,
}

impl Gate {
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
        self.rollout.revoke(&revocations).await;
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
        let revocations = {
            let slot = self
                .revocations
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            Arc::clone(&slot)
        };
        let admitted = if revocations.covers(&peer.mesh, &peer.dataplane, peer.issued) {
            let why = "the control certificate is revoked; enrol again with a new join token";
            Err(Denied::Forbidden(why.to_owned()))
        } else {
            self.published()
                .and_then(|published| only(&published, &peer.mesh, &peer.dataplane))
        };
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
        issuer: Option<&Kri>,
        csr: &[u8],
    ) -> Result<Certificate, Denied> {
        let outcome = self.issue_to(&proxy.0, issuer, csr);
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
            Report::Disconnected { session } => {
                tracing::info!(%proxy, "disconnected");
                self.registry.disconnected(kri, session);
            }
        }
    }
}

impl Gate {
    async fn enroll_proxy(&self, request: Enrollment) -> Result<(Kri, Enrolled), Denied> {
        let now = Now::read().unix;
        let csr = Request::read(&request.csr)?;
        let key = csr.fingerprint;
        let (tokens, text) = (Arc::clone(&self.tokens), request.token);
        let text = Arc::new(zeroize::Zeroizing::new(text));
        let shown = Arc::clone(&text);
        let token = blocking(move || tokens.check(&shown, key, now)).await?;
        let published = self.published()?;
        let asked = request.dataplane.as_deref();
        let proxy = match request.dataplane_document {
            Some(document) => {
                let name = self.rollout.register(document, &token, asked).await?;
                only(&*self.published()?, &name.mesh, &name.name)?
            }
            None => choose(&published, &token, asked)?,
        };
        let id = control_id(&proxy)?;
        let issued = self
            .control
            .issue(&csr, Name::Spiffe(&id), CONTROL_LIFETIME, now)?;
        let tokens = Arc::clone(&self.tokens);
        blocking(move || tokens.spend(&text, key, now)).await?;
        let enrolled = Enrolled {
            chain: issued.chain,
            anchors: self.control.anchor().cloned().into_iter().collect(),
            not_after: issued.not_after,
            renew_at: issued.renew_at,
        };
        Ok((proxy, enrolled))
    }

    fn issue_to(
        &self,
        proxy: &Kri,
        issuer: Option<&Kri>,
        csr: &[u8],
    ) -> Result<Certificate, Denied> {
        let now = Now::read().unix;
        let csr = Request::read(csr)?;
        let Some(issuer) = issuer else {
            let id = control_id(proxy)?;
            let issued = self
                .control
                .issue(&csr, Name::Spiffe(&id), CONTROL_LIFETIME, now);
            return Ok(certificate(None, issued?));
        };
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
        let issued = (mesh.to_owned(), dataplane.to_owned());
        let issued = self.rollout.issued(&issued, now);
        let name = Name::Workload(&identity.spiffe_id, instance, issued);
        let lifetime = identity.lifetime.as_std();
        let issued = authority.issue(&csr, name, lifetime, now)?;
        self.registry.certified(proxy, issuer, issued.not_after);
        Ok(certificate(Some(issuer.clone()), issued))
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

    fn published(&self) -> Result<Arc<Published>, Denied> {
        let none = || Denied::Unavailable("nothing is published yet".to_owned());
        self.registry.published().ok_or_else(none)
    }
}

/// Which Dataplane a token and a wish lead to.
fn choose(published: &Published, token: &Record, asked: Option<&str>) -> Result<Kri, Denied> {
    let mesh = token.mesh.as_str();
    let name = match (&token.bound, asked) {
        (Bound::Dataplane(bound), Some(asked)) if bound != asked => {
            return Err(Denied::Forbidden(format!(
                "the token is for the Dataplane `{bound}`, not for `{asked}`"
            )));
        }
        (Bound::Dataplane(bound), _) => Some(bound.as_str()),
        (Bound::Workload(_), asked) => asked,
    };
    if let Some(name) = name {
        let proxy = only(published, mesh, name)?;
        let workload = published
            .proxies
            .get(&proxy)
            .and_then(|proxy| proxy.workload.as_ref());
        return match &token.bound {
            Bound::Workload(bound) if workload != Some(bound) => Err(Denied::Forbidden(format!(
                "the token is for the workload `{bound}`, the Dataplane `{name}` is of another"
            ))),
            _ => Ok(proxy),
        };
    }
    let Bound::Workload(bound) = &token.bound else {
        return Err(Denied::Invalid("the token names no Dataplane".to_owned()));
    };
    let of_workload = |(kri, proxy): (&Kri, &crate::publish::PublishedProxy)| {
        (kri.mesh() == mesh && proxy.workload.as_ref() == Some(bound)).then(|| kri.clone())
    };
    let mut found = published.proxies.iter().filter_map(of_workload);
    match (found.next(), found.next()) {
        (Some(proxy), None) => Ok(proxy),
        (None, _) => Err(Denied::Forbidden(format!(
            "no Dataplane of the mesh `{mesh}` is of the workload `{bound}`"
        ))),
        (Some(_), Some(_)) => Err(Denied::Invalid(format!(
            "the workload `{bound}` has several Dataplanes; say which one with `--dataplane`"
        ))),
    }
}

/// The one Dataplane of a mesh with a name.
fn only(published: &Published, mesh: &str, name: &str) -> Result<Kri, Denied> {
    match published.named(mesh, name) {
        [proxy] => Ok(proxy.clone()),
        [] => Err(Denied::Forbidden(format!(
            "the mesh `{mesh}` has no Dataplane `{name}`"
        ))),
        [..] => Err(Denied::Invalid(format!(
            "the mesh `{mesh}` has several Dataplanes `{name}`, in different namespaces"
        ))),
    }
}

/// What a proxy is called in its control certificate.
fn control_id(proxy: &Kri) -> Result<SpiffeId, Denied> {
    let (mesh, name) = (proxy.mesh(), proxy.name());
    let text = format!("{}{mesh}{}{name}", peer::MESH, peer::DATAPLANE);
    text.parse().map_err(|_| {
        Denied::Invalid(format!(
            "`{name}` cannot be the name of a proxy in a certificate"
        ))
    })
}

fn certificate(issuer: Option<Kri>, issued: Issued) -> Certificate {
    Certificate {
        issuer,
        chain: issued.chain,
        not_after: issued.not_after,
        renew_at: issued.renew_at,
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

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Refused> + Send + 'static,
) -> Result<T, Denied> {
    let refused = match tokio::task::spawn_blocking(work).await {
        Ok(Ok(value)) => return Ok(value),
        Ok(Err(refused)) => refused,
        Err(_) => Refused::Unavailable,
    };
    Err(match refused {
        Refused::Unavailable => Denied::Unavailable(refused.to_string()),
        _ => Denied::Unauthenticated(refused.to_string()),
    })
}
