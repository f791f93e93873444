//! What the operator keeps beside git, looked at again: authorities, and secrets for servers outside.
//!
//! Never takes away what is served because it cannot be read at this moment.

use mesh_compiler::fleet::Fleet;

use super::{Desk, Good, Rollout, Stage};
use crate::ca::Values;
use crate::publish::Held;

impl Rollout {
    /// What live proxies need of authorities.
    pub(crate) fn fleet(&self, now: u64) -> Fleet {
        self.registry.fleet(Some(self.place.name()), None, now)
    }

    /// Looks whether authorities and secrets that are in use have changed where the operator keeps them. What cannot be
    /// used any more stays as it is, and is told.
    pub(crate) fn refresh(&self, desk: &Desk) -> Vec<(&'static str, String)> {
        let (Some(stage), Some(published)) = (desk.stage(), self.published()) else {
            return Vec::new();
        };
        let mut degraded = Vec::new();
        let loaded = self.load(&stage);
        let loaded = loaded.map_err(|failure| failure.to_string());
        let usable = loaded.and_then(|now| match now.failed().values().next() {
            Some(why) => Err(why.clone()),
            None => Ok(now),
        });
        let news = match usable {
            Ok(now) => Some(now).filter(|now| !now.is_same(&published.authorities)),
            Err(why) => {
                degraded.push(("AuthorityUnavailable", why));
                None
            }
        };
        let secrets = self.secrets(&stage);
        degraded.extend(unread(&secrets));
        let same = secrets.is_same(&published.secrets);
        if news.is_none() && same && !self.distrust_is_stale() {
            return degraded;
        }
        let (revision, authorities) = (&stage.good.revision, news.is_some());
        tracing::info!(
            revision,
            authorities,
            secrets = !same,
            "what the operator keeps changed"
        );
        let authorities = news.unwrap_or_else(|| published.authorities.clone());
        if let Err(trouble) = self.serve(&stage, (authorities, secrets)) {
            degraded.push((trouble.reason, trouble.message));
        }
        degraded
    }

    /// What proxies are given for servers outside.
    pub(super) fn secrets(&self, stage: &Stage<'_>) -> Held {
        let before = self.published();
        let before = before.as_ref().map(|published| &published.secrets);
        let read = |good: &Good| {
            let values = Values {
                state: &self.shared.state,
                secrets: &good.secrets,
                alone: self.place.alone(),
            };
            Held::read(&good.bundle, &values, before)
        };
        match stage.next {
            None => read(stage.good),
            // The newer values count where both have them.
            Some((next, _)) => read(next).with(read(stage.good)),
        }
    }
}

pub(super) fn unread(secrets: &Held) -> impl Iterator<Item = (&'static str, String)> {
    let unread = secrets.unread().iter();
    unread.map(|why| ("SecretUnavailable", why.clone()))
}
