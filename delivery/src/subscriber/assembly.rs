//! The frames of one change, on their way to a whole configuration.
//!
//! Never says that it is whole before its root has been computed from the bytes that are there.

use std::collections::BTreeMap;

use bytes::Bytes;
use mesh_bundle::{Digest, Key, Manifest};

use crate::bounds;
use crate::message::{Received, Update};

#[derive(Debug)]
pub(super) struct Assembly {
    revision: String,
    root: Digest,
    complete: bool,
    resources: BTreeMap<Key, (Digest, Bytes)>,
    /// Of all resources.
    bytes: usize,
    /// The first; from there on nothing is kept.
    trouble: Option<String>,
}

impl Assembly {
    /// From the first frame; `None` for a difference from nothing.
    pub(super) fn begin(first: &Update, held: Option<&Received>) -> Option<Self> {
        let resources = match (first.complete, held) {
            (true, _) => BTreeMap::new(),
            (false, held) => held?.resources.clone(),
        };
        let bytes = resources.values().map(|(_, bytes)| bytes.len()).sum();
        Some(Self {
            bytes,
            revision: first.revision.clone(),
            root: first.root,
            complete: first.complete,
            resources,
            trouble: None,
        })
    }

    pub(super) fn continues(&self, next: &Update) -> bool {
        self.root == next.root && self.revision == next.revision && self.complete == next.complete
    }

    pub(super) fn add(&mut self, update: Update) {
        if self.trouble.is_some() {
            return;
        }
        if let Err(trouble) = self.apply(update) {
            self.trouble = Some(trouble);
            self.resources.clear();
        }
    }

    /// The configuration, or the root that is refused with a reason.
    pub(super) fn finish(self) -> Result<Received, (Digest, String)> {
        if let Some(trouble) = self.trouble {
            return Err((self.root, trouble));
        }
        let entries = self.resources.iter();
        let entries = entries.map(|(key, (digest, _))| (key.clone(), *digest));
        let computed = Manifest {
            entries: entries.collect(),
        }
        .root();
        if computed != self.root {
            let reason = format!(
                "what arrived has root {computed}, announced was {}",
                self.root
            );
            return Err((self.root, reason));
        }
        Ok(Received {
            revision: self.revision,
            root: self.root,
            resources: self.resources,
        })
    }

    fn apply(&mut self, update: Update) -> Result<(), String> {
        let key = |text: &str| text.parse::<Key>().map_err(|error| error.to_string());
        for removed in &update.removals {
            let old = self.resources.remove(&key(removed)?);
            self.bytes -= length(old.as_ref());
        }
        for (name, bytes) in update.upserts {
            let new = (Digest::of(&bytes), bytes);
            self.bytes += length(Some(&new));
            let old = self.resources.insert(key(&name)?, new);
            self.bytes -= length(old.as_ref());
        }
        if self.bytes > bounds::CONFIGURATION || self.resources.len() > bounds::RESOURCES {
            return Err(format!(
                "it has more than {} bytes or {} resources",
                bounds::CONFIGURATION,
                bounds::RESOURCES
            ));
        }
        Ok(())
    }
}

fn length(resource: Option<&(Digest, Bytes)>) -> usize {
    resource.map_or(0, |(_, bytes)| bytes.len())
}
