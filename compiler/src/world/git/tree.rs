//! What a directory holds in one commit, straight from the object database: the same for meshc and for meshd.
//!
//! Never follows a link, and never reads an object before it knows how large it is.

mod listing;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use git2::{ObjectType, Oid, Repository, Tree};

use super::readers::Readers;
use super::sizes::Sizes;
use crate::config::{FILE, MOST_BYTES};
use crate::world::{ConfigFile, Entry, World};
use listing::{Listing, shown};

/// A larger commit is refused: it is a message and some names.
const COMMIT_LIMIT: usize = 1 << 20;
/// A larger directory is refused. An entry is its name and 28 bytes: as many as a commit may have take less.
const TREE_LIMIT: usize = 16 << 20;
/// The mode of a symbolic link.
const LINK: i32 = 0o120_000;

/// The directory in one commit.
pub struct GitWorld {
    readers: Arc<Readers>,
    /// Which commit it is, in 40 hex digits.
    pub id: String,
    /// The same for the directory: equal ones hold the same.
    pub tree: String,
    entries: Vec<Entry>,
    blobs: BTreeMap<String, Oid>,
    config: Result<Option<ConfigFile>, String>,
}

/// Why a commit is not read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// It stays as it is: there is no such directory, it is larger than anything should be, or git would not have made it.
    #[error("{0}")]
    Refused(String),
    /// An object is not there, or broken; it may be had again from where the commit came from.
    #[error("{0}")]
    Damaged(String),
}

impl std::fmt::Debug for GitWorld {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("GitWorld")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

impl GitWorld {
    /// What a commit holds in the directory `inside`; in all of it where that is empty.
    ///
    /// # Errors
    /// See [`Unreadable`].
    pub fn open(repository: Repository, commit: Oid, inside: &str) -> Result<Self, Unreadable> {
        Self::open_after(&Sizes::default(), repository, commit, inside)
    }

    /// The same, after another commit of the repository: git is not asked again for what is `known` of its files.
    ///
    /// # Errors
    /// See [`Unreadable`].
    pub fn open_after(
        known: &Sizes,
        repository: Repository,
        commit: Oid,
        inside: &str,
    ) -> Result<Self, Unreadable> {
        let readers = Arc::new(Readers::of(&repository));
        let world = Self::list_after(known, (&readers, &repository), commit, inside)?;
        readers.give(repository);
        Ok(world)
    }

    pub(super) fn list(
        repository: (&Arc<Readers>, &Repository),
        commit: Oid,
        inside: &str,
    ) -> Result<Self, Unreadable> {
        Self::list_after(&Sizes::default(), repository, commit, inside)
    }

    fn list_after(
        known: &Sizes,
        (readers, repository): (&Arc<Readers>, &Repository),
        commit: Oid,
        inside: &str,
    ) -> Result<Self, Unreadable> {
        let top = self::commit(repository, commit)?.tree_id();
        // From the top down to the directory, with each one in between.
        let mut above = vec![(String::new(), find(repository, "", top)?)];
        for name in inside.split('/').filter(|name| !name.is_empty()) {
            let next = above.last().and_then(|(prefix, tree)| {
                let entry = tree.get_name(name)?;
                let is_tree = entry.kind() == Some(ObjectType::Tree);
                is_tree.then(|| (format!("{prefix}{name}/"), entry.id()))
            });
            let (prefix, id) = next.ok_or_else(|| {
                Unreadable::Refused(format!("commit {commit} has no directory `{inside}`"))
            })?;
            let tree = find(repository, &prefix, id)?;
            above.push((prefix, tree));
        }
        let nearest = above.iter().rev();
        let config = nearest
            .filter_map(|(prefix, tree)| settings(repository, prefix, tree).transpose())
            .next()
            .transpose();
        let root = above.last().map_or(top, |(_, tree)| tree.id());
        let listing = Listing::of(repository, root, known.take())?;
        known.put(listing.sizes);
        Ok(Self {
            readers: Arc::clone(readers),
            id: commit.to_string(),
            tree: root.to_string(),
            entries: listing.entries,
            blobs: listing.blobs,
            config,
        })
    }
}

impl World for GitWorld {
    fn entries(&self) -> Cow<'_, [Entry]> {
        self.entries.as_slice().into()
    }

    fn read(&self, path: &str) -> Result<Vec<u8>, String> {
        self.readers.blob(self.blobs.get(path))
    }

    fn config(&self) -> Result<Option<ConfigFile>, String> {
        self.config.clone()
    }

    fn shared(&self) -> Option<&(dyn World + Sync)> {
        Some(self)
    }
}

/// A commit that is not too large.
pub(super) fn commit(repository: &Repository, id: Oid) -> Result<git2::Commit<'_>, Unreadable> {
    let what = || format!("commit {id}");
    bounded(repository, id, (ObjectType::Commit, COMMIT_LIMIT), &what)?;
    let found = repository.find_commit(id);
    found.map_err(|error| damaged(&what(), &error))
}

/// A directory that is not too large.
fn find<'r>(repository: &'r Repository, directory: &str, id: Oid) -> Result<Tree<'r>, Unreadable> {
    let what = || match directory {
        "" => format!("the root directory, object {id}"),
        inside => format!("directory `{}`, object {id}", shown(inside)),
    };
    bounded(repository, id, (ObjectType::Tree, TREE_LIMIT), &what)?;
    let found = repository.find_tree(id);
    found.map_err(|error| damaged(&what(), &error))
}

/// Refuses an object that is too large, or another thing than it should be, before anything of it is read.
fn bounded(
    repository: &Repository,
    id: Oid,
    (kind, limit): (ObjectType, usize),
    what: &dyn Fn() -> String,
) -> Result<(), Unreadable> {
    let header = repository.odb().and_then(|odb| odb.read_header(id));
    let (size, found) = header.map_err(|error| damaged(&what(), &error))?;
    if found != kind {
        let why = format!("{}: it is a {}, not a {}", what(), found.str(), kind.str());
        return Err(Unreadable::Damaged(why));
    }
    match size > limit {
        true => Err(Unreadable::Refused(format!(
            "{}: it is larger than {limit} bytes",
            what()
        ))),
        false => Ok(()),
    }
}

fn damaged(what: &str, error: &git2::Error) -> Unreadable {
    Unreadable::Damaged(format!("{what}: {}", error.message()))
}

/// The settings that stand in a directory.
fn settings(
    repository: &Repository,
    prefix: &str,
    tree: &Tree<'_>,
) -> Result<Option<ConfigFile>, String> {
    let Some(entry) = tree.get_name(FILE) else {
        return Ok(None);
    };
    if entry.kind() != Some(ObjectType::Blob) || entry.filemode() == LINK {
        return Err("it is not a regular file".to_owned());
    }
    let said = |error: git2::Error| format!("object {}: {}", entry.id(), error.message());
    let odb = repository.odb().map_err(said)?;
    let (size, _) = odb.read_header(entry.id()).map_err(said)?;
    if size as u64 > MOST_BYTES {
        return Err(format!("it is larger than {MOST_BYTES} bytes"));
    }
    let blob = repository.find_blob(entry.id()).map_err(said)?;
    Ok(Some(ConfigFile {
        path: format!("{prefix}{FILE}"),
        bytes: blob.content().to_vec(),
    }))
}
