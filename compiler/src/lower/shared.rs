//! What several proxies are given alike: made once, encoded once.
//!
//! Never shares what only looks alike: a key holds everything that a resource is made of.

use std::collections::BTreeMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use mesh_bundle::{Digest, Key, Kri, Manifest, Resource};

use crate::lookup::Lookup;
use crate::provenance::Notes;

use super::Purpose;

/// Of one mesh: a service port, and the items of each kind of policy that are effective for it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Ingredients {
    pub(super) port: Kri,
    /// By kind, in an order that is the same for all of one sort.
    pub(super) items: Vec<Vec<usize>>,
    /// What the resource holds of the proxy itself.
    pub(super) own: Vec<Option<String>>,
}

/// Of one mesh: what is effective for proxies as a whole.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
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

/// Everything of one mesh that was made so far. What several make at the same time is the same, whoever comes first.
#[derive(Debug)]
pub(super) struct Shared {
    purpose: Purpose,
    /// Boxed, since a map moves what it holds.
    resources: Mutex<BTreeMap<Digest, Box<Resource>>>,
    pub(super) destinations: Store<Ingredients>,
    pub(super) clusters: Store<Ingredients>,
    pub(super) wide: Store<WideIngredients>,
    /// Outbounds on virtual IPs, by the port that they lead to.
    pub(super) captured: Store<Kri>,
}

/// Resources by what they are made of.
#[derive(Debug)]
pub(super) struct Store<K>(Mutex<Lookup<K, Made>>);

/// The resources of one proxy.
#[derive(Debug)]
pub(super) struct Parts<'a> {
    pub(super) manifest: Manifest,
    pub(super) notes: BTreeMap<Key, Arc<Notes>>,
    pub(super) shared: &'a Shared,
}

impl<'a> Parts<'a> {
    pub(super) fn new(shared: &'a Shared) -> Self {
        Self {
            manifest: Manifest::default(),
            notes: BTreeMap::new(),
            shared,
        }
    }

    /// Gives a resource to the proxy.
    pub(super) fn insert(&mut self, key: Key, resource: Resource) {
        let digest = self.shared.keep(resource);
        self.hold(key, digest);
    }

    /// Gives a resource that is kept.
    pub(super) fn hold(&mut self, key: Key, digest: Option<Digest>) {
        self.manifest
            .entries
            .extend(digest.map(|digest| (key, digest)));
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

impl<K> Default for Store<K> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Hash + Eq> Store<K> {
    pub(super) fn get(&self, ingredients: &K) -> Option<Made> {
        locked(&self.0).get(ingredients).cloned()
    }

    pub(super) fn insert(&self, ingredients: K, made: Made) {
        locked(&self.0).insert(ingredients, made);
    }
}

impl Shared {
    pub(super) fn new(purpose: Purpose) -> Self {
        Self {
            purpose,
            resources: Mutex::default(),
            destinations: Store::default(),
            clusters: Store::default(),
            wide: Store::default(),
            captured: Store::default(),
        }
    }

    /// Keeps a resource for whoever needs the same.
    pub(super) fn make(&self, resource: Resource, notes: Notes, reached: Vec<Kri>) -> Option<Made> {
        Some(Made {
            digest: self.keep(resource)?,
            notes: Arc::new(notes),
            reached: reached.into(),
        })
    }

    pub(super) fn keep(&self, resource: Resource) -> Option<Digest> {
        // Most of a bundle, and nothing that a finding is about.
        let unseen = matches!(
            resource,
            Resource::Trust(_)
                | Resource::Inbound(_)
                | Resource::Outbound(_)
                | Resource::Destination(_)
                | Resource::Cluster(_)
        );
        if unseen && self.purpose == Purpose::Findings {
            return Some(Digest::from_bytes([0; 32]));
        }
        let (digest, _) = resource.encode().ok()?;
        let mut resources = locked(&self.resources);
        resources
            .entry(digest)
            .or_insert_with(|| Box::new(resource));
        Some(digest)
    }

    /// All that was made.
    pub(super) fn into_resources(self) -> BTreeMap<Digest, Box<Resource>> {
        let resources = self.resources.into_inner();
        resources.unwrap_or_else(PoisonError::into_inner)
    }
}

/// A map is whole even where a thread died that held it.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
