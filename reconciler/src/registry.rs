//! The registry of live workloads: which proxies are there, what each holds, and which endpoints that makes.
//!
//! Never lets a reconnect of a proxy or a restart of meshd take an endpoint away, and never wakes a proxy that nothing has
//! changed for.

mod feed;
mod gone;
mod kept;
mod keys;
mod live;
mod service;
mod shared;
mod standing;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use mesh_bundle::{Digest, Kri};
use mesh_delivery::message::ClusterEndpoints;
use mesh_delivery::publisher::Wanted;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use crate::publish::Published;

use feed::Feed;
pub(crate) use kept::Kept;
use keys::Keys;
use live::Live;
pub(crate) use live::{Rejection, Said};
pub(crate) use service::Now;
use shared::Untold;
pub(crate) use shared::{News, Told};
use standing::Answers;
pub(crate) use standing::{Seen, Standing};

/// Shared by the sessions, the reconciler and the admin port.
#[derive(Debug)]
pub(crate) struct Registry {
    inner: Mutex<Inner>,
    /// Something has to be worked out anew.
    work: Notify,
    /// Counts what an operator could see change.
    visible: watch::Sender<u64>,
    /// Another meshd is to be told something, or may be understood better now.
    news: Notify,
}

#[derive(Debug, Default)]
struct Inner {
    published: Option<Arc<Published>>,
    live: BTreeMap<Kri, Live>,
    feeds: BTreeMap<Kri, Feed>,
    tls_ready: BTreeSet<Kri>,
    /// The key that each proxy showed last, and whose it is.
    keys: Keys,
    services: BTreeMap<Kri, Arc<ClusterEndpoints>>,
    /// Nobody has looked at it yet.
    dirty: Dirty,
    /// Settled, and not told yet. What changes between the two halves of the work waits for the next round.
    settled: Dirty,
    kept: Kept,
    /// `kept` is on the disk.
    written: bool,
    answers: Answers,
    /// `None`: this meshd is alone.
    untold: Option<Untold>,
}

/// What has to be worked out anew.
#[derive(Debug, Default)]
struct Dirty {
    services: BTreeSet<Kri>,
    everything: bool,
}

