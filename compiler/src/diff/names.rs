//! What people call things: short, where only one thing is called so.
//!
//! Never two things by one name: `web` of two trust domains, or `api:http` of two namespaces, are called by all that they
//! are.

use std::collections::{BTreeMap, BTreeSet};

use mesh_bundle::resource::SpiffeMatch;
use mesh_bundle::{Kri, Resource, SpiffeId};

use super::words;
use crate::flow::Flows;
use crate::flow::callers::{Caller, mentioned};

/// The short names of two bundles that are not enough.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Names {
    shared: BTreeSet<String>,
}

impl Names {
    pub(super) fn of(both: [&Flows<'_>; 2]) -> Self {
        let mut ports: BTreeSet<&Kri> = BTreeSet::new();
        let mut proxies: BTreeSet<&Kri> = BTreeSet::new();
        let mut identities: BTreeSet<&SpiffeId> = BTreeSet::new();
        for flows in both {
            let bundle = flows.bundle();
            proxies.extend(bundle.proxies.keys());
            identities.extend(flows.identities().keys().copied());
            for resource in bundle.resources.values() {
                match resource.as_ref() {
                    Resource::Destination(own) => ports.extend([&own.kri]),
                    Resource::Cluster(own) => ports.extend([&own.kri]),
                    _ => {}
                }
                let exact = mentioned(resource).into_iter().filter_map(|own| match own {
                    SpiffeMatch::Exact(id) => Some(id),
                    SpiffeMatch::Prefix(_) => None,
                });
                identities.extend(exact);
            }
        }
        let mut shared = shared(ports.into_iter().map(words::port));
        shared.extend(self::shared(identities.into_iter().map(words::identity)));
        shared.extend(self::shared(
            proxies.into_iter().map(|kri| kri.name().to_owned()),
        ));
        Self { shared }
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

/// Names that more than one thing has.
fn shared(names: impl Iterator<Item = String>) -> BTreeSet<String> {
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    for name in names {
        *seen.entry(name).or_default() += 1;
    }
    seen.retain(|_, count| *count > 1);
    seen.into_keys().collect()
}
