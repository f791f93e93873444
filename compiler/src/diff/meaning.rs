//! What a resource means: all of it but where it was written.
//!
//! Never looks at a line or the name of a file: a file that is renamed means what it meant.

use std::cell::RefCell;
use std::collections::BTreeSet;

use mesh_bundle::{Bundle, Digest, Resource, digest};
use serde_json::Value;

use crate::lookup::Lookup;

/// The meanings of two bundles, compared.
#[derive(Debug)]
pub(super) struct Meanings<'b> {
    pub(super) before: &'b Bundle,
    pub(super) after: &'b Bundle,
    /// Pairs that have been compared.
    known: RefCell<Lookup<(Digest, Digest), bool>>,
}

impl<'b> Meanings<'b> {
    pub(super) fn new(before: &'b Bundle, after: &'b Bundle) -> Self {
        Self {
            before,
            after,
            known: RefCell::default(),
        }
    }

    /// Do a resource of the first and one of the second mean the same?
    pub(super) fn same(&self, old: Digest, new: Digest) -> bool {
        if old == new {
            return true;
        }
        let pair = (old, new);
        if let Some(known) = self.known.borrow().get(&pair) {
            return *known;
        }
        let same = match (
            self.before.resources.get(&old),
            self.after.resources.get(&new),
        ) {
            (Some(old), Some(new)) => meaning(old) == meaning(new),
            _ => false,
        };
        self.known.borrow_mut().insert(pair, same);
        same
    }
}

/// A resource as a value without origins, lists without an order in one.
pub(super) fn meaning(resource: &Resource) -> Value {
    let mut value = with_origins(resource);
    strip(&mut value);
    value
}

/// A resource as a value.
pub(super) fn with_origins(resource: &Resource) -> Value {
    // What is made of strings, numbers and lists has a value.
    let mut value = serde_json::to_value(resource).unwrap_or_default();
    if let Some(Value::Object(permissions)) = value.get_mut("permissions") {
        permissions.remove("unmatched");
        permissions.values_mut().for_each(unordered);
    }
    // Numbers only tell rules apart.
    for list in ["faults", "accessLogs"] {
        let rules = value.get_mut(list).and_then(Value::as_array_mut);
        for rule in rules.into_iter().flatten() {
            rule.as_object_mut().map(|rule| rule.remove("number"));
        }
    }
    value
}

/// The order of permissions means nothing, nor how often one is there.
fn unordered(list: &mut Value) {
    let Value::Array(rules) = list else { return };
    rules.sort_by_cached_key(|rule| rule.get("peer").map(text));
    let mut seen = BTreeSet::new();
    rules.retain(|rule| seen.insert(rule.get("peer").map(text)));
}

/// Takes every origin out.
pub(super) fn strip(value: &mut Value) {
    match value {
        Value::Object(map) => {
            map.remove("origin");
            map.values_mut().for_each(strip);
        }
        Value::Array(list) => list.iter_mut().for_each(strip),
        _ => {}
    }
}

/// The canonical text of a value.
pub(super) fn text(value: &Value) -> String {
    let bytes = digest::canonical(value).unwrap_or_default();
    String::from_utf8_lossy(&bytes).into_owned()
}