impl Registry {
    /// With what was kept when meshd ended.
    pub(crate) fn new(kept: Kept, now: Now) -> Self {
        let mut live: BTreeMap<Kri, Live> = BTreeMap::new();
        let known = kept.ready.iter().chain(kept.certificates.keys());
        for kri in known {
            let certificates = kept.certificates.get(kri).cloned().unwrap_or_default();
            let ready = kept.ready.contains(kri);
            let mut restored = Live::restored(ready, certificates, now.instant);
            let unhealthy = kept.unhealthy.get(kri).cloned();
            restored.restore_unhealthy(unhealthy.unwrap_or_default());
            live.insert(kri.clone(), restored);
        }
        let inner = Inner {
            live,
            tls_ready: kept.tls_ready.clone(),
            kept,
            ..Inner::default()
        };
        Self {
            inner: Mutex::new(inner),
            work: Notify::new(),
            visible: watch::Sender::new(0),
            news: Notify::new(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Nothing that holds the lock leaves it half changed, should it panic.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Something changed: the worker has a look, and so may who waits for a status.
    fn touch(&self) {
        self.work.notify_one();
        self.visible.send_modify(|count| *count += 1);
    }

    /// What is served now.
    pub(crate) fn published(&self) -> Option<Arc<Published>> {
        self.lock().published.clone()
    }

    /// Serves this from now on. Dataplanes that it does not have lose their streams.
    pub(crate) fn publish(&self, published: Arc<Published>) {
        let mut inner = self.lock();
        let Inner { live, feeds, .. } = &mut *inner;
        live.retain(|kri, _| published.proxies.contains_key(kri));
        feeds.retain(|kri, _| published.proxies.contains_key(kri));
        let served = published.services();
        let Inner {
            services,
            tls_ready,
            ..
        } = &mut *inner;
        services.retain(|service, _| served.contains(service));
        tls_ready.retain(|service| served.contains(service));
        if std::mem::take(&mut inner.kept.lost) {
            inner.assume_tls(&published);
        }
        inner.keys.retain(|kri| published.proxies.contains_key(kri));
        inner.published = Some(published);
        inner.answers = Answers::Unknown;
        inner.dirty.everything = true;
        drop(inner);
        self.touch();
        self.news.notify_one();
    }

    /// What a proxy is to hold, as it changes; `None` where there is no such Dataplane.
    pub(crate) fn subscribe(&self, proxy: &Kri) -> Option<watch::Receiver<Option<Arc<Wanted>>>> {
        let mut inner = self.lock();
        let published = inner.published.clone()?;
        published.proxies.get(proxy)?;
        if let Some(feed) = inner.feeds.get(proxy) {
            return Some(feed.subscribe());
        }
        // What is being worked out comes through the feed.
        let pending = inner.dirty.everything || inner.settled.everything;
        let wanted = (!pending).then(|| inner.compose(&published, proxy));
        let feed = Feed::new(wanted.flatten().map(Arc::new));
        let receiver = feed.subscribe();
        inner.feeds.insert(proxy.clone(), feed);
        Some(receiver)
    }

    /// May this key be certified for this proxy? One that was certified for another one may not.
    pub(crate) fn claim(&self, proxy: &Kri, key: Digest) -> bool {
        self.lock().keys.claim(proxy, key)
    }

    /// A certificate was issued to a proxy.
    pub(crate) fn certified(&self, proxy: &Kri, issuer: &Kri, not_after: u64) {
        self.change(proxy, |live| {
            // One that lives shorter does not end those before it.
            let until = live.certificates.entry(issuer.clone()).or_default();
            *until = not_after.max(*until);
        });
    }

    pub(crate) fn connected(&self, proxy: &Kri, session: u64, held: Option<Digest>) {
        let now = Instant::now();
        self.change(proxy, |live| live.connect(session, held, now));
    }

    pub(crate) fn status(&self, proxy: &Kri, session: u64, said: Said) {
        self.change(proxy, |live| live.status(session, said));
    }

    pub(crate) fn acknowledged(&self, proxy: &Kri, session: u64, root: Digest) {
        let mut inner = self.lock();
        if let Some(live) = inner.live.get_mut(proxy) {
            live.acknowledge(session, root);
            inner.note(proxy);
        }
        drop(inner);
        self.visible.send_modify(|count| *count += 1);
        self.news.notify_one();
    }

    pub(crate) fn rejected(&self, proxy: &Kri, session: u64, rejection: Rejection) {
        let mut inner = self.lock();
        if let Some(live) = inner.live.get_mut(proxy) {
            live.reject(session, rejection);
            inner.note(proxy);
        }
        drop(inner);
        self.visible.send_modify(|count| *count += 1);
        self.news.notify_one();
    }

    pub(crate) fn disconnected(&self, proxy: &Kri, session: u64) {
        let now = Instant::now();
        self.change(proxy, |live| live.disconnect(session, now));
    }

    /// Changes what is known of a proxy, and marks what it serves.
    fn change(&self, proxy: &Kri, change: impl FnOnce(&mut Live)) {
        let mut inner = self.lock();
        let Some(published) = inner.published.clone() else {
            return;
        };
        // One that was removed may still say goodbye.
        let Some(serves) = published.proxies.get(proxy).map(|proxy| &proxy.serves) else {
            return;
        };
        let live = inner.live.entry(proxy.clone()).or_default();
        let before = (live.is_connected(), live.held);
        change(live);
        if (live.is_connected(), live.held) != before {
            inner.answers = Answers::Unknown;
        }
        inner.dirty.services.extend(serves.iter().cloned());
        inner.note(proxy);
        drop(inner);
        self.touch();
        self.news.notify_one();
    }

    /// Wakes whenever something that a status shows may have changed.
    pub(crate) fn watch(&self) -> watch::Receiver<u64> {
        self.visible.subscribe()
    }

    /// Waits until there is something to work out.
    pub(crate) async fn work(&self) {
        let deadline = self.lock().deadline(Instant::now());
        match deadline {
            Some(deadline) => {
                let _ = tokio::time::timeout_at(deadline, self.work.notified()).await;
            }
            None => self.work.notified().await,
        }
    }

    /// First half of the work: ends graces and closes latches. Returns what must be on the disk before anybody is told.
    pub(crate) fn settle(&self, now: Now) -> Option<Kept> {
        self.lock().settle(now)
    }

    /// What [`Self::settle`] returned is not on the disk: it is returned again.
    pub(crate) fn not_kept(&self) {
        self.lock().written = false;
    }

    /// Second half: tells every proxy for which something changed.
    pub(crate) fn tell(&self, now: Now) {
        let mut inner = self.lock();
        inner.tell(now);
        drop(inner);
        self.visible.send_modify(|count| *count += 1);
    }
}

impl Inner {
    /// Which services had become ready for mTLS was lost. Nobody says it again, and clients that fell back to plaintext
    /// would be refused: whatever can be ready counts as ready.
    fn assume_tls(&mut self, published: &Published) {
        for (service, servers) in &published.servers {
            if service::may_be_tls_ready(published, servers) {
                self.tls_ready.insert(service.clone());
            }
        }
    }

    fn deadline(&self, now: Instant) -> Option<Instant> {
        self.live
            .values()
            .filter_map(|live| live.deadline(now))
            .min()
    }

    fn settle(&mut self, now: Now) -> Option<Kept> {
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

    fn tell(&mut self, now: Now) {
        let Some(published) = self.published.clone() else {
            return;
        };
        if self.dirty.everything {
            // Another world was published since: its endpoints are settled first.
            return;
        }
        let settled = std::mem::take(&mut self.settled);
        let services: Vec<Kri> = match settled.everything {
            true => published.services().into_iter().cloned().collect(),
            false => settled.services.into_iter().collect(),
        };
        let mut changed = BTreeSet::new();
        for service in services {
            let servers = published
                .servers
                .get(&service)
                .map_or(&[][..], Vec::as_slice);
            let tls_ready = self.tls_ready.contains(&service);
            let new = service::endpoints(servers, &self.live, tls_ready, now);
            if self.services.get(&service).is_none_or(|old| **old != new) {
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

#[cfg(test)]
mod tests;
