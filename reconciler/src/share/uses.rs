//! How often join tokens were used, counted over all meshds.
//!
//! Never lets a counted token be used while etcd cannot be asked: two meshds that each believed it unused would both let
//! somebody in. Tokens that are not counted do not come here.

use std::sync::Arc;

use mesh_bundle::Digest;
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;

use super::Voucher;
use crate::etcd::{Change, Etcd, EtcdFailure};
use crate::settings;
use crate::token::{Grant, Refused};

/// Before the identifier of a token.
pub(super) const USED: &str = "used/";
/// So often another meshd may come first.
const ATTEMPTS: usize = 16;

/// What is known of one token.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Spent {
    /// Then nobody needs to know any more. Seconds since 1970.
    pub(super) expires: u64,
    on: Vec<Digest>,
}

/// Asks etcd, on a connection of its own: joining does not wait for what else is shared.
#[derive(Debug)]
pub(crate) struct Uses {
    config: settings::Etcd,
    voucher: Voucher,
    link: Mutex<Option<Arc<Etcd>>>,
}

/// What became of an attempt.
enum Attempt {
    Done,
    /// Another meshd wrote in between.
    Again,
}

impl Uses {
    pub(crate) fn new(config: settings::Etcd, voucher: Voucher) -> Self {
        Self {
            config,
            voucher,
            link: Mutex::default(),
        }
    }

    /// May it be used on this key, as far as all meshds know?
    pub(crate) async fn admits(&self, grant: &Grant, key: Digest) -> Result<(), Refused> {
        loop {
            let (etcd, is_new) = self.link().await?;
            match self.read(&etcd, grant).await {
                Ok((spent, _)) => return admits(&spent.on, grant, key),
                Err(failure) => self.lost(&etcd, is_new, &failure).await?,
            }
        }
    }

    /// Uses it up once, for all meshds. `known`: what this meshd has written down itself.
    pub(crate) async fn spend(
        &self,
        grant: &Grant,
        key: Digest,
        known: &[Digest],
    ) -> Result<(), Refused> {
        for _ in 0..ATTEMPTS {
            let (etcd, is_new) = self.link().await?;
            match self.attempt(&etcd, grant, key, known).await {
                Ok(Ok(Attempt::Done)) => return Ok(()),
                Ok(Ok(Attempt::Again)) => {}
                Ok(Err(refused)) => return Err(refused),
                Err(failure) => self.lost(&etcd, is_new, &failure).await?,
            }
        }
        Err(Refused::Unavailable(
            "many proxies use this join token at this moment".to_owned(),
        ))
    }

    async fn attempt(
        &self,
        etcd: &Etcd,
        grant: &Grant,
        key: Digest,
        known: &[Digest],
    ) -> Result<Result<Attempt, Refused>, EtcdFailure> {
        let (mut spent, since) = self.read(etcd, grant).await?;
        for known in known {
            if !spent.on.contains(known) {
                spent.on.push(*known);
            }
        }
        if let Err(refused) = admits(&spent.on, grant, key) {
            return Ok(Err(refused));
        }
        if !spent.on.contains(&key) {
            spent.on.push(key);
        }
        spent.expires = grant.expires;
        let name = format!("{USED}{}", grant.id);
        // Digests and a number: this cannot fail.
        let value = serde_json::to_vec(&spent).unwrap_or_default();
        let change = Change::put(name.clone(), self.voucher.say(&name, &value));
        let written = etcd.write_unchanged(&change, since, None).await?;
        Ok(Ok(match written {
            true => Attempt::Done,
            false => Attempt::Again,
        }))
    }

    async fn read(&self, etcd: &Etcd, grant: &Grant) -> Result<(Spent, i64), EtcdFailure> {
        let name = format!("{USED}{}", grant.id);
        let (value, changed) = etcd.get(&name).await?;
        let Some(value) = value else {
            return Ok((Spent::default(), changed));
        };
        let spent = understood(&self.voucher, &name, &value);
        let spent = spent.ok_or_else(|| {
            EtcdFailure::Refused(format!(
                "with a value of `{name}` that no meshd has written"
            ))
        })?;
        Ok((spent, changed))
    }

    /// One more attempt where the connection was an old one: it may have ended while nobody joined.
    async fn lost(
        &self,
        etcd: &Arc<Etcd>,
        is_new: bool,
        failure: &EtcdFailure,
    ) -> Result<(), Refused> {
        let mut slot = self.link.lock().await;
        if slot.as_ref().is_some_and(|known| Arc::ptr_eq(known, etcd)) {
            *slot = None;
        }
        match is_new {
            true => Err(unavailable(failure)),
            false => Ok(()),
        }
    }

    async fn link(&self) -> Result<(Arc<Etcd>, bool), Refused> {
        let mut slot = self.link.lock().await;
        if let Some(link) = &*slot {
            return Ok((Arc::clone(link), false));
        }
        let etcd = Etcd::connect(&self.config).await;
        let etcd = Arc::new(etcd.map_err(|failure| unavailable(&failure))?);
        *slot = Some(Arc::clone(&etcd));
        Ok((etcd, true))
    }
}

pub(super) fn understood(voucher: &Voucher, name: &str, value: &[u8]) -> Option<Spent> {
    serde_json::from_slice(voucher.heard(name, value)?).ok()
}

fn admits(spent: &[Digest], grant: &Grant, key: Digest) -> Result<(), Refused> {
    let full = grant
        .uses
        .is_some_and(|uses| u32::try_from(spent.len()).is_ok_and(|spent| spent >= uses));
    match full && !spent.contains(&key) {
        true => Err(Refused::Used),
        false => Ok(()),
    }
}

fn unavailable(failure: &EtcdFailure) -> Refused {
    tracing::error!(%failure, "uses of join tokens cannot be counted: those that are counted are refused");
    Refused::Unavailable(
        "how often this join token was used is counted in etcd, which cannot be asked at this moment".to_owned(),
    )
}
