//! How each proxy stands to what is wanted of it, for people and for who waits until all have answered.
//!
//! Never decides anything: traffic is sent by readiness, not by what a proxy holds.

use mesh_bundle::{Digest, Kri};
use tokio::time::Instant;

use super::Registry;

/// How a proxy stands to what is wanted of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Standing {
    /// It holds it.
    Acked,
    /// It has not answered yet.
    Pending,
    /// It refused it.
    Nacked,
    /// It is not connected.
    Offline,
}

/// One proxy, for the operator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) name: Kri,
    pub(crate) standing: Standing,
    pub(crate) held: Option<Digest>,
    pub(crate) wanted: Digest,
    /// Does it hold exactly what is published now?
    pub(crate) current: bool,
    pub(crate) ready: bool,
    pub(crate) reason: Option<String>,
}

impl Registry {
    /// Has every connected proxy acknowledged or refused what is wanted of it?
    pub(crate) fn all_answered(&self) -> bool {
        let inner = self.lock();
        let Some(published) = &inner.published else {
            return true;
        };
        inner
            .live
            .iter()
            .filter(|(_, live)| live.is_connected())
            .all(|(kri, live)| {
                let proxy = published.proxies.get(kri);
                proxy.is_none_or(|proxy| live.has_answered(proxy.wanted.root()))
            })
    }

    /// Is it connected, and does it hold exactly what is published now?
    pub(crate) fn holds_what_is_wanted(&self, proxy: &Kri) -> bool {
        let inner = self.lock();
        let wanted = inner
            .published
            .as_ref()
            .and_then(|it| it.proxies.get(proxy));
        let live = inner.live.get(proxy).filter(|live| live.is_connected());
        let held = live.and_then(|live| live.held);
        wanted.is_some_and(|wanted| held == Some(wanted.wanted.root()))
    }

    /// Every proxy that is published, as it stands.
    pub(crate) fn proxies(&self, now: Instant) -> Vec<Seen> {
        let inner = self.lock();
        let Some(published) = &inner.published else {
            return Vec::new();
        };
        let proxies = published.proxies.iter();
        proxies
            .map(|(kri, proxy)| {
                let live = inner.live.get(kri);
                let root = proxy.wanted.root();
                let rejected = live.and_then(|live| live.rejected.as_ref());
                let rejected = rejected.filter(|rejection| rejection.root == root);
                let held = live.and_then(|live| live.held);
                let standing = match live {
                    Some(live) if live.is_connected() && held == Some(root) => Standing::Acked,
                    Some(live) if live.is_connected() && rejected.is_some() => Standing::Nacked,
                    Some(live) if live.is_connected() => Standing::Pending,
                    _ => Standing::Offline,
                };
                Seen {
                    name: kri.clone(),
                    standing,
                    held,
                    wanted: root,
                    current: held == Some(root),
                    ready: live.is_some_and(|live| live.is_ready(now)),
                    reason: rejected.map(|rejection| rejection.reason.clone()),
                }
            })
            .collect()
    }
}
