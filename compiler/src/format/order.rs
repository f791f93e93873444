//! The keys that every document begins with, in the order in which people look for them.
//!
//! Never moves what is about something else: a comment stays above what it is about, and those above everything stay there.

use super::page::{Item, Page, Value};

/// In universal format: what it is, then what it says.
const UNIVERSAL: [&str; 5] = ["type", "mesh", "name", "labels", "annotations"];

/// As Kubernetes writes it.
const KUBERNETES: [&str; 3] = ["apiVersion", "kind", "metadata"];

const METADATA: [&str; 4] = ["name", "namespace", "labels", "annotations"];

/// What comes after everything else.
const LAST: [&str; 2] = ["spec", "status"];

/// Puts the keys into their order. `false` where they stay as they were.
pub(super) fn sort(page: &mut Page) -> bool {
    let Value::Mapping(items, _) = &mut page.value else {
        return true;
    };
    let kubernetes = items.iter().any(|item| item.name == "apiVersion");
    let first: &[&str] = if kubernetes { &KUBERNETES } else { &UNIVERSAL };
    let mut ordered = arrange(items, |name| place(name, first, &LAST));
    let metadata = items.iter_mut().find(|item| item.name == "metadata");
    if let Some(Value::Mapping(items, _)) = metadata.filter(|_| kubernetes).map(|it| &mut it.value)
    {
        ordered &= arrange(items, |name| place(name, &METADATA, &[]));
    }
    ordered
}

fn place(name: &str, first: &[&str], last: &[&str]) -> usize {
    let at = |list: &[&str]| list.iter().position(|known| *known == name);
    match (at(first), at(last)) {
        (Some(place), _) => place,
        (None, Some(place)) => first.len() + 1 + place,
        (None, None) => first.len(),
    }
}

/// A comment above the first line would be one on the whole.
fn arrange(items: &mut [Item], place: impl Fn(&str) -> usize) -> bool {
    if items.is_sorted_by_key(|item| place(&item.name)) {
        return true;
    }
    let next = items.iter().min_by_key(|item| place(&item.name));
    let moves = |next: &Item| items.first().is_some_and(|first| first.name != next.name);
    if next.is_some_and(|next| moves(next) && !next.before.is_empty()) {
        return false;
    }
    items.sort_by_key(|item| place(&item.name));
    true
}
