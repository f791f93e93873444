//! One certificate that the proxy asks meshd for: the key that waits for it, and what an answer must fit.
//!
//! Never asks twice at a time, and never takes an answer for another key or another name.

use std::time::Duration;

use mesh_bundle::{Kri, SpiffeId};
use mesh_delivery::message::{Certificate, FromProxy};
use tokio::time::Instant;

use crate::backoff::{Backoff, dice};
use crate::identity::{Credential, NoKey, PrivateKey, Unacceptable};

/// meshd answers in milliseconds; an answer that takes longer than this was lost.
const PATIENCE: Duration = Duration::from_secs(30);

/// What is asked for, if something is, and when to ask again.
#[derive(Debug, Default)]
pub(super) struct Request {
    asked: Option<Asked>,
    not_before: Option<Instant>,
    backoff: Backoff,
}

#[derive(Debug)]
struct Asked {
    key: PrivateKey,
    issuer: Option<Kri>,
    name: SpiffeId,
    until: Instant,
}

impl Request {
    /// Asks for a certificate of that name, with a new key. `None`: it is asked already, or it is too early.
    pub(super) fn ask(
        &mut self,
        issuer: Option<Kri>,
        name: SpiffeId,
        now: Instant,
    ) -> Option<FromProxy> {
        let asked = self.asked.as_ref();
        let same = asked.is_some_and(|asked| asked.issuer == issuer && asked.name == name);
        if same || self.not_before.is_some_and(|moment| now < moment) {
            return None;
        }
        match prepare() {
            Ok((key, csr)) => {
                self.asked = Some(Asked {
                    key,
                    issuer: issuer.clone(),
                    name,
                    until: now + PATIENCE,
                });
                Some(FromProxy::CertificateRequest { issuer, csr })
            }
            Err(reason) => {
                tracing::error!(%reason, "no certificate can be asked for");
                self.failed(now);
                None
            }
        }
    }

    /// When it may be asked (again): after the last failure, or when the answer is overdue.
    pub(super) fn due(&self, now: Instant) -> Instant {
        let patience = self.asked.as_ref().map(|asked| asked.until);
        patience.or(self.not_before).unwrap_or(now)
    }

    /// An answer was awaited and did not come.
    pub(super) fn is_overdue(&self, now: Instant) -> bool {
        self.asked.as_ref().is_some_and(|asked| asked.until <= now)
    }

    /// Whose answer was awaited and did not come.
    pub(super) fn overdue_issuer(&self, now: Instant) -> Option<Kri> {
        let asked = self.asked.as_ref().filter(|asked| asked.until <= now)?;
        asked.issuer.clone()
    }

    /// Takes the answer. One for another key belongs to an earlier question, and leaves this one open; one that does not
    /// fit closes it.
    pub(super) fn answer(
        &mut self,
        answer: Certificate,
        now: u64,
    ) -> Result<Credential, Unacceptable> {
        let leaf = answer.chain.first().ok_or(Unacceptable::Empty)?;
        let Some(Asked { key, name, .. }) = self.asked.take_if(|asked| asked.key.fits(leaf)) else {
            return Err(Unacceptable::OtherKey);
        };
        let credential =
            Credential::accept(key, answer.chain, answer.renew_at, now)?.named(&name)?;
        self.backoff.reset();
        self.not_before = None;
        Ok(credential)
    }

    /// It failed: not again before some time has passed.
    pub(super) fn failed(&mut self, now: Instant) {
        self.asked = None;
        self.not_before = Some(now + self.backoff.next(dice));
    }
}

fn prepare() -> Result<(PrivateKey, Vec<u8>), NoKey> {
    let key = PrivateKey::generate()?;
    let csr = key.request()?;
    Ok((key, csr))
}
