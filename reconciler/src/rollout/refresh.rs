//! What the operator keeps beside git, looked at again: authorities, and secrets for servers outside.
//!
//! Never takes away what is served because it cannot be read at this moment.

use super::{Desk, Good, Rollout};
use crate::ca::Values;
use crate::publish::Held;

impl Rollout {
    /// Looks whether authorities and secrets that are in use have changed where the operator keeps them. What cannot be
    /// used any more stays as it is, and is told.
    pub(crate) fn refresh(&self, desk: &mut Desk) -> Vec<(&'static str, String)> {
        let (Some(good), Some(published)) = (&desk.good, self.registry.published()) else {
            return Vec::new();
        };
        let mut degraded = Vec::new();
        let loaded = self.load(&good.bundle, &good.secrets);
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
        let secrets = self.secrets(good);
        degraded.extend(unread(&secrets));
        let same = secrets.is_same(&published.secrets);
        if news.is_none() && same && !self.distrust_is_stale() {
            return degraded;
        }
        let (revision, authorities) = (&good.revision, news.is_some());
        tracing::info!(
            revision,
            authorities,
            secrets = !same,
            "what the operator keeps changed"
        );
        let good = good.clone();
        let authorities = news.unwrap_or_else(|| published.authorities.clone());
        if let Err(trouble) = self.serve(desk, good, (authorities, secrets)) {
            degraded.push((trouble.reason, trouble.message));
        }
        degraded
    }

    /// What proxies are given for servers outside.
    pub(super) fn secrets(&self, good: &Good) -> Held {
        let values = Values {
            state: &self.state,
            secrets: &good.secrets,
        };
        let before = self.registry.published();
        let before = before.as_ref().map(|published| &published.secrets);
        Held::read(&good.bundle, &values, before)
    }
}

pub(super) fn unread(secrets: &Held) -> impl Iterator<Item = (&'static str, String)> {
    let unread = secrets.unread().iter();
    unread.map(|why| ("SecretUnavailable", why.clone()))
}
