//! What an earlier bundle must not bring back: Dataplanes that were removed since, authorities that are not trusted any more,
//! join tokens that were ended.
//!
//! Never what a commit says anew: only git brings back what git has taken away.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use mesh_bundle::{Bundle, Digest, Key, Kri, Resource};
use serde::{Deserialize, Serialize};

/// Of one rollback.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Withheld {
    pub(crate) dataplanes: BTreeSet<Kri>,
    /// Digests of certificates that documents name as anchors.
    pub(crate) anchors: BTreeSet<Digest>,
    /// Identifiers that stay ended.
    pub(crate) revoked_tokens: BTreeSet<String>,
}

impl Withheld {
    /// What `pinned` has that `served` has not any more.
    pub(crate) fn between(served: &Bundle, pinned: &Bundle, revoked: &BTreeSet<String>) -> Self {
        let dataplanes = pinned.proxies.keys();
        let dataplanes = dataplanes.filter(|kri| !served.proxies.contains_key(*kri));
        let (trusted, wanted) = (anchors(served), anchors(pinned));
        Self {
            dataplanes: dataplanes.cloned().collect(),
            anchors: wanted.difference(&trusted).copied().collect(),
            revoked_tokens: revoked.clone(),
        }
    }

    /// The bundle without it.
    ///
    /// # Errors
    /// See [`Resource::encode`].
    pub(crate) fn from(&self, bundle: &mut Bundle) -> Result<(), serde_json::Error> {
        bundle
            .proxies
            .retain(|kri, _| !self.dataplanes.contains(kri));
        let mut replaced = BTreeMap::new();
        for (digest, resource) in &bundle.resources {
            let Resource::Trust(trust) = resource.as_ref() else {
                continue;
            };
            let mut less = trust.clone();
            for list in less.anchors.values_mut() {
                list.retain(|anchor| !self.anchors.contains(&Digest::of(anchor.as_bytes())));
            }
            less.anchors.retain(|_, list| !list.is_empty());
            if less != *trust {
                let less = Resource::Trust(less);
                replaced.insert(*digest, (less.encode()?.0, Arc::new(less)));
            }
        }
        for proxy in bundle.proxies.values_mut() {
            let trust = proxy.manifest.entries.get(&Key::Trust);
            let less = trust.and_then(|digest| replaced.get(digest)).map(|it| it.0);
            if let Some(less) = less {
                let entries = &mut Arc::make_mut(proxy).manifest.entries;
                entries.insert(Key::Trust, less);
            }
        }
        for (digest, (less, resource)) in replaced {
            bundle.resources.remove(&digest);
            bundle.resources.insert(less, resource);
        }
        Ok(())
    }

    /// For people: what stays away.
    pub(crate) fn told(&self) -> Vec<String> {
        let dataplanes = self.dataplanes.iter();
        let mut told: Vec<String> = dataplanes
            .map(|kri| {
                format!(
                    "the Dataplane {}/{} was removed since",
                    kri.mesh(),
                    kri.name()
                )
            })
            .collect();
        match self.anchors.len() {
            0 => {}
            count => told.push(format!("{count} trust anchors were removed since")),
        }
        told
    }
}

/// Of everybody.
fn anchors(bundle: &Bundle) -> BTreeSet<Digest> {
    let resources = bundle.resources.values();
    let trusts = resources.filter_map(|resource| match resource.as_ref() {
        Resource::Trust(trust) => Some(trust),
        _ => None,
    });
    let lists = trusts.flat_map(|trust| trust.anchors.values());
    let anchors = lists.flatten();
    anchors
        .map(|anchor| Digest::of(anchor.as_bytes()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::publish::sample::{Options, bundle, dataplane, trusting};

    #[test]
    fn what_was_taken_away_since_stays_away_and_nothing_else() {
        let api = dataplane("api-1");
        let mut served = trusting(bundle(Options::default()), &[("a.test", &["new", "kept"])]);
        served.proxies.remove(&api);
        let earlier = trusting(
            bundle(Options::default()),
            &[("a.test", &["kept", "stolen"]), ("b.test", &["gone"])],
        );
        let revoked = BTreeSet::from(["t1".to_owned()]);
        let withheld = Withheld::between(&served, &earlier, &revoked);
        assert_eq!(withheld.dataplanes, BTreeSet::from([api.clone()]));
        assert_eq!(withheld.anchors.len(), 2);
        let told = withheld.told().join("\n");
        assert!(
            told.contains("shop/api-1") && told.contains("2 trust anchors"),
            "{told}"
        );
        let mut pinned = earlier.clone();
        withheld.from(&mut pinned).unwrap();
        assert!(!pinned.proxies.contains_key(&api));
        assert_eq!(pinned.proxies.len(), earlier.proxies.len() - 1);
        for proxy in pinned.proxies.values() {
            let digest = proxy.manifest.entries[&Key::Trust];
            let Resource::Trust(trust) = pinned.resources[&digest].as_ref() else {
                panic!("no trust");
            };
            let domains: Vec<_> = trust
                .anchors
                .iter()
                .map(|(d, l)| (d.to_string(), l.clone()))
                .collect();
            assert_eq!(domains, [("a.test".to_owned(), vec!["kept".to_owned()])]);
        }
        // What is still there is not touched, also not its digests.
        let mut same = earlier.clone();
        Withheld::between(&earlier, &earlier, &revoked)
            .from(&mut same)
            .unwrap();
        assert_eq!(same.proxies, earlier.proxies);
    }
}
