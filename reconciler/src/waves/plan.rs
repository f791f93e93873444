//! Which proxies a commit concerns, and in which wave each of them is given it.
//!
//! Never concerned: who would be given the same, whatever else the commit changes.

use std::collections::{BTreeMap, BTreeSet};

use mesh_bundle::{Bundle, Digest, Key, Kri, Manifest};
use mesh_compiler::config::rollout::{FLEET, Rollout as Gates};

/// The waves, the fleet as the last one. Those that nobody is in stay: they are passed through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Plan {
    pub(crate) waves: Vec<Wave>,
}

/// Who is given the commit with a wave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wave {
    pub(crate) name: String,
    pub(crate) joins: BTreeSet<Kri>,
}

impl Plan {
    /// From what is served to what is to be. Who is new comes with its wave, who is to go goes with the fleet.
    pub(crate) fn new(
        gates: &Gates,
        (before, after): (&Bundle, &Bundle),
        labels: &BTreeMap<Kri, BTreeMap<String, String>>,
    ) -> Self {
        let none = BTreeMap::new();
        let mut left: BTreeSet<Kri> = after
            .proxies
            .iter()
            .filter(|(kri, proxy)| {
                let known = before.proxies.get(*kri);
                !known.is_some_and(|known| is_same(&known.manifest, &proxy.manifest))
            })
            .map(|(kri, _)| kri.clone())
            .collect();
        let mut waves = Vec::new();
        for wave in &gates.waves {
            let labels = |kri: &Kri| labels.get(kri).unwrap_or(&none);
            let (joins, rest) = left
                .into_iter()
                .partition(|kri| wave.holds(kri, labels(kri)));
            left = rest;
            waves.push(Wave {
                name: wave.name.clone(),
                joins,
            });
        }
        let gone = before.proxies.keys();
        let gone = gone.filter(|kri| !after.proxies.contains_key(*kri));
        left.extend(gone.cloned());
        waves.push(Wave {
            name: FLEET.to_owned(),
            joins: left,
        });
        Self { waves }
    }

    /// Nobody is given another configuration.
    pub(crate) fn is_empty(&self) -> bool {
        self.waves.iter().all(|wave| wave.joins.is_empty())
    }
}

/// But for whom they trust, which is not staged.
fn is_same(one: &Manifest, other: &Manifest) -> bool {
    fn staged(manifest: &Manifest) -> impl Iterator<Item = (&Key, &Digest)> {
        manifest
            .entries
            .iter()
            .filter(|(key, _)| **key != Key::Trust)
    }
    staged(one).eq(staged(other))
}
