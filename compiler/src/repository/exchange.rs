//! Dataplanes in the places of others that everybody else sees alike: what is the same for all proxies stays as it is.
//!
//! Never guesses: where anybody could see a difference, all of it is made anew.

use std::sync::Arc;

use crate::identity::announced;
use crate::kinds::Resource;
use crate::model::Meta;
use crate::service::Instance;

use super::{Changes, MeshView, documents};

/// Labels that the language gives a meaning, such as the one that services are generated from, or the namespace.
const SPECIAL: &str = "kuma.io/";

impl MeshView {
    /// Puts the new Dataplanes in the places of those that are gone. `false`: they are not seen alike, and nothing was done.
    pub(super) fn exchange(&mut self, changes: &Changes) -> bool {
        let Some(pairs) = pairs(changes) else {
            return false;
        };
        if !pairs.iter().all(|(old, new)| self.are_alike(old, new)) {
            return false;
        }
        let place = |old| {
            let mut dataplanes = self.dataplanes.iter();
            dataplanes.position(|one| Arc::ptr_eq(one, old))
        };
        let places: Vec<Option<usize>> = pairs.iter().map(|(old, _)| place(old)).collect();
        for ((old, new), place) in pairs.into_iter().zip(places) {
            let Some((place, held)) = place.and_then(|place| {
                let held = self.dataplanes.get_mut(place)?;
                Some((place, held))
            }) else {
                continue;
            };
            *held = Arc::clone(new);
            let (before, after) = (&old.meta.labels, &new.meta.labels);
            self.labelled.exchange(place, before, after);
        }
        true
    }

    /// Are two documents of one proxy the same to services, to identities and to whoever connects to it?
    fn are_alike(&self, old: &Resource, new: &Resource) -> bool {
        let (Some(old), Some(new)) = (Instance::of(old), Instance::of(new)) else {
            return false;
        };
        fn special(meta: &Meta) -> impl Iterator<Item = (&String, &String)> {
            let labels = meta.labels.iter();
            labels.filter(|(key, _)| key.contains(SPECIAL))
        }
        let mut services = self.services.iter();
        let mut identities = self.identities.iter();
        (&old.meta.at, &old.meta.body) == (&new.meta.at, &new.meta.body)
            && special(old.meta).eq(special(new.meta))
            && old.inbounds().eq(new.inbounds())
            && services.all(|service| service.selects(old) == service.selects(new))
            && identities.all(|one| one.selects(old.meta) == one.selects(new.meta))
            && announced(&self.identities, old.meta) == announced(&self.identities, new.meta)
    }
}

/// Do the new Dataplanes listen where those did that are gone?
pub(super) fn listen_alike(changes: &Changes) -> bool {
    let alike = |(old, new): &(&Arc<Resource>, &Arc<Resource>)| {
        let networking = |one| Instance::of(one).and_then(|instance| instance.networking());
        networking(old) == networking(new)
    };
    pairs(changes).is_some_and(|pairs| pairs.iter().all(alike))
}

/// The Dataplanes that are gone, each with the new one of its name; `None` where one has no other.
fn pairs(changes: &Changes) -> Option<Vec<(&Arc<Resource>, &Arc<Resource>)>> {
    let of = |list| documents::of_kind(list, "dp");
    let (gone, new) = (of(&changes.gone), of(&changes.new));
    let pairs: Vec<_> = gone.iter().zip(new).collect();
    let named = |(old, new): &(&Arc<Resource>, &Arc<Resource>)| old.meta.kri == new.meta.kri;
    (gone.len() == new.len() && pairs.iter().all(named)).then_some(pairs)
}
