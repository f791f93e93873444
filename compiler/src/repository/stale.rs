//! The proxies that have to be given something else after documents changed.
//!
//! Never certain that it is something else: a proxy that could have been affected is looked at again.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::Arc;

use mesh_bundle::{Key, Kri, Manifest};

use crate::json::Json;
use crate::kinds::{self, Resource, Spec};
use crate::model::Compat;
use crate::policy::applies::Selection;
use crate::policy::outbound::Towards;
use crate::policy::target::{Target, TargetKind};
use crate::policy::{Written, references};

use super::{Changes, MeshView};

/// See above.
#[derive(Debug, Default)]
pub(crate) struct Stale {
    /// All of them.
    pub(crate) all: bool,
    /// What is said of one document may be another thing, since proxies, or what they all see, may have changed.
    pub(crate) findings: bool,
    /// What is said between proxies and services may be another thing.
    pub(crate) roster: bool,
    /// Their places among the Dataplanes, beside those whose own documents changed.
    places: BTreeSet<usize>,
    /// Policies about services alone: stale is whom they select of those who send there.
    towards: Vec<(Arc<Resource>, Target, BTreeSet<Kri>)>,
}

impl Stale {
    /// Has the proxy at a place, which was given these resources, to be given others?
    pub(crate) fn contains(&self, view: &MeshView, place: usize, given: &Manifest) -> bool {
        let is_selected = |document: &Resource, target: &Target| {
            let policy = Selection {
                meta: &document.meta,
                target,
            };
            let instance = view.instance(place);
            instance.is_some_and(|instance| policy.reaches(instance.meta))
        };
        let mut towards = self.towards.iter();
        self.all
            || self.places.contains(&place)
            || towards.any(|(document, target, services)| {
                // What a route says is part of the destination that it is about, whatever the traffic then ends at.
                let ends = matches!(document.spec, Spec::MeshHttpRoute | Spec::MeshTcpRoute);
                let sends = services
                    .iter()
                    .any(|service| sends_to(given, service, !ends));
                sends && is_selected(document, target)
            })
    }

    /// Adds those that a policy selects, or did. What any policy says reaches only the proxies that it applies to, and what
    /// it says of a service only those who send there.
    pub(super) fn select(&mut self, view: &MeshView, changes: &Changes, compat: Compat) {
        if self.all {
            return;
        }
        let policies = changes.gone.iter().chain(&changes.new);
        for document in policies.filter(|document| is_policy(document)) {
            let target = Target::read(document.body.get("targetRef"));
            if let Some(services) = services(view, document, compat) {
                self.towards.push((Arc::clone(document), target, services));
                continue;
            }
            let policy = Selection {
                meta: &document.meta,
                target: &target,
            };
            let everybody = BTreeMap::new();
            let wanted = match policy.target.kind {
                TargetKind::Mesh => &everybody,
                _ => &policy.target.labels,
            };
            let places = view.places_carrying(wanted).iter().copied();
            self.places.extend(places.filter(|place| {
                let instance = view.instance(*place);
                instance.is_some_and(|instance| policy.reaches(instance.meta))
            }));
        }
    }
}

fn is_policy(document: &Resource) -> bool {
    let kinds = kinds::KINDS.iter();
    let mut kinds = kinds.filter(|kind| kind.short == document.meta.kri.kind());
    kinds.any(|kind| kind.is_policy)
}

/// The services that a policy is about, where it is about nothing else.
fn services(view: &MeshView, document: &Resource, compat: Compat) -> Option<BTreeSet<Kri>> {
    let is_there = |name: &str| document.body.get(name).is_some_and(|part| !part.is_null());
    if is_there("rules")
        || is_there("default")
        || document.body.get("to").and_then(Json::as_array).is_none()
    {
        return None;
    }
    let mut services = BTreeSet::new();
    for (_, target) in references(Written::of(document), compat) {
        // What leads nowhere reaches nobody.
        for towards in view.catalogue().towards(&target).unwrap_or_default() {
            match towards {
                Towards::Service(service) => services.insert(service),
                Towards::Port(port) => services.insert(port.without_section()),
                Towards::Mesh | Towards::Route(_) => return None,
            };
        }
    }
    Some(services)
}

/// Does traffic of a proxy go to a port of a service, or, where that counts, end there?
fn sends_to(given: &Manifest, service: &Kri, ends: bool) -> bool {
    let holds = |first: Key| {
        let mut from = given
            .entries
            .range((Bound::Included(first), Bound::Unbounded));
        // The ports of a service follow its own name.
        from.next().is_some_and(|(key, _)| match key {
            Key::Destination(port) | Key::Cluster(port) => port.without_section() == *service,
            _ => false,
        })
    };
    holds(Key::Destination(service.clone())) || ends && holds(Key::Cluster(service.clone()))
}
