//! The proxies that have to be given something else after documents changed.
//!
//! Never certain that it is something else: a proxy that could have been affected is looked at again.

use std::collections::{BTreeMap, BTreeSet};

use crate::kinds::{self, Resource};
use crate::policy::applies::Selection;
use crate::policy::target::{Target, TargetKind};

use super::{Changes, MeshView};

/// See above.
#[derive(Debug, Default)]
pub(crate) struct Stale {
    /// All of them.
    pub(crate) all: bool,
    /// What is said of one document may be another thing, since proxies, or what they all see, may have changed.
    pub(crate) findings: bool,
    /// Their places among the Dataplanes, beside those whose own documents changed.
    places: BTreeSet<usize>,
}

impl Stale {
    pub(crate) fn contains(&self, place: usize) -> bool {
        self.all || self.places.contains(&place)
    }

    /// Adds those that a policy selects, or did. What any policy says reaches only the proxies that it applies to.
    pub(super) fn select(&mut self, view: &MeshView, changes: &Changes) {
        if self.all {
            return;
        }
        let policies = changes.gone.iter().chain(&changes.new);
        for document in policies.filter(|document| is_policy(document)) {
            let target = Target::read(document.body.get("targetRef"));
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
