//! Chains that were verified before: the signatures in them say the same each time.
//!
//! Never remembers a refusal, and never believes a chain at a time for which it was not valid as a whole.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use aws_lc_rs::digest::{Context, SHA256};
use mesh_bundle::SpiffeId;
use rustls_pki_types::{CertificateDer, UnixTime};

use super::{Role, parse};

/// More peers than most proxies ever have; with more, some are verified again.
const MOST: usize = 1_024;

/// The chains that one set of anchors has vouched for. It goes with the anchors.
#[derive(Debug, Default)]
pub(super) struct Believed(Mutex<HashMap<Known, Holder>>);

/// A chain, to the last bit, and what it was shown for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Known {
    digest: Vec<u8>,
    role: Role,
}

#[derive(Debug)]
struct Holder {
    id: SpiffeId,
    /// Seconds since 1970: when it was verified, and when the first of its certificates expires.
    from: u64,
    to: u64,
}

impl Known {
    pub(super) fn of(chain: &[CertificateDer<'_>], role: Role) -> Self {
        let mut context = Context::new(&SHA256);
        for certificate in chain {
            // With its length, or two chains could be the same bytes.
            context.update(&certificate.len().to_be_bytes());
            context.update(certificate);
        }
        let digest = context.finish().as_ref().to_vec();
        Self { digest, role }
    }
}

impl Believed {
    /// Who was found to hold the chain, where it is still valid.
    pub(super) fn id(&self, known: &Known, now: UnixTime) -> Option<SpiffeId> {
        let believed = self.locked();
        let holder = believed.get(known)?;
        let valid = (holder.from..=holder.to).contains(&now.as_secs());
        valid.then(|| holder.id.clone())
    }

    pub(super) fn remember(
        &self,
        known: Known,
        id: &SpiffeId,
        now: UnixTime,
        chain: &[CertificateDer<'_>],
    ) {
        let ends = chain.iter().map(|certificate| {
            let ends = parse(certificate).ok()?.validity().not_after.timestamp();
            u64::try_from(ends).ok()
        });
        // One whose end is not known is verified each time.
        let Some(to) = ends
            .collect::<Option<Vec<u64>>>()
            .and_then(|ends| ends.into_iter().min())
        else {
            return;
        };
        let holder = Holder {
            id: id.clone(),
            from: now.as_secs(),
            to,
        };
        let mut believed = self.locked();
        if believed.len() >= MOST {
            believed.clear();
        }
        believed.insert(known, holder);
    }

    fn locked(&self) -> MutexGuard<'_, HashMap<Known, Holder>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
