//! What effective values overrode: kept beside the bundle, for people who ask why.
//!
//! Never part of a bundle: proxies need to know what set a value, not what did not.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use mesh_bundle::{Key, Kri, Origin};
use serde_json::Value;

use crate::diag::Location;
use crate::policy::Source;
use crate::policy::merge::Setting;
use crate::repository::Lines;

/// By proxy and resource.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Provenance {
    pub(crate) notes: BTreeMap<Kri, Arc<BTreeMap<Key, Arc<Notes>>>>,
}

/// What is noted about one resource.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Notes {
    /// By the place of the value in the resource: `timeouts/request`. The strongest first.
    pub(crate) overridden: BTreeMap<String, Vec<Overridden>>,
    /// Values that were told apart by the names of their policies only: the winner, and what it beat.
    pub(crate) ties: BTreeSet<(Location, Location)>,
    /// Nobody asks what was overridden: only ties are noted.
    pub(crate) brief: bool,
}

/// A value that did not become effective.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Overridden {
    /// As people write it.
    pub(crate) value: String,
    pub(crate) origin: Origin,
}

impl Provenance {
    /// What the value at a place overrode, the strongest first.
    pub(crate) fn of(&self, proxy: &Kri, key: &Key, place: &str) -> &[Overridden] {
        let notes = self.notes.get(proxy).and_then(|notes| notes.get(key));
        notes
            .and_then(|notes| notes.overridden.get(place))
            .map_or(&[], Vec::as_slice)
    }
}

impl Notes {
    /// Notes what a value overrode; `words` says how a value is written.
    pub(crate) fn record(
        &mut self,
        place: &str,
        (value, setting): (&Value, &Setting),
        lines: Lines<'_>,
        words: impl Fn(&Value) -> String,
    ) {
        for beaten in &setting.beat {
            if is_tie(&setting.by, &beaten.by) && *value != beaten.value {
                let pair = (setting.by.at.clone(), beaten.by.at.clone());
                self.ties.insert(pair);
            }
            if self.brief {
                continue;
            }
            let place = self.overridden.entry(place.to_owned()).or_default();
            place.push(Overridden {
                value: words(&beaten.value),
                origin: lines.source(&beaten.by),
            });
        }
    }
}

/// Two selectors by label, of policies that differ in nothing that counts but their names (language 4.8).
fn is_tie(winner: &Source, loser: &Source) -> bool {
    winner.resource != loser.resource && winner.class == loser.class && winner.class.dataplane
}
