//! The proxies that have to be given something else after documents changed.
//!
//! Never certain that it is something else: a proxy that could have been affected is looked at again.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::Arc;

use mesh_bundle::{Key, Kri, Manifest};

use crate::kinds::{self, Resource, Spec};
use crate::model::Compat;
use crate::policy::applies::Selection;
use crate::policy::outbound::Towards;
use crate::policy::target::{Target, TargetKind};
use crate::policy::{Written, references};
use crate::service::Service;

use super::moved::could_send;
use super::part::{Aspects, Part};
use super::{Changes, Frame, MeshView};

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
    /// Those of whom it is only some of what they are given.
    aspects: BTreeMap<usize, Aspects>,
    /// Policies about services alone: stale is what is sent there by those whom they select.
    towards: Vec<(Arc<Resource>, Target, BTreeSet<Kri>)>,
    /// Services of whom anything may be another thing: stale is who sends there, or is behind them.
    moved: Vec<Kri>,
}

impl Stale {
    /// What the proxy at a place, which was given these resources, has to be given anew.
    pub(crate) fn part(&self, view: &MeshView, place: usize, given: &Manifest) -> Part<'_> {
        let is_selected = |document: &Resource, target: &Target| {
            let policy = Selection {
                meta: &document.meta,
                target,
            };
            let instance = view.instance(place);
            instance.is_some_and(|instance| policy.reaches(instance.meta))
        };
        let sees = |service: &Kri| sends_to(given, service, true);
        if self.all || self.places.contains(&place) || self.moved.iter().any(sees) {
            return Part::All;
        }
        let aspects = self.aspects.get(&place).copied();
        let mut stale = Vec::new();
        for (document, target, services) in &self.towards {
            // What a route says is part of the destination that it is about, whatever the traffic then ends at.
            let ends = !matches!(document.spec, Spec::MeshHttpRoute | Spec::MeshTcpRoute);
            let mut sent = services
                .iter()
                .filter(|service| sends_to(given, service, ends))
                .peekable();
            if sent.peek().is_some() && is_selected(document, target) {
                stale.extend(sent);
            }
        }
        match (aspects, stale.is_empty()) {
            (None, true) => Part::Nothing,
            (None, false) => Part::Towards(stale),
            (Some(aspects), true) => Part::Some(aspects),
            (Some(mut aspects), false) => {
                aspects.add(Aspects::SENDING);
                Part::Some(aspects)
            }
        }
    }

    /// Adds those that a policy selects, or did. What any policy says reaches only the proxies that it applies to, and what
    /// it says of a service only those who send there.
    pub(super) fn select(&mut self, view: &MeshView, changes: &Changes, compat: Compat) {
        if self.all {
            return;
        }
        for document in changes.gone.iter().chain(&changes.new) {
            self.add(view, &[view], (document, compat));
        }
    }

    /// Adds those who see services that are others than in the frame before, of which these are the places.
    pub(super) fn follow(
        &mut self,
        view: &MeshView,
        before: &Frame,
        moved: &[usize],
        compat: Compat,
    ) {
        let services = moved.iter().filter_map(|place| view.services.get(*place));
        let services: Vec<&Service> = services.collect();
        for document in view.referring(&services) {
            self.add(view, &[view, before], (&document, compat));
        }
        for place in 0..view.dataplanes.len() {
            let Some(instance) = view.instance(place) else {
                continue;
            };
            let behind = view
                .serving(place)
                .iter()
                .any(|service| moved.contains(service));
            let sends = || services.iter().any(|service| could_send(instance, service));
            if behind || sends() {
                self.places.insert(place);
            }
        }
        let names = services.iter().map(|service| service.meta.kri.clone());
        self.moved.extend(names);
    }

    /// Adds those whom a policy selects, and who see what it refers to in any of these frames.
    fn add(
        &mut self,
        view: &MeshView,
        frames: &[&Frame],
        (document, compat): (&Arc<Resource>, Compat),
    ) {
        if !is_policy(document) {
            return;
        }
        let target = Target::read(document.body.get("targetRef"));
        let aspects = match about(frames, document, compat) {
            About::Services(services) => {
                self.towards.push((Arc::clone(document), target, services));
                return;
            }
            About::Some(aspects) => Some(aspects),
            About::Anything => None,
        };
        let policy = Selection {
            meta: &document.meta,
            target: &target,
        };
        let everybody = BTreeMap::new();
        let wanted = match policy.target.kind {
            TargetKind::Mesh => &everybody,
            _ => &policy.target.labels,
        };
        let carrying = view.places_carrying(wanted).iter().copied();
        let selected = carrying.filter(|place| {
            let instance = view.instance(*place);
            instance.is_some_and(|instance| policy.reaches(instance.meta))
        });
        match aspects {
            None => self.places.extend(selected),
            Some(aspects) => {
                for place in selected {
                    self.aspects.entry(place).or_insert(aspects).add(aspects);
                }
            }
        }
    }
}

fn is_policy(document: &Resource) -> bool {
    let kinds = kinds::KINDS.iter();
    let mut kinds = kinds.filter(|kind| kind.short == document.meta.kri.kind());
    kinds.any(|kind| kind.is_policy)
}

/// What a policy says something of.
enum About {
    /// What is sent to these.
    Services(BTreeSet<Kri>),
    Some(Aspects),
    Anything,
}

fn about(frames: &[&Frame], document: &Resource, compat: Compat) -> About {
    let Some(aspects) = Aspects::of(document) else {
        return About::Anything;
    };
    if aspects.inbounds || aspects.whole || aspects == Aspects::NOTHING {
        return About::Some(aspects);
    }
    let mut services = BTreeSet::new();
    for (_, target) in references(Written::of(document), compat) {
        // What leads nowhere reaches nobody.
        let towards = |frame: &&Frame| frame.catalogue().towards(&target).unwrap_or_default();
        for towards in frames.iter().flat_map(towards) {
            match towards {
                Towards::Service(service) => services.insert(service),
                Towards::Port(port) => services.insert(port.without_section()),
                Towards::Mesh | Towards::Route(_) => return About::Some(aspects),
            };
        }
    }
    About::Services(services)
}

/// Does traffic of a proxy go to a port of a service, or, where that counts, end there?
fn sends_to(given: &Manifest, service: &Kri, ends: bool) -> bool {
    let holds = |first: Key| {
        let mut from = given
            .entries
            .range((Bound::Included(first), Bound::Unbounded));
        // The ports of a service follow its own name.
        from.next().is_some_and(|(key, _)| match key {
            Key::Destination(port) | Key::Cluster(port) => port.is_within(service),
            _ => false,
        })
    };
    holds(Key::Destination(service.clone())) || ends && holds(Key::Cluster(service.clone()))
}
