//! How somebody who is no proxy yet becomes one: a proof, a Dataplane, a control certificate.
//!
//! Never uses a proof up before everything else has been found good, and never answers before it is used up.

use std::sync::Arc;

use mesh_bundle::{Digest, Kri};
use mesh_delivery::message::{Denied, Enrolled, Enrollment};
use zeroize::Zeroizing;

use super::choice::{choose, only};
use super::peer::Peer;
use super::{CONTROL_LIFETIME, Gate};
use crate::ca::{Name, Request};
use crate::registry::Now;
use crate::token::{Grant, Refused};

impl Gate {
    pub(super) async fn enroll_proxy(
        &self,
        request: Enrollment,
    ) -> Result<(Kri, Enrolled), Denied> {
        let now = Now::read().unix;
        let csr = Request::read(&request.csr)?;
        let key = csr.fingerprint;
        let (tokens, issuers) = (Arc::clone(&self.tokens), Arc::clone(&self.issuers));
        let text = Zeroizing::new(request.token);
        let grant = blocking(move || {
            if !issuers.is_one(&text) {
                return tokens.check(&text, key, now);
            }
            let grant = issuers.verify(&text, now)?;
            tokens.admits(&grant, key, now)?;
            Ok(grant)
        });
        let grant = grant.await?;
        let published = self.published_for(&grant.mesh)?;
        if published.revoked_tokens.contains(&grant.id) {
            return Err(Refused::Revoked.into());
        }
        self.counted(&grant, key, false).await?;
        let asked = request.dataplane.as_deref();
        let proxy = match request.dataplane_document {
            Some(document) => {
                let rollout = &self.sources.of(&grant.mesh).rollout;
                let name = rollout.register(document, &grant, asked).await?;
                only(&*self.published()?, name.mesh(), name.name())?
            }
            None => choose(&published, &grant, asked)?,
        };
        let published = self.published()?;
        let workload = published.proxies.get(&proxy);
        let workload = workload.and_then(|proxy| proxy.workload.as_deref());
        let name = Peer::new(&proxy, &grant, workload).id()?;
        let name = Name::Spiffe(&name);
        let issued = self.control.issue(&csr, name, CONTROL_LIFETIME, now)?;
        tracing::info!(%proxy, token = grant.id, "admitted");
        self.counted(&grant, key, true).await?;
        let tokens = Arc::clone(&self.tokens);
        blocking(move || tokens.spend(&grant, key, now)).await?;
        let enrolled = Enrolled {
            chain: issued.chain,
            anchors: self.control.anchors(),
            not_after: issued.not_after,
            renew_at: issued.renew_at,
        };
        Ok((proxy, enrolled))
    }

    /// Where several meshds count how often a token is used: may it be, and is it `spent` now? What it was used on here
    /// before needs nobody else's word.
    async fn counted(&self, grant: &Grant, key: Digest, spent: bool) -> Result<(), Denied> {
        let Some(uses) = self.uses.as_ref().filter(|_| grant.uses.is_some()) else {
            return Ok(());
        };
        let (tokens, id) = (Arc::clone(&self.tokens), grant.id.clone());
        let known = blocking(move || tokens.spent_on(&id)).await?;
        if known.contains(&key) {
            return Ok(());
        }
        match spent {
            false => uses.admits(grant, key).await?,
            true => uses.spend(grant, key, &known).await?,
        }
        Ok(())
    }
}

impl From<Refused> for Denied {
    fn from(refused: Refused) -> Self {
        let text = refused.to_string();
        match refused {
            Refused::Unavailable(_) => Self::Unavailable(text),
            _ => Self::Unauthenticated(text),
        }
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Refused> + Send + 'static,
) -> Result<T, Denied> {
    match tokio::task::spawn_blocking(work).await {
        Ok(outcome) => Ok(outcome?),
        Err(error) => Err(Denied::Unavailable(error.to_string())),
    }
}
