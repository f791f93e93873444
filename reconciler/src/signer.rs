//! Signers that meshd asks instead of holding a key itself.
//!
//! Never hands out what a signer answers before it has been judged like the work of a stranger, and never remembers a failure:
//! the next question is asked again.

mod judge;
mod vault;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use mesh_bundle::{Kri, SpiffeId};
use rustls_pki_types::CertificateDer;
use tokio::sync::Semaphore;

use crate::ca::{CaFailure, Issued, Request};
use crate::settings::Signer as Settings;
use vault::Vault;

/// Questions to one signer at the same time; others wait.
const AT_ONCE: usize = 32;
/// Between two looks at what it is trusted by; and when the last one failed.
const LOOK: Duration = Duration::from_secs(60);
const LOOK_AGAIN: Duration = Duration::from_secs(5);

/// What meshd asks of a signer. Both block, with a deadline of their own.
trait Signs: Send + Sync {
    /// The certificates that its work is trusted by, those that vouch first, the anchor last.
    fn chain(&self) -> Result<Vec<CertificateDer<'static>>, String>;

    /// A certificate for the key of a request with that one name, and what is between it and the anchor.
    fn sign(
        &self,
        request: &Request,
        id: &SpiffeId,
        lifetime: Duration,
    ) -> Result<Vec<CertificateDer<'static>>, String>;
}

/// A signer of one `MeshIdentity`.
pub(crate) struct Elsewhere {
    name: String,
    signs: Arc<dyn Signs>,
    chain: Mutex<Result<Arc<[CertificateDer<'static>]>, String>>,
    turns: Semaphore,
}

impl fmt::Debug for Elsewhere {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Elsewhere")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// All of them, by mesh and name of the identity.
#[derive(Debug, Clone, Default)]
pub(crate) struct Signers(BTreeMap<(String, String), Arc<Elsewhere>>);

impl Signers {
    /// # Errors
    /// In words: a file of certificates cannot be read.
    pub(crate) fn new(settings: &[Settings]) -> Result<Self, String> {
        let mut signers = BTreeMap::new();
        for each in settings {
            let signs: Arc<dyn Signs> = Arc::new(Vault::new(&each.vault)?);
            let name = format!("{}/{}", each.mesh, each.identity);
            let elsewhere = Elsewhere::new(name, signs);
            signers.insert(
                (each.mesh.clone(), each.identity.clone()),
                Arc::new(elsewhere),
            );
        }
        Ok(Self(signers))
    }

    /// The one that signs for this identity.
    pub(crate) fn of(&self, identity: &Kri) -> Option<&Arc<Elsewhere>> {
        let key = (identity.mesh().to_owned(), identity.name().to_owned());
        self.0.get(&key)
    }

    /// Looks once at what each is trusted by.
    pub(crate) async fn look(&self) {
        for signer in self.0.values() {
            signer.look().await;
        }
    }

    /// Looks again and again.
    pub(crate) async fn keep_looking(self) {
        if self.0.is_empty() {
            return std::future::pending().await;
        }
        loop {
            let failing = self.0.values().any(|signer| signer.anchors().is_err());
            let pause = if failing { LOOK_AGAIN } else { LOOK };
            tokio::time::sleep(pause).await;
            self.look().await;
        }
    }
}

impl Elsewhere {
    fn new(name: String, signs: Arc<dyn Signs>) -> Self {
        Self {
            chain: Mutex::new(Err(format!("the signer of `{name}` has not answered yet"))),
            name,
            signs,
            turns: Semaphore::new(AT_ONCE),
        }
    }

    /// What its work is trusted by, as it was seen last. While it does not answer, what it answered before holds.
    pub(crate) fn anchors(&self) -> Result<Arc<[CertificateDer<'static>]>, String> {
        self.chain
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    async fn look(&self) {
        let signs = Arc::clone(&self.signs);
        let asked = tokio::task::spawn_blocking(move || {
            let chain = signs.chain()?;
            judge::chain(&chain).map(|()| chain)
        });
        let answer = asked.await.map_err(|error| error.to_string()).flatten();
        let mut chain = self.chain.lock().unwrap_or_else(PoisonError::into_inner);
        match answer {
            Ok(found) => *chain = Ok(found.into()),
            Err(why) => {
                let signer = &self.name;
                tracing::warn!(signer, why, "a signer does not say what it is trusted by");
                if chain.is_err() {
                    *chain = Err(format!("the signer of `{signer}`: {why}"));
                }
            }
        }
    }

    /// A certificate with that one name, judged by what peers trust it by: a signer that has another authority by now signs
    /// nothing for us before they know.
    pub(crate) async fn issue(
        &self,
        anchors: &Arc<[CertificateDer<'static>]>,
        request: Request,
        id: SpiffeId,
        lifetime: Duration,
        now: u64,
    ) -> Result<Issued, CaFailure> {
        let failed = |why: String| CaFailure::Signing(format!("`{}`: {why}", self.name));
        let _turn = self.turns.acquire().await;
        let signs = Arc::clone(&self.signs);
        let asked = tokio::task::spawn_blocking(move || {
            let chain = signs.sign(&request, &id, lifetime)?;
            Ok((chain, request, id))
        });
        let answer = asked.await.map_err(|error| error.to_string()).flatten();
        let (chain, request, id) = answer.map_err(failed)?;
        let wanted = judge::Wanted {
            request: &request,
            id: &id,
            lifetime,
        };
        judge::leaf(chain, anchors, &wanted, now).map_err(failed)
    }
}

#[cfg(test)]
mod tests;
