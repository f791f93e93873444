//! Whom proxies are told not to believe any more.
//!
//! Never tells them before it is on the disk, unless the disk takes nothing: a restart must not forget it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{MutexGuard, PoisonError};

use mesh_bundle::{Bundle, Revoked};

use super::{Desk, Rollout};
use crate::distrust::{Distrust, Name, SLACK};
use crate::registry::Now;
use crate::revocation::Revocations;

impl Rollout {
    fn distrust(&self) -> MutexGuard<'_, Distrust> {
        // It is never left half changed.
        let distrust = &self.shared.distrust;
        distrust.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What a certificate says that is issued to a Dataplane now.
    pub(crate) fn issued(&self, name: &Name, now: u64) -> u64 {
        let outgrown = self.outgrown.lock().unwrap_or_else(PoisonError::into_inner);
        let now = outgrown.issued(name, now);
        self.distrust().issued(name, now)
    }

    /// Would proxies be told less?
    pub(super) fn distrust_is_stale(&self) -> bool {
        self.distrust().is_stale(Now::read().unix)
    }

    /// What the proxies of this bundle are told: whoever is not in it any more has no friends.
    pub(super) fn distrusted(
        &self,
        bundle: &Bundle,
        meshes: &BTreeSet<String>,
    ) -> BTreeMap<String, Vec<Revoked>> {
        let now = Now::read().unix;
        let gone = self.registry.gone((bundle, meshes), now);
        let mut distrust = self.distrust();
        let before = distrust.clone();
        for (name, end) in gone {
            let (mesh, dataplane) = &name;
            tracing::info!(mesh, dataplane, "removed: its certificates are revoked");
            let until = distrust.issued(&name, now).saturating_add(SLACK.as_secs());
            distrust.add(name, until, end);
        }
        distrust.prune(now);
        self.keep(&distrust, &before);
        distrust.lists()
    }

    /// Whoever was revoked by an operator is not believed any more either.
    pub(crate) async fn revoke(&self, revocations: &Revocations) {
        let news = self.news(revocations);
        if news.is_empty() {
            return;
        }
        let desk = self.desk().await;
        self.distrust_all(news.into_iter());
        self.tell_distrusted(&desk);
    }

    /// Whom the peers of this meshd are told not to believe.
    pub(crate) fn distrusts(&self) -> BTreeMap<Name, (u64, u64)> {
        self.distrust().spans()
    }

    /// Whom those of another one are told not to believe: all proxies are told the same, wherever they are connected.
    pub(crate) async fn distrust_too(&self, mut told: BTreeMap<Name, (u64, u64)>) {
        let desk = self.desk().await;
        let now = Now::read().unix;
        told.retain(|name, (until, end)| *end > now && !self.distrust().covers(name, *until));
        if !told.is_empty() {
            self.distrust_all(told.into_iter());
            self.tell_distrusted(&desk);
        }
    }

    /// Adds to whom peers do not believe: until when, and when the last of it ends.
    pub(super) fn distrust_all(&self, news: impl Iterator<Item = (Name, (u64, u64))>) {
        let mut distrust = self.distrust();
        let before = distrust.clone();
        for (name, (until, end)) in news {
            distrust.add(name, until, end);
        }
        self.keep(&distrust, &before);
    }

    /// Tells the proxies what is served, with whom they are not to believe any more.
    pub(super) fn tell_distrusted(&self, desk: &Desk) {
        let (Some(stage), Some(published)) = (desk.stage(), self.published()) else {
            return;
        };
        let secrets = self.secrets(&stage);
        let served = self.serve(&stage, (published.authorities.clone(), secrets));
        if let Err(trouble) = served {
            tracing::error!(error = %trouble.message, "the proxies cannot be told who is revoked");
        }
    }

    /// Revocations that are not distrusted yet and about something that may not have ended: until when, and its end.
    fn news(&self, revocations: &Revocations) -> BTreeMap<Name, (u64, u64)> {
        let (now, published) = (Now::read().unix, self.published());
        let Some(published) = published else {
            return BTreeMap::new();
        };
        let news = revocations.iter().filter_map(|(name, revoked)| {
            if !self.place.alone() && !published.meshes.contains(&name.0) {
                return None;
            }
            let until = revoked.saturating_add(SLACK.as_secs());
            if self.distrust().covers(name, until) {
                return None;
            }
            let proxies = published.named(&name.0, &name.1);
            let identities = proxies
                .iter()
                .filter_map(|kri| published.proxies.get(kri)?.identity.as_ref())
                .map(|identity| identity.lifetime.as_std().as_secs());
            let longest = identities.max().unwrap_or_default();
            let known = self.registry.certified_until(proxies);
            let end = until.saturating_add(longest).max(known);
            (end > now).then(|| (name.clone(), (until, end)))
        });
        news.collect()
    }

    fn keep(&self, distrust: &Distrust, before: &Distrust) {
        if distrust == before {
            return;
        }
        self.registry.tell_others();
        if let Err(failure) = distrust.write(&self.shared.state) {
            tracing::error!(error = %failure, "who is distrusted cannot be kept: a restart would forget it");
        }
    }
}
