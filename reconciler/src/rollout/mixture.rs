//! Two commits as one world: some proxies have the new one, the others still the one before.
//!
//! Never staged is what proxies know of each other: endpoints are those of whoever listens, everybody trusts whom either
//! commit trusts, and the issuers of both issue.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use mesh_bundle::resource::Trust;
use mesh_bundle::{Bundle, BundledProxy, Digest, Key, Kri, Resource};

/// The world in which `moved` have the new commit.
///
/// # Errors
/// A trust cannot be encoded; see [`Resource::encode`].
pub(super) fn mix(
    old: &Bundle,
    new: &Bundle,
    moved: &BTreeSet<Kri>,
) -> Result<Bundle, serde_json::Error> {
    let mut mixture = Mixture {
        old,
        new,
        resources: BTreeMap::new(),
        united: BTreeMap::new(),
    };
    let names: BTreeSet<&Kri> = old.proxies.keys().chain(new.proxies.keys()).collect();
    let mut proxies = BTreeMap::new();
    for kri in names {
        let (mine, other) = match moved.contains(kri) {
            true => (new.proxies.get(kri), old.proxies.get(kri)),
            false => (old.proxies.get(kri), new.proxies.get(kri)),
        };
        // One that is gone, or has not come yet.
        let Some(mine) = mine else {
            continue;
        };
        proxies.insert(kri.clone(), mixture.proxy(mine, other)?);
    }
    let mut issuers = old.issuers.clone();
    issuers.extend(new.issuers.clone());
    Ok(Bundle {
        format: new.format,
        revision: None,
        digest: new.digest,
        issuers,
        proxies,
        resources: mixture.resources,
    })
}

struct Mixture<'a> {
    old: &'a Bundle,
    new: &'a Bundle,
    resources: BTreeMap<Digest, Arc<Resource>>,
    /// Proxies of one mesh usually have one trust.
    united: BTreeMap<(Option<Digest>, Option<Digest>), Option<Digest>>,
}

