//! What several proxies are given alike: made once, encoded once.
//!
//! Never shares what only looks alike: a key holds everything that a resource is made of.

use std::collections::BTreeMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use mesh_bundle::{Digest, Key, Kri, Resource};

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
    kept: Kept,
    notes: Arc<Notes>,
    /// The clusters that a destination leads to.
    pub(super) reached: Arc<[Kri]>,
}

/// A resource, by its digest; `None` where it is thrown away.
#[derive(Debug, Clone)]
pub(super) struct Kept {
    pub(super) digest: Digest,
    pub(super) resource: Option<Arc<Resource>>,
}

/// Everything of one mesh that was made so far. What several make at the same time is the same, whoever comes first.
#[derive(Debug)]
pub(super) struct Shared {
    purpose: Purpose,
    resources: Mutex<BTreeMap<Digest, Arc<Resource>>>,
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
    pub(super) held: BTreeMap<Key, Kept>,
    pub(super) notes: BTreeMap<Key, Arc<Notes>>,
    pub(super) shared: &'a Shared,
}

impl<'a> Parts<'a> {
    pub(super) fn new(shared: &'a Shared) -> Self {
        Self {
            held: BTreeMap::new(),
            notes: BTreeMap::new(),
            shared,
        }
    }

    /// Gives a resource to the proxy.
    pub(super) fn insert(&mut self, key: Key, resource: Resource) {
        if let Some(kept) = self.shared.keep(resource) {
            self.held.insert(key, kept);
        }
    }

    /// Gives a resource, and what is noted about it.
    pub(super) fn give(&mut self, key: Key, made: &Made) {
        self.notes.insert(key.clone(), Arc::clone(&made.notes));
        self.held.insert(key, made.kept.clone());
    }

    pub(super) fn has(&self, key: &Key) -> bool {
        self.held.contains_key(key)
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

    /// Where to note what is asked of what it is made for.
    pub(super) fn notes(&self) -> Notes {
        Notes {
            brief: self.purpose == Purpose::Findings,
            ..Notes::default()
        }
    }

    /// Keeps a resource for whoever needs the same.
    pub(super) fn make(&self, resource: Resource, notes: Notes, reached: Vec<Kri>) -> Option<Made> {
        Some(Made {
            kept: self.keep(resource)?,
            notes: Arc::new(notes),
            reached: reached.into(),
        })
    }

    pub(super) fn keep(&self, resource: Resource) -> Option<Kept> {
        if self.purpose == Purpose::Findings && !is_seen(&resource) {
            return Some(Kept {
                digest: Digest::from_bytes([0; 32]),
                resource: None,
            });
        }
        let (digest, _) = resource.encode().ok()?;
        let mut resources = locked(&self.resources);
        let resource = resources
            .entry(digest)
            .or_insert_with(|| Arc::new(resource));
        Some(Kept {
            digest,
            resource: Some(Arc::clone(resource)),
        })
    }
}

/// Can a finding be about it? Most of a bundle is nothing of the kind.
pub(super) fn is_seen(resource: &Resource) -> bool {
    !matches!(
        resource,
        Resource::Trust(_)
            | Resource::Inbound(_)
            | Resource::Outbound(_)
            | Resource::Destination(_)
            | Resource::Cluster(_)
    )
}

/// A map is whole even where a thread died that held it.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
