//! Which sessions are live, one for each proxy, and how a connection is told to end.
//!
//! Never refuses the newer session: a proxy that reconnects after half of its connection died must not wait for us to
//! notice.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use mesh_bundle::{Digest, Manifest};
use tokio::sync::watch;

use crate::message::{Denied, ProxyName};

/// What proxies that are away held last is remembered for this many.
const REMEMBERED: usize = 50_000;

/// Why a connection ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum End {
    /// A newer session of the same proxy.
    Replaced,
    /// meshd stops.
    Stopping,
    /// It is not admitted any more.
    Denied(Denied),
    /// Its session is over.
    Over,
}

/// Tells the connection and its session to end. The first reason counts.
#[derive(Debug, Clone)]
pub(super) struct Ender(watch::Sender<Option<End>>);

impl Default for Ender {
    fn default() -> Self {
        Self(watch::Sender::new(None))
    }
}

impl Ender {
    pub(super) fn end(&self, reason: End) {
        self.0.send_if_modified(|end| {
            let first = end.is_none();
            end.get_or_insert(reason);
            first
        });
    }

    pub(super) fn watch(&self) -> watch::Receiver<Option<End>> {
        self.0.subscribe()
    }
}

/// Waits for the reason to end.
pub(super) async fn ended(end: &mut watch::Receiver<Option<End>>) -> End {
    match end.wait_for(Option::is_some).await {
        Ok(end) => end.clone().unwrap_or(End::Over),
        Err(_) => End::Over,
    }
}

/// A root and what it stands for.
pub(super) type Known = (Digest, Arc<Manifest>);

#[derive(Debug, Default)]
pub(super) struct Live {
    proxies: Mutex<Proxies>,
}

#[derive(Debug, Default)]
struct Proxies {
    last_number: u64,
    proxies: HashMap<ProxyName, Place>,
}

#[derive(Debug, Default)]
struct Place {
    session: Option<(u64, Ender)>,
    known: Option<Known>,
}

impl Live {
    /// Takes the place of a proxy, and ends whoever has it. Returns the number of the session, and what the proxy
    /// acknowledged last.
    pub(super) fn enter(&self, proxy: &ProxyName, ender: Ender) -> (u64, Option<Known>) {
        let mut proxies = self.lock();
        proxies.last_number += 1;
        let number = proxies.last_number;
        let place = proxies.proxies.entry(proxy.clone()).or_default();
        if let Some((_, older)) = place.session.replace((number, ender)) {
            older.end(End::Replaced);
        }
        (number, place.known.clone())
    }

    /// Leaves it, unless a newer session has it.
    pub(super) fn leave(&self, proxy: &ProxyName, number: u64, known: Option<Known>) {
        let mut proxies = self.lock();
        let crowded = proxies.proxies.len() > REMEMBERED;
        let Some(place) = proxies.proxies.get_mut(proxy) else {
            return;
        };
        if place
            .session
            .as_ref()
            .is_none_or(|(holder, _)| *holder != number)
        {
            return;
        }
        place.session = None;
        place.known = known;
        if crowded || place.known.is_none() {
            proxies.proxies.remove(proxy);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Proxies> {
        // Nothing that is done under it can leave it half done.
        self.proxies.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newer_session_stays() {
        let live = Live::default();
        let proxy = ProxyName("kri_dp_default___web-1_".parse().unwrap());
        let (older, newer) = (Ender::default(), Ender::default());
        let (first, known) = live.enter(&proxy, older.clone());
        assert_eq!(known, None);
        let (second, _) = live.enter(&proxy, newer.clone());
        assert_eq!(*older.watch().borrow(), Some(End::Replaced));
        assert_eq!(*newer.watch().borrow(), None);

        let held = (Digest::of(b"x"), Arc::new(Manifest::default()));
        live.leave(&proxy, first, None);
        live.leave(&proxy, second, Some(held.clone()));
        let (third, known) = live.enter(&proxy, Ender::default());
        assert_eq!(known, Some(held));
        assert!(first < second && second < third);
        live.leave(&proxy, third, None);
        assert!(live.lock().proxies.is_empty());
    }
}
