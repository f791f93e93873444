//! The registry of live workloads: which proxies are there, what each holds, and which endpoints that makes.
//!
//! Never lets a reconnect of a proxy or a restart of meshd take an endpoint away, and never wakes a proxy that nothing has
//! changed for.

mod agents;
mod delivered;
mod feed;
mod gone;
mod kept;
mod keys;
mod live;
mod needs;
mod parts;
mod service;
mod shared;
mod standing;
mod traffic;
mod work;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use mesh_bundle::{Digest, Kri};
use mesh_delivery::message::ClusterEndpoints;
use mesh_delivery::publisher::Wanted;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use crate::publish::Published;

use delivered::Delivery;
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
use traffic::Measured;

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
    /// What each source publishes.
    parts: BTreeMap<String, Arc<Published>>,
    /// All of that.
    published: Option<Arc<Published>>,
    /// There are several sources, each with meshes of its own.
    several: bool,
    /// What was known when meshd ended is lost.
    lost: bool,
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
    measured: Measured,
    delivery: Delivery,
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
            lost: kept.lost,
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
        if let Some(root) = held {
            self.note_agent(proxy, root);
        }
    }

    pub(crate) fn status(&self, proxy: &Kri, session: u64, said: Said) {
        self.change(proxy, |live| live.status(session, said));
    }

    pub(crate) fn acknowledged(&self, proxy: &Kri, session: u64, root: Digest) {
        let mut inner = self.lock();
        if let Some(live) = inner.live.get_mut(proxy) {
            live.acknowledge(session, root);
            inner.delivery.acknowledge(proxy, root, Instant::now());
            inner.note(proxy);
        }
        drop(inner);
        self.note_agent(proxy, root);
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
        let mut inner = self.lock();
        let inner = &mut *inner;
        if !inner.live.get(proxy).is_some_and(Live::is_connected) {
            inner.delivery.disconnect(proxy);
        }
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

#[cfg(test)]
mod tests;
