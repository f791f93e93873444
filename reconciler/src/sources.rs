//! The sources of one meshd: each a world of its own, and each mesh in one of them.
//!
//! Never what stands in one of them: that is for its rollout and its status to know.

mod directory;
mod meshes;

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::hooks::Doorbell;
use crate::rollout::Rollout;
use crate::state::StateDir;
use crate::status::Status;

pub(crate) use directory::{DIRECTORY, below, open};
pub(crate) use meshes::{Elsewhere, Meshes, Place, Taken};

/// What is said of Dataplanes, by mesh and name.
pub(crate) type Told<T> = BTreeMap<(String, String), T>;

/// One of them.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) rollout: Arc<Rollout>,
    pub(crate) status: Arc<Status>,
    pub(crate) bell: Arc<Doorbell>,
}

impl Source {
    /// As `meshd.toml` calls it.
    pub(crate) fn name(&self) -> &str {
        self.rollout.place().name()
    }
}

/// All of them, in the order of `meshd.toml`.
#[derive(Debug)]
pub(crate) struct Sources {
    first: Source,
    others: Vec<Source>,
}

impl Sources {
    pub(crate) fn new(first: Source, others: Vec<Source>) -> Self {
        Self { first, others }
    }

    pub(crate) fn first(&self) -> &Source {
        &self.first
    }

    pub(crate) fn alone(&self) -> bool {
        self.others.is_empty()
    }

    pub(crate) fn each(&self) -> impl Iterator<Item = &Source> {
        std::iter::once(&self.first).chain(&self.others)
    }

    /// Where meshd keeps what is not of one source alone.
    pub(crate) fn state(&self) -> &StateDir {
        self.first.rollout.state()
    }

    /// The one that is meant; only one that is alone need not be named.
    ///
    /// # Errors
    /// In words, with the names.
    pub(crate) fn named(&self, name: Option<&str>) -> Result<&Source, String> {
        let names = || {
            let names = self.each().map(|source| format!("`{}`", source.name()));
            names.collect::<Vec<_>>().join(", ")
        };
        match name {
            None if self.alone() => Ok(&self.first),
            None => Err(format!(
                "there are several sources: say which one is meant (`--source NAME`, `?source=NAME`): {}",
                names()
            )),
            Some(name) => {
                let mut each = self.each();
                let found = each.find(|source| source.name() == name);
                found.ok_or_else(|| format!("no source is named `{name}`: there are {}", names()))
            }
        }
    }

    /// The one that a mesh comes from; of one that comes from nowhere, the first.
    pub(crate) fn of(&self, mesh: &str) -> &Source {
        let mut each = self.each();
        let owner = each.find(|source| source.rollout.place().has(mesh));
        owner.unwrap_or(&self.first)
    }

    /// Does the mesh come from one of them? Of one that is alone, its commit says so.
    pub(crate) fn has(&self, mesh: &str) -> bool {
        self.alone() || self.each().any(|source| source.rollout.place().has(mesh))
    }

    /// What is said of Dataplanes, by mesh and name, for each source that it concerns.
    pub(crate) fn apart<T>(&self, told: Told<T>) -> impl Iterator<Item = (&Source, Told<T>)> {
        let mut parts: BTreeMap<&str, (&Source, Told<T>)> = BTreeMap::new();
        for (key, told) in told {
            let source = self.of(&key.0);
            let (_, part) = parts
                .entry(source.name())
                .or_insert((source, BTreeMap::new()));
            part.insert(key, told);
        }
        parts.into_values()
    }
}
