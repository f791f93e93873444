//! Whose configuration is different, and by how much.
//!
//! Never counts what a proxy holds already.

use std::cell::RefCell;
use std::collections::BTreeSet;

use mesh_bundle::{Bundle, Digest, Key, Kri, digest};

use super::{ChangedProxy, Proxies, Sides};
use crate::flow::Node;
use crate::lookup::Lookup;

pub(super) fn proxies(sides: &Sides<'_>) -> Proxies {
    let (before, after) = (sides.before.bundle(), sides.after.bundle());
    let names: BTreeSet<&Kri> = before.proxies.keys().chain(after.proxies.keys()).collect();
    let sizes = (Sizes::new(before), Sizes::new(after));
    let mut found = Proxies::default();
    for name in names {
        let (old, new) = match (sides.before.node(name), sides.after.node(name)) {
            (Some(old), Some(new)) => (old, new),
            (Some(_), None) => {
                found.removed.push(name.clone());
                continue;
            }
            _ => {
                found.added.push(name.clone());
                continue;
            }
        };
        let differing = differing(old, new);
        let means = |(was, is): &(Option<Digest>, Option<Digest>)| match (was, is) {
            (Some(was), Some(is)) => !sides.meanings.same(*was, *is),
            _ => true,
        };
        if differing.is_empty() {
        } else if differing.iter().any(means) {
            found
                .changed
                .push(changed(name, (old, new), &differing, &sizes));
        } else {
            found.moved += 1;
        }
    }
    found
}

/// The entries of two manifests that are not the same.
pub(super) fn differing(old: Node<'_>, new: Node<'_>) -> Vec<(Option<Digest>, Option<Digest>)> {
    let pairs = differing_keys(old, new).into_iter();
    pairs.map(|(_, was, is)| (was, is)).collect()
}

/// The same, with their keys.
pub(super) fn differing_keys<'b>(
    old: Node<'b>,
    new: Node<'b>,
) -> Vec<(&'b Key, Option<Digest>, Option<Digest>)> {
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
        let digests = (
            was.map(|(_, digest)| *digest),
            is.map(|(_, digest)| *digest),
        );
        if digests.0 != digests.1
            && let Some((key, _)) = was.or(is)
        {
            found.push((key, digests.0, digests.1));
        }
    }
}

fn changed(
    kri: &Kri,
    (old, new): (Node<'_>, Node<'_>),
    differing: &[(Option<Digest>, Option<Digest>)],
    (before, after): &(Sizes<'_>, Sizes<'_>),
) -> ChangedProxy {
    let total = |sizes: &Sizes<'_>, digests: &BTreeSet<Digest>| -> u64 {
        digests.iter().map(|digest| sizes.of(*digest)).sum()
    };
    // A resource that two keys name is there once.
    let held: BTreeSet<Digest> = old.entries().values().copied().collect();
    let wanted: BTreeSet<Digest> = new.entries().values().copied().collect();
    let gone = differing.iter().filter_map(|(was, _)| *was);
    let gone: BTreeSet<Digest> = gone.filter(|digest| !wanted.contains(digest)).collect();
    let come = differing.iter().filter_map(|(_, is)| *is);
    let come: BTreeSet<Digest> = come.filter(|digest| !held.contains(digest)).collect();
    let (lost, sent) = (total(before, &gone), total(after, &come));
    let manifest = |node: Node<'_>| {
        let bytes = digest::canonical(node.entries());
        bytes.map_or(0, |bytes| bytes.len() as u64)
    };
    let (smaller, larger) = (lost + manifest(old), sent + manifest(new));
    ChangedProxy {
        kri: kri.clone(),
        growth: larger.cast_signed() - smaller.cast_signed(),
        sent,
    }
}

/// Canonical bytes of resources.
struct Sizes<'b> {
    bundle: &'b Bundle,
    known: RefCell<Lookup<Digest, u64>>,
}

impl<'b> Sizes<'b> {
    fn new(bundle: &'b Bundle) -> Self {
        Self {
            bundle,
            known: RefCell::default(),
        }
    }

    fn of(&self, digest: Digest) -> u64 {
        if let Some(known) = self.known.borrow().get(&digest) {
            return *known;
        }
        let resource = self.bundle.resources.get(&digest);
        let encoded = resource.and_then(|resource| resource.encode().ok());
        let size = encoded.map_or(0, |(_, bytes)| bytes.len() as u64);
        self.known.borrow_mut().insert(digest, size);
        size
    }
}
