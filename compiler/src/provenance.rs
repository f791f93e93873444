//! What effective values overrode: kept beside the bundle, for people who ask why.
//!
//! Never part of a bundle: proxies need to know what set a value, not what did not.

use std::collections::BTreeMap;

use mesh_bundle::{Key, Kri, Origin};

/// By proxy and resource.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Provenance {
    pub(crate) notes: BTreeMap<Kri, BTreeMap<Key, Notes>>,
}

/// By the place of the value in the resource: `timeouts/request`.
pub(crate) type Notes = BTreeMap<String, Vec<Overridden>>;

/// A value that did not become effective.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Overridden {
    /// As the document writes it.
    pub(crate) value: String,
    pub(crate) origin: Origin,
}

impl Provenance {
    /// What the value at a place overrode, the strongest first.
    pub(crate) fn of(&self, proxy: &Kri, key: &Key, place: &str) -> &[Overridden] {
        let notes = self.notes.get(proxy).and_then(|notes| notes.get(key));
        notes
            .and_then(|notes| notes.get(place))
            .map_or(&[], Vec::as_slice)
    }
}
