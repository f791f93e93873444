//! What the worker does when something has changed: first what must be on the disk, then what the proxies are told.
//!
//! Never tells anybody what a restart would not know.

use std::collections::BTreeSet;
use std::sync::Arc;

use mesh_bundle::Kri;
use tokio::time::Instant;

use super::live::Live;
use super::{Inner, Kept, Now, service};

impl Inner {
    pub(super) fn deadline(&self, now: Instant) -> Option<Instant> {
        self.live
            .values()
            .filter_map(|live| live.deadline(now))
            .min()
    }

    pub(super) fn settle(&mut self, now: Now) -> Option<Kept> {
        let published = self.published.clone()?;
        for (kri, live) in &mut self.live {
            if live.expire(now.instant) {
                let serves = published.proxies.get(kri).map(|proxy| &proxy.serves);
                self.dirty
                    .services
                    .extend(serves.into_iter().flatten().cloned());
            }
        }
        let dirty = std::mem::take(&mut self.dirty);
        self.settled.everything |= dirty.everything;
        self.settled.services.extend(dirty.services);
        for (service, servers) in &published.servers {
            let look = self.settled.everything || self.settled.services.contains(service);
            if look
                && !self.tls_ready.contains(service)
                && service::is_tls_ready(&published, servers, &self.live, now)
            {
                tracing::info!(%service, "clients speak mTLS to it from now on");
                self.tls_ready.insert(service.clone());
                self.note_service(service);
            }
        }
        let ready = |live: &Live| live.is_ready(now.instant);
        let kept = Kept {
            ready: self
                .live
                .iter()
                .filter(|(_, live)| ready(live))
                .map(|(kri, _)| kri.clone())
                .collect(),
            unhealthy: self
                .live
                .iter()
                .filter(|(_, live)| ready(live) && !live.unhealthy.is_empty())
                .map(|(kri, live)| (kri.clone(), live.unhealthy.clone()))
                .collect(),
            certificates: self
                .live
                .iter()
                .filter(|(_, live)| !live.certificates.is_empty())
                .map(|(kri, live)| (kri.clone(), live.certificates.clone()))
                .collect(),
            tls_ready: self.tls_ready.clone(),
            lost: false,
        };
        if self.written && kept == self.kept {
            return None;
        }
        self.written = true;
        self.kept = kept.clone();
        Some(kept)
    }

    pub(super) fn tell(&mut self, now: Now) {
        let Some(published) = self.published.clone() else {
            return;
        };
        if self.dirty.everything {
            // Another world was published since: its endpoints are settled first.
            return;
        }
        let settled = std::mem::take(&mut self.settled);
        let services: Vec<Kri> = match settled.everything {
            true => published.services.iter().cloned().collect(),
            false => settled.services.into_iter().collect(),
        };
        let mut changed = BTreeSet::new();
        for service in services {
            let servers = published
                .servers
                .get(&service)
                .map_or(&[][..], Vec::as_slice);
            let tls_ready = self.tls_ready.contains(&service);
            let known = self.services.get(&service).map(AsRef::as_ref);
            let new = service::endpoints((servers, tls_ready), &self.live, known, now);
            if let Some(new) = new {
                self.services.insert(service.clone(), Arc::new(new));
                changed.insert(service);
            }
        }
        // A feed that nobody listens to is made again when its proxy comes back.
        self.feeds.retain(|_, feed| feed.receiver_count() > 0);
        for (kri, feed) in &self.feeds {
            let Some(proxy) = published.proxies.get(kri) else {
                continue;
            };
            let concerned = settled.everything || !proxy.clusters.is_disjoint(&changed);
            if !concerned {
                continue;
            }
            let held = feed.borrow().clone();
            // Most commits change neither the configuration of a proxy nor who serves what it calls.
            let same =
                held.filter(|held| proxy.is_in(held) && proxy.clusters.is_disjoint(&changed));
            let wanted = match same {
                Some(held) => Some(proxy.wanted.with_endpoints_of(&held)),
                None => self.compose(&published, kri),
            };
            let Some(wanted) = wanted else {
                continue;
            };
            feed.send_if_modified(|held| {
                let same = held
                    .as_deref()
                    .is_some_and(|held| held.tells_the_same(&wanted));
                // Also where nothing but the name of the commit is new: the next session begins with it.
                *held = Some(Arc::new(wanted));
                !same
            });
        }
    }
}
