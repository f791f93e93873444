//! How each proxy stands to what is wanted of it, for people and for who waits until all have answered.
//!
//! Never decides anything: traffic is sent by readiness, not by what a proxy holds.

use std::collections::BTreeMap;

use mesh_bundle::{Digest, Kri};
use tokio::time::Instant;

use super::Registry;
use super::live::Live;
use crate::waves::Observation;

/// What was found when it was asked last whether all have answered.
#[derive(Debug, Default)]
pub(super) enum Answers {
    /// Something was published since, or somebody connected.
    #[default]
    Unknown,
    /// This one had not, and is looked at first.
    Lacking(Kri),
    /// All had; none takes that back.
    All,
}

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
    ///
    /// Asked for each certificate of a new authority, so neither answer looks at the whole fleet each time.
    pub(crate) fn all_answered(&self) -> bool {
        let mut inner = self.lock();
        let Some(published) = inner.published.clone() else {
            return true;
        };
        let is_waited_for = |kri: &Kri, live: &Live| {
            let proxy = published.proxies.get(kri);
            live.is_connected()
                && proxy.is_some_and(|proxy| !live.has_answered(proxy.wanted.root()))
        };
        let waited_for = match &inner.answers {
            Answers::All => return true,
            Answers::Lacking(kri) => inner.live.get_key_value(kri),
            Answers::Unknown => None,
        };
        if waited_for.is_some_and(|(kri, live)| is_waited_for(kri, live)) {
            return false;
        }
        let mut live = inner.live.iter();
        let lacking = live.find(|(kri, live)| is_waited_for(kri, live));
        let lacking = lacking.map(|(kri, _)| kri.clone());
        let answered = lacking.is_none();
        inner.answers = lacking.map_or(Answers::All, Answers::Lacking);
        answered
    }

    /// The same of the proxies of one source.
    pub(crate) fn has_answered(&self, source: &str) -> bool {
        if !self.lock().several {
            return self.all_answered();
        }
        let inner = self.lock();
        let Some(published) = inner.asked(Some(source)) else {
            return true;
        };
        let mut proxies = published.proxies.iter();
        proxies.all(|(kri, proxy)| {
            let live = inner.live.get(kri).filter(|live| live.is_connected());
            live.is_none_or(|live| live.has_answered(proxy.wanted.root()))
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

    /// How the proxies of a source stand, for a rollout.
    pub(crate) fn observe(&self, source: &str, now: Instant) -> Observation {
        let inner = self.lock();
        let mut seen = Observation::default();
        let Some(published) = inner.asked(Some(source)) else {
            return seen;
        };
        for (kri, live) in &inner.live {
            let Some(proxy) = published.proxies.get(kri) else {
                continue;
            };
            let root = proxy.wanted.root();
            if live.is_present(now) {
                seen.present.insert(kri.clone());
            }
            if live.is_connected() && live.held == Some(root) {
                seen.holding.insert(kri.clone());
            }
            let rejected = live.rejected.as_ref().filter(|it| it.root == root);
            if let Some(rejected) = rejected {
                seen.refusing.insert(kri.clone(), rejected.reason.clone());
            }
        }
        seen
    }

    /// How many connected proxies of a source hold what each commit gives them, and how many something else.
    pub(crate) fn running(&self, source: &str) -> (BTreeMap<String, usize>, usize) {
        let inner = self.lock();
        let (mut running, mut others) = (BTreeMap::new(), 0);
        let Some(published) = inner.asked(Some(source)) else {
            return (running, others);
        };
        let is_its = |kri: &Kri| !inner.several || published.meshes.contains(kri.mesh());
        let connected = inner.live.iter().filter(|(_, live)| live.is_connected());
        for (kri, live) in connected.filter(|(kri, _)| is_its(kri)) {
            match published.proxies.get(kri) {
                Some(proxy) if live.held == Some(proxy.wanted.root()) => {
                    let revision = proxy.wanted.revision();
                    match running.get_mut(revision) {
                        Some(count) => *count += 1,
                        None => drop(running.insert(revision.to_owned(), 1)),
                    }
                }
                _ => others += 1,
            }
        }
        (running, others)
    }

    /// Every proxy that is published, as it stands; of one source, or of all.
    pub(crate) fn proxies(&self, source: Option<&str>, now: Instant) -> Vec<Seen> {
        let inner = self.lock();
        let Some(published) = inner.asked(source) else {
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
