//! Who holds certificates and is not of the mesh any more, and until when certificates hold.
//!
//! Never asks git: what was issued is known here alone.

use std::collections::{BTreeMap, BTreeSet};

use mesh_bundle::{Bundle, Kri};

use super::agents::BY_AGENT;
use super::{Inner, Registry};
use crate::distrust::Name;

impl Registry {
    /// Dataplanes that were given certificates and that this bundle, which speaks for these meshes, does not have: when the last
    /// of them ends.
    pub(crate) fn gone(
        &self,
        (bundle, meshes): (&Bundle, &BTreeSet<String>),
        now: u64,
    ) -> BTreeMap<Name, u64> {
        let inner = self.lock();
        let missing = inner.live.iter().filter(|(kri, live)| {
            let end = live.certificates.values().max();
            let its = !inner.several || meshes.contains(kri.mesh());
            its && end.is_some_and(|end| *end > now) && !bundle.proxies.contains_key(kri)
        });
        let mut gone = BTreeMap::new();
        for (kri, live) in missing {
            let name = (kri.mesh().to_owned(), kri.name().to_owned());
            let known: &mut u64 = gone.entry(name).or_default();
            *known = live
                .certificates
                .values()
                .fold(*known, |most, end| most.max(*end));
        }
        drop(inner);
        if gone.is_empty() {
            return gone;
        }
        // Another of the same name keeps it.
        let names = bundle.proxies.keys();
        let there: BTreeSet<(&str, &str)> = names.map(|kri| (kri.mesh(), kri.name())).collect();
        gone.retain(|(mesh, name), _| !there.contains(&(mesh, name)));
        gone
    }

    /// Until when one of these proxies holds a certificate, as far as is known.
    pub(crate) fn certified_until(&self, proxies: &[Kri]) -> u64 {
        let inner = self.lock();
        let live = proxies.iter().filter_map(|kri| inner.live.get(kri));
        // What an agent has given, meshd revokes nothing of.
        let ends = live.flat_map(|live| live.certificates.values());
        let ends = ends.filter(|end| **end != BY_AGENT);
        ends.copied().max().unwrap_or_default()
    }

    /// Proxies that should have renewed the certificate of their identity a while ago, and when it ends.
    pub(crate) fn unrenewed(&self, now: u64) -> Vec<(Kri, u64)> {
        let inner = self.lock();
        let Some(published) = &inner.published else {
            return Vec::new();
        };
        let late = inner.live.iter().filter_map(|(kri, live)| {
            let identity = published.proxies.get(kri)?.identity.as_ref()?;
            let end = *live.certificates.get(&identity.issuer)?;
            let left = end.saturating_sub(now);
            // They renew when two thirds have passed.
            let late = left.saturating_mul(5) < identity.lifetime.as_std().as_secs();
            late.then(|| (kri.clone(), end))
        });
        late.collect()
    }

    /// Ends the streams of a Dataplane, and takes its endpoints away; whoever holds its certificate must be admitted anew.
    pub(crate) fn cut(&self, mesh: &str, name: &str) {
        let mut inner = self.lock();
        let is_it = |kri: &Kri| kri.mesh() == mesh && kri.name() == name;
        inner.feeds.retain(|kri, _| !is_it(kri));
        let published = inner.published.clone();
        let Inner { live, dirty, .. } = &mut *inner;
        for (kri, live) in live.iter_mut().filter(|(kri, _)| is_it(kri)) {
            live.leave();
            let proxy = published.as_ref().and_then(|it| it.proxies.get(kri));
            let serves = proxy.into_iter().flat_map(|proxy| &proxy.serves);
            dirty.services.extend(serves.cloned());
        }
        drop(inner);
        self.touch();
    }
}
