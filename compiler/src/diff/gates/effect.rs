//! Whom a difference affects, one effect after the other.
//!
//! Never asks where a change is written.

use std::collections::{BTreeMap, BTreeSet};

use mesh_bundle::{Bundle, Kri, Origin};

use crate::config::{Names, Owner};
use crate::diff::names::Names as Called;
use crate::diff::{Difference, Subject, words};
use crate::flow::Flows;
use crate::flow::callers::Caller;

/// One thing that is different, and whom that concerns.
#[derive(Debug)]
pub(super) struct Effect {
    pub(super) concerned: BTreeSet<Concerned>,
    /// The lines that say so now, and that said so.
    pub(super) causes: Vec<Origin>,
}

/// Somebody or something that an effect is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Concerned {
    Service(Kri),
    Identity(Caller),
    /// All whom an authority vouches for.
    Issuer(Kri),
}

/// Whose proxies are whose.
struct Workloads {
    identities: BTreeMap<Kri, BTreeSet<Caller>>,
    services: BTreeMap<Kri, BTreeSet<Kri>>,
}

/// Everything that two bundles differ in.
pub(super) fn effects(before: &Bundle, after: &Bundle, difference: &Difference) -> Vec<Effect> {
    let workloads = Workloads::of([before, after]);
    let mut found = Vec::new();
    for edge in &difference.edges {
        let service = Concerned::Service(edge.port.clone());
        let identity = Concerned::Identity(edge.caller.clone());
        found.push(Effect {
            concerned: BTreeSet::from([service, identity]),
            causes: edge.cause.iter().cloned().collect(),
        });
    }
    for outside in &difference.outside {
        let proxies = outside.opened.union(&outside.closed);
        found.push(Effect {
            concerned: workloads.of_proxies(proxies),
            causes: outside.cause.iter().cloned().collect(),
        });
    }
    for setting in &difference.settings {
        let mut concerned = workloads.of_proxies(&setting.proxies);
        match &setting.subject {
            Subject::To(port) => {
                concerned.insert(Concerned::Service(port.clone()));
            }
            Subject::At(_) => concerned.extend(workloads.served(&setting.proxies)),
            Subject::Issuer(kri) => {
                concerned.insert(Concerned::Issuer(kri.clone()));
            }
            Subject::Listener(_) | Subject::Proxy | Subject::Trust => {}
        }
        let origins = [&setting.after_origin, &setting.before_origin];
        found.push(Effect {
            concerned,
            causes: origins.into_iter().flatten().cloned().collect(),
        });
    }
    let proxies = &difference.proxies;
    for kri in proxies.added.iter().chain(&proxies.removed) {
        let one = BTreeSet::from([kri.clone()]);
        let mut concerned = workloads.of_proxies(&one);
        concerned.extend(workloads.served(&one));
        found.push(Effect {
            concerned,
            causes: Vec::new(),
        });
    }
    found
}

impl Workloads {
    fn of(bundles: [&Bundle; 2]) -> Self {
        let mut workloads = Self {
            identities: BTreeMap::new(),
            services: BTreeMap::new(),
        };
        for bundle in bundles {
            for node in Flows::new(bundle).nodes() {
                let id = node.identity().map(|identity| identity.spiffe_id.clone());
                let known = workloads.identities.entry(node.kri.clone()).or_default();
                known.insert(id.map_or(Caller::Plain, Caller::Named));
            }
            for (kri, proxy) in &bundle.proxies {
                let services = proxy.endpoints.iter().map(|own| own.service.clone());
                let known = workloads.services.entry(kri.clone()).or_default();
                known.extend(services);
            }
        }
        workloads
    }

    fn of_proxies<'k>(&self, proxies: impl IntoIterator<Item = &'k Kri>) -> BTreeSet<Concerned> {
        let known = proxies
            .into_iter()
            .filter_map(|kri| self.identities.get(kri));
        known.flatten().cloned().map(Concerned::Identity).collect()
    }

    fn served<'k>(
        &self,
        proxies: impl IntoIterator<Item = &'k Kri>,
    ) -> impl Iterator<Item = Concerned> {
        let known = proxies.into_iter().filter_map(|kri| self.services.get(kri));
        known.flatten().cloned().map(Concerned::Service)
    }
}

impl Concerned {
    /// May the changes of a directory affect it?
    pub(super) fn is_of(&self, owner: &Owner) -> bool {
        let hold =
            |names: &Option<Names>, fits: &dyn Fn(&Names) -> bool| names.as_ref().is_none_or(fits);
        match self {
            Self::Service(port) => hold(&owner.services, &|names| names.hold_service(port)),
            Self::Identity(caller) => {
                let (short, whole) = (words::caller(caller), caller.to_string());
                let texts = BTreeSet::from([short.as_str(), whole.as_str()]);
                hold(&owner.identities, &|names| names.hold(&texts))
            }
            Self::Issuer(kri) => {
                let texts = BTreeSet::from([kri.as_str()]);
                hold(&owner.identities, &|names| names.hold(&texts))
            }
        }
    }

    /// As people read it.
    pub(super) fn told(&self, names: &Called) -> String {
        match self {
            Self::Service(port) => format!("service `{}`", names.port(port)),
            Self::Identity(Caller::Named(id)) => format!("identity `{}`", names.identity(id)),
            Self::Identity(caller) => caller.to_string(),
            Self::Issuer(kri) => format!("all identities of `{}`", kri.name()),
        }
    }
}