impl Mixture<'_> {
    fn proxy(
        &mut self,
        mine: &Arc<BundledProxy>,
        other: Option<&Arc<BundledProxy>>,
    ) -> Result<Arc<BundledProxy>, serde_json::Error> {
        let mut proxy = Arc::clone(mine);
        if let Some(other) = other {
            let trust = |proxy: &BundledProxy| proxy.manifest.entries.get(&Key::Trust).copied();
            let known = trust(mine);
            let united = self.united(known, trust(other))?;
            let strangers = self.strangers(mine, other);
            if let Some(united) = united.filter(|united| known != Some(*united)) {
                let changed = Arc::make_mut(&mut proxy);
                changed.manifest.entries.insert(Key::Trust, united);
            }
            if !strangers.is_empty() {
                Arc::make_mut(&mut proxy).endpoints.extend(strangers);
            }
        }
        for digest in proxy.manifest.entries.values() {
            if let Some(resource) = self.resource(digest) {
                self.resources.insert(*digest, resource);
            }
        }
        Ok(proxy)
    }

    fn resource(&self, digest: &Digest) -> Option<Arc<Resource>> {
        let known = [self.new, self.old].into_iter();
        let mut known = known.filter_map(|bundle| bundle.resources.get(digest));
        let found = known.next().or_else(|| self.resources.get(digest));
        found.cloned()
    }

    /// Service ports that only the other commit lets it serve, as far as it listens there: their clients may have that commit.
    fn strangers(
        &self,
        mine: &BundledProxy,
        other: &BundledProxy,
    ) -> Vec<mesh_bundle::DeclaredEndpoint> {
        let serves = |service: &Kri| mine.endpoints.iter().any(|e| e.service == *service);
        let mut strangers = other
            .endpoints
            .iter()
            .filter(|e| !serves(&e.service))
            .peekable();
        if strangers.peek().is_none() {
            return Vec::new();
        }
        let mut listens = BTreeSet::new();
        for digest in mine.manifest.entries.values() {
            if let Some(Resource::Inbound(inbound)) = self.resource(digest).as_deref() {
                listens.insert((inbound.address.clone(), inbound.port));
            }
        }
        strangers
            .filter(|e| listens.contains(&(e.address.clone(), e.port)))
            .cloned()
            .collect()
    }

    /// Whom either of two trusts.
    fn united(
        &mut self,
        one: Option<Digest>,
        other: Option<Digest>,
    ) -> Result<Option<Digest>, serde_json::Error> {
        if one == other || other.is_none() {
            return Ok(one);
        }
        if let Some(united) = self.united.get(&(one, other)) {
            return Ok(*united);
        }
        let mut trust = Trust::default();
        for digest in [one, other].into_iter().flatten() {
            if let Some(Resource::Trust(each)) = self.resource(&digest).as_deref() {
                for (domain, anchors) in &each.anchors {
                    let list = trust.anchors.entry(domain.clone()).or_default();
                    list.extend(anchors.iter().cloned());
                    list.sort();
                    list.dedup();
                }
            }
        }
        let resource = Resource::Trust(trust);
        let (digest, _) = resource.encode()?;
        self.resources.insert(digest, Arc::new(resource));
        self.united.insert((one, other), Some(digest));
        Ok(Some(digest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::publish::sample::{Options, bundle, dataplane, trusting};

    fn without(mut bundle: Bundle, name: &str) -> Bundle {
        bundle.proxies.remove(&dataplane(name));
        bundle
    }

    fn staged(bundle: &Bundle, name: &str) -> Option<BTreeMap<Key, Digest>> {
        let mut entries = bundle
            .proxies
            .get(&dataplane(name))?
            .manifest
            .entries
            .clone();
        entries.remove(&Key::Trust);
        Some(entries)
    }

    #[test]
    fn each_proxy_has_the_configuration_of_its_commit_and_the_trust_of_both() {
        let old = bundle(Options::default());
        let changed = bundle(Options {
            port: 1,
            ..Options::default()
        });
        // api-1 goes, api-2 comes, web-1 is changed.
        let old = trusting(
            without(old, "api-2"),
            &[("old.test", &["anchor of old.test"])],
        );
        let new = trusting(
            without(changed, "api-1"),
            &[("new.test", &["anchor of new.test"])],
        );
        let set = |names: &[&str]| names.iter().map(|name| dataplane(name)).collect();
        let moved: [(&[&str], [Option<&Bundle>; 3]); 4] = [
            (&[], [Some(&old), Some(&old), None]),
            (&["web-1"], [Some(&new), Some(&old), None]),
            (&["api-2"], [Some(&old), Some(&old), Some(&new)]),
            (&["web-1", "api-1", "api-2"], [Some(&new), None, Some(&new)]),
        ];
        for (moved, expected) in moved {
            let mixed = mix(&old, &new, &set(moved)).unwrap();
            for (name, from) in ["web-1", "api-1", "api-2"].into_iter().zip(expected) {
                let wanted = from.and_then(|from| staged(from, name));
                assert_eq!(staged(&mixed, name), wanted, "{name} with {moved:?} moved");
            }
            for proxy in mixed.proxies.values() {
                for digest in proxy.manifest.entries.values() {
                    assert!(mixed.resources.contains_key(digest), "{digest} is missing");
                }
            }
            let web = &mixed.proxies[&dataplane("web-1")].manifest.entries[&Key::Trust];
            let Resource::Trust(trust) = &*mixed.resources[web] else {
                panic!("no trust");
            };
            assert_eq!(trust.anchors.len(), 2, "{moved:?}");
        }
    }

    #[test]
    fn clients_of_a_commit_find_who_listens_whatever_commit_that_has() {
        let old = bundle(Options::default());
        let mut new = old.clone();
        let api = dataplane("api-1");
        let other: Kri = "kri_msvc_shop___other_http".parse().unwrap();
        let proxy = Arc::make_mut(new.proxies.get_mut(&api).unwrap());
        let mut declared = proxy.endpoints[0].clone();
        declared.service = other.clone();
        proxy.endpoints.push(declared.clone());
        let deaf = mesh_bundle::DeclaredEndpoint {
            port: 4_711,
            service: dataplane("x"),
            ..declared
        };
        proxy.endpoints.push(deaf);
        let mixed = mix(&old, &new, &BTreeSet::new()).unwrap();
        let endpoints = &mixed.proxies[&api].endpoints;
        assert!(endpoints.iter().any(|endpoint| endpoint.service == other));
        assert!(
            endpoints.iter().all(|endpoint| endpoint.port != 4_711),
            "nobody listens there"
        );
    }
}
