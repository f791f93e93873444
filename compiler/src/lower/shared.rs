//! What several proxies are given alike: made once, encoded once.
//!
//! Never shares what only looks alike: a key holds everything that a resource is made of.

use std::collections::BTreeMap;
use std::sync::Arc;

use mesh_bundle::{Digest, Key, Kri, Manifest, Resource};

use crate::provenance::Notes;

/// Of one mesh: a service port, and the items of each kind of policy that are effective for it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Ingredients {
    pub(super) port: Kri,
    /// By kind, in an order that is the same for all of one sort.
    pub(super) items: Vec<Vec<usize>>,
    /// What the resource holds of the proxy itself.
    pub(super) own: Vec<Option<String>>,
}

/// Of one mesh: what is effective for proxies as a whole.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct WideIngredients {
    pub(super) key: Key,
    /// The numbers of the confs.
    pub(super) items: Vec<usize>,
    /// The address of the proxy, where it counts.
    pub(super) address: Option<String>,
}

/// A resource that several proxies may have.
#[derive(Debug, Clone)]
pub(super) struct Made {
    digest: Digest,
    notes: Arc<Notes>,
    /// The clusters that a destination leads to.
    pub(super) reached: Arc<[Kri]>,
}

/// Everything of one mesh that was made so far.
#[derive(Debug, Default)]
pub(super) struct Shared {
    pub(super) resources: BTreeMap<Digest, Resource>,
    pub(super) destinations: BTreeMap<Ingredients, Made>,
    pub(super) clusters: BTreeMap<Ingredients, Made>,
    pub(super) wide: BTreeMap<WideIngredients, Made>,
}

/// The resources of one proxy.
#[derive(Debug)]
pub(super) struct Parts<'a> {
    pub(super) manifest: Manifest,
    pub(super) notes: BTreeMap<Key, Arc<Notes>>,
    pub(super) shared: &'a mut Shared,
}

impl<'a> Parts<'a> {
    pub(super) fn new(shared: &'a mut Shared) -> Self {
        Self {
            manifest: Manifest::default(),
            notes: BTreeMap::new(),
            shared,
        }
    }

    /// Gives a resource to the proxy.
    pub(super) fn insert(&mut self, key: Key, resource: Resource) {
        if let Some(digest) = self.shared.keep(resource) {
            self.manifest.entries.insert(key, digest);
        }
    }

    /// Gives a resource, and what is noted about it.
    pub(super) fn give(&mut self, key: Key, made: &Made) {
        self.notes.insert(key.clone(), Arc::clone(&made.notes));
        self.manifest.entries.insert(key, made.digest);
    }

    pub(super) fn has(&self, key: &Key) -> bool {
        self.manifest.entries.contains_key(key)
    }
}

impl Shared {
    /// Keeps a resource for whoever needs the same.
    pub(super) fn make(
        &mut self,
        resource: Resource,
        notes: Notes,
        reached: Vec<Kri>,
    ) -> Option<Made> {
        Some(Made {
            digest: self.keep(resource)?,
            notes: Arc::new(notes),
            reached: reached.into(),
        })
    }

    fn keep(&mut self, resource: Resource) -> Option<Digest> {
        let (digest, _) = resource.encode().ok()?;
        self.resources.entry(digest).or_insert(resource);
        Some(digest)
    }
}
