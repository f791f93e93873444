//! What people call things: short, where only one thing is called so.
//!
//! Never two things by one name: `web` of two trust domains, or `api:http` of two namespaces, are called by all that they
//! are.

use std::collections::BTreeSet;
use std::hash::Hash;

use mesh_bundle::resource::SpiffeMatch;
use mesh_bundle::{Kri, Resource, SpiffeId};

use super::words;
use crate::flow::Flows;
use crate::flow::callers::{Caller, mentioned};
use crate::lookup::Lookup;

/// The short names of two bundles that are not enough.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Names {
    shared: BTreeSet<String>,
}

impl Names {
    pub(super) fn of(both: [&Flows<'_>; 2]) -> Self {
        let mut ports = Called::default();
        let mut proxies = Called::default();
        let mut identities = Called::default();
        for flows in both {
            let bundle = flows.bundle();
            for kri in bundle.proxies.keys() {
                proxies.add(kri.name(), kri.as_str());
            }
            for id in flows.identities().keys() {
                identities.add(id.path(), id.as_str());
            }
            for resource in bundle.resources.values() {
                let port = match resource.as_ref() {
                    Resource::Destination(own) => Some(&own.kri),
                    Resource::Cluster(own) => Some(&own.kri),
                    _ => None,
                };
                if let Some(kri) = port {
                    ports.add((kri.name(), kri.section()), kri.as_str());
                }
                for named in mentioned(resource) {
                    if let SpiffeMatch::Exact(id) = named {
                        identities.add(id.path(), id.as_str());
                    }
                }
            }
        }
        let port = |whole: &str| whole.parse().ok().map(|kri| words::port(&kri));
        let proxy = |whole: &str| whole.parse().ok().map(|kri: Kri| kri.name().to_owned());
        let identity = |whole: &str| whole.parse().ok().map(|id| words::identity(&id));
        let ports = ports.shared.into_iter().filter_map(port);
        let proxies = proxies.shared.into_iter().filter_map(proxy);
        let identities = identities.shared.into_iter().filter_map(identity);
        Self {
            shared: ports.chain(proxies).chain(identities).collect(),
        }
    }

    /// `api:http`.
    pub(super) fn port(&self, kri: &Kri) -> String {
        self.unless_shared(words::port(kri), kri)
    }

    /// `web-1`.
    pub(super) fn proxy(&self, kri: &Kri) -> String {
        self.unless_shared(kri.name().to_owned(), kri)
    }

    /// `web`.
    pub(super) fn identity(&self, id: &SpiffeId) -> String {
        self.unless_shared(words::identity(id), id)
    }

    /// Somebody who calls.
    pub(super) fn caller(&self, caller: &Caller) -> String {
        match caller {
            Caller::Named(id) => self.identity(id),
            other => other.to_string(),
        }
    }

    fn unless_shared(&self, short: String, whole: &dyn ToString) -> String {
        match self.shared.contains(&short) {
            true => whole.to_string(),
            false => short,
        }
    }
}

/// Things by what they are called in short.
struct Called<'b, K> {
    known: Lookup<K, &'b str>,
    /// One of those that are called as another one.
    shared: BTreeSet<&'b str>,
}

impl<K> Default for Called<'_, K> {
    fn default() -> Self {
        Self {
            known: Lookup::default(),
            shared: BTreeSet::new(),
        }
    }
}

impl<'b, K: Hash + Eq> Called<'b, K> {
    fn add(&mut self, short: K, whole: &'b str) {
        match self.known.get(&short) {
            None => self.known.insert(short, whole),
            Some(known) if *known == whole => {}
            Some(_) => {
                self.shared.insert(whole);
            }
        }
    }
}
