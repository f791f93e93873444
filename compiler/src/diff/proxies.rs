//! Whose configuration is different, and by how much.
//!
//! Never counts what a proxy holds already.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use mesh_bundle::{Bundle, Digest, Key, Kri, digest};

use super::{ChangedProxy, Proxies, Sides};
use crate::flow::Node;
use crate::lookup::Lookup;
use crate::parallel::{self, SMALL};

/// A proxy of both sides whose manifests are not the same.
pub(super) struct Differing<'b> {
    pub(super) old: Node<'b>,
    pub(super) new: Node<'b>,
    /// The entries that are not, with what they name.
    pub(super) entries: Vec<Entry<'b>>,
}

/// An entry of both manifests.
pub(super) struct Entry<'b> {
    pub(super) key: &'b Key,
    /// What it names; `None`: it is not there.
    pub(super) was: Option<Digest>,
    pub(super) is: Option<Digest>,
    /// It means what it meant, from other lines.
    pub(super) same: bool,
}

/// Every proxy whose manifest is another than it was, in their order.
pub(super) fn differing<'b>(sides: &Sides<'b>) -> Vec<Differing<'b>> {
    let names: Vec<&Kri> = sides.before.bundle().proxies.keys().collect();
    let pairs = parallel::map(&names, SMALL, |name| {
        let (old, new) = (sides.before.node(name)?, sides.after.node(name)?);
        let entries = unequal(sides, old, new);
        (!entries.is_empty()).then_some(Differing { old, new, entries })
    });
    pairs.into_iter().flatten().collect()
}

pub(super) fn proxies(sides: &Sides<'_>, differing: &[Differing<'_>]) -> Proxies {
    let (before, after) = (sides.before.bundle(), sides.after.bundle());
    let only = |own: &Bundle, other: &Bundle| {
        let names = own.proxies.keys();
        let names = names.filter(|name| !other.proxies.contains_key(name));
        names.cloned().collect()
    };
    let sizes = (Sizes::new(before), Sizes::new(after));
    let told = parallel::map(differing, SMALL, |pair| {
        let means = pair.entries.iter().any(|entry| !entry.same);
        means.then(|| changed(pair, &sizes))
    });
    let moved = told.iter().filter(|told| told.is_none()).count();
    Proxies {
        added: only(after, before),
        removed: only(before, after),
        changed: told.into_iter().flatten().collect(),
        moved,
    }
}

fn unequal<'b>(sides: &Sides<'b>, old: Node<'b>, new: Node<'b>) -> Vec<Entry<'b>> {
    let (mut old, mut new) = (
        old.entries().iter().peekable(),
        new.entries().iter().peekable(),
    );
    let mut found = Vec::new();
    loop {
        let order = match (old.peek(), new.peek()) {
            (None, None) => return found,
            (Some(_), None) => std::cmp::Ordering::Less,
            (None, Some(_)) => std::cmp::Ordering::Greater,
            (Some((was, _)), Some((is, _))) => was.cmp(is),
        };
        let was = if order.is_le() { old.next() } else { None };
        let is = if order.is_ge() { new.next() } else { None };
        let Some((key, _)) = was.or(is) else {
            continue;
        };
        let digest = |entry: Option<(_, &Digest)>| entry.map(|(_, digest)| *digest);
        let (was, is) = (digest(was), digest(is));
        if was != is {
            let pair = was.zip(is);
            let same = pair.is_some_and(|(was, is)| sides.meanings.same(was, is));
            let entry = Entry { key, was, is, same };
            found.push(entry);
        }
    }
}

fn changed(pair: &Differing<'_>, (before, after): &(Sizes<'_>, Sizes<'_>)) -> ChangedProxy {
    let total = |sizes: &Sizes<'_>, digests: &BTreeSet<Digest>| -> u64 {
        digests.iter().map(|digest| sizes.of(*digest)).sum()
    };
    // A resource that two keys name is there once.
    let named = |node: Node<'_>| {
        let mut digests: Vec<Digest> = node.entries().values().copied().collect();
        digests.sort_unstable();
        digests
    };
    let (held, wanted) = (named(pair.old), named(pair.new));
    let is_in = |digests: &[Digest], digest: &Digest| digests.binary_search(digest).is_ok();
    let gone = pair.entries.iter().filter_map(|entry| entry.was);
    let gone: BTreeSet<Digest> = gone.filter(|digest| !is_in(&wanted, digest)).collect();
    let come = pair.entries.iter().filter_map(|entry| entry.is);
    let come: BTreeSet<Digest> = come.filter(|digest| !is_in(&held, digest)).collect();
    let (lost, sent) = (total(before, &gone), total(after, &come));
    // All digests are written equally long.
    let alike = pair
        .entries
        .iter()
        .all(|entry| entry.was.is_some() && entry.is.is_some());
    let manifest = |node: Node<'_>| match alike {
        true => 0,
        false => digest::size(node.entries()).unwrap_or(0),
    };
    let (smaller, larger) = (lost + manifest(pair.old), sent + manifest(pair.new));
    ChangedProxy {
        kri: pair.new.kri.clone(),
        growth: larger.cast_signed() - smaller.cast_signed(),
        sent,
    }
}

/// Canonical bytes of resources.
struct Sizes<'b> {
    bundle: &'b Bundle,
    known: Mutex<Lookup<Digest, u64>>,
}

impl<'b> Sizes<'b> {
    fn new(bundle: &'b Bundle) -> Self {
        Self {
            bundle,
            known: Mutex::default(),
        }
    }

    fn of(&self, digest: Digest) -> u64 {
        let known = || self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = known().get(&digest) {
            return *known;
        }
        let resource = self.bundle.resources.get(&digest);
        let size = resource.and_then(|resource| digest::size(resource.as_ref()).ok());
        let size = size.unwrap_or(0);
        known().insert(digest, size);
        size
    }
}
