//! What several sources publish, as one: under one name space of proxies and services, because their meshes are apart.
//!
//! Never worked out where there is one source: then it is what that one publishes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::{Held, Published, names, services};
use crate::ca::Authorities;

impl Published {
    /// All of them together. What is the same as `before` is shared with it.
    pub(crate) fn united(parts: &BTreeMap<String, Arc<Self>>, before: Option<&Self>) -> Arc<Self> {
        let mut each = parts.values();
        if let (Some(only), None) = (each.next(), each.next()) {
            return Arc::clone(only);
        }
        let (mut proxies, mut servers) = (BTreeMap::new(), BTreeMap::new());
        let (mut meshes, mut revoked_tokens) = (BTreeSet::new(), BTreeSet::new());
        let mut authorities = Authorities::default();
        for part in parts.values() {
            let part_proxies = part.proxies.iter();
            proxies.extend(part_proxies.map(|(kri, proxy)| (kri.clone(), proxy.clone())));
            let part_servers = part.servers.iter();
            servers.extend(part_servers.map(|(service, list)| (service.clone(), list.clone())));
            meshes.extend(part.meshes.iter().cloned());
            revoked_tokens.extend(part.revoked_tokens.iter().cloned());
            authorities.unite(&part.authorities);
        }
        let same = before.filter(|before| before.proxies.keys().eq(proxies.keys()));
        let names = match same {
            Some(before) => Arc::clone(&before.names),
            None => Arc::new(names(&proxies)),
        };
        let meeting = same.filter(|before| {
            let mut both = before.proxies.values().zip(proxies.values());
            both.all(|(old, new)| old.meets_those_of(new))
        });
        let services = match meeting {
            Some(before) => Arc::clone(&before.services),
            None => Arc::new(services(&proxies)),
        };
        Arc::new(Self {
            meshes: Arc::new(meshes),
            authorities,
            names,
            services,
            servers,
            revoked_tokens: Arc::new(revoked_tokens),
            measures: parts.values().any(|part| part.measures),
            proxies,
            // Each source asks its own part for these.
            secrets: Held::default(),
            resources: Arc::default(),
        })
    }
}
