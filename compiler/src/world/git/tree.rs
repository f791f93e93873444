//! What a directory holds at one revision.
//!
//! Never follows a link, and never reads an object before it knows how large it is.

use std::borrow::Cow;
use std::collections::BTreeMap;

use git2::{ObjectType, Oid, Repository, Tree};

use super::named::named_by;
use super::readers::Readers;
use crate::config;
use crate::world::{ConfigFile, Entry, EntryKind, World};

/// A revision with more files and directories is refused.
const ENTRY_LIMIT: usize = 200_000;
/// The same for directories in directories.
const DEPTH_LIMIT: usize = 64;
/// A larger commit is refused: it is a message and some names.
const COMMIT_LIMIT: usize = 1 << 20;
/// A larger directory is refused. An entry is its name and 28 bytes: as many as a revision may have take less.
const TREE_LIMIT: usize = 16 << 20;
/// A larger file of settings is none.
const CONFIG_LIMIT: usize = 1 << 20;

/// The directory at one revision.
pub struct GitWorld<'h> {
    readers: &'h Readers,
    /// Which commit it is, in 40 hex digits.
    pub id: String,
    /// The same for the directory: equal ones hold the same.
    pub tree: String,
    entries: Vec<Entry>,
    blobs: BTreeMap<String, Oid>,
    config: Result<Option<ConfigFile>, String>,
}

impl std::fmt::Debug for GitWorld<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("GitWorld")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

/// What is in a directory, for whoever reads it by itself.
pub(super) struct Listed {
    pub(super) id: String,
    pub(super) entries: Vec<Entry>,
    pub(super) blobs: BTreeMap<String, Oid>,
    pub(super) config: Result<Option<ConfigFile>, String>,
}

/// Refuses an object that is too large, or another thing than it should be, before anything of it is read.
pub(super) fn bounded(repository: &Repository, id: Oid, kind: ObjectType) -> Result<(), String> {
    let said = |error: git2::Error| format!("object {id}: {}", error.message());
    let odb = repository.odb().map_err(said)?;
    let (size, found) = odb.read_header(id).map_err(said)?;
    let limit = match kind {
        ObjectType::Tree => TREE_LIMIT,
        ObjectType::Commit => COMMIT_LIMIT,
        _ => usize::MAX,
    };
    match found == kind && size <= limit {
        true => Ok(()),
        false if found == kind => Err(format!(
            "object {id} is a {} of {size} bytes, more than {limit}",
            kind.str()
        )),
        false => Err(format!(
            "object {id} is a {}, not a {}",
            found.str(),
            kind.str()
        )),
    }
}

/// A directory that is not too large.
pub(super) fn find(repository: &Repository, id: Oid) -> Result<Tree<'_>, String> {
    bounded(repository, id, ObjectType::Tree)?;
    let found = repository.find_tree(id);
    found.map_err(|error| format!("object {id}: {}", error.message()))
}

impl<'h> GitWorld<'h> {
    /// What a commit holds in the directory `inside`.
    pub(super) fn list(
        (readers, repository): (&'h Readers, &Repository),
        commit: Oid,
        top: Tree<'_>,
        inside: &str,
    ) -> Result<Self, String> {
        // From the top down to the directory, with each one in between.
        let mut above = vec![(String::new(), top)];
        for name in inside.split('/').filter(|name| !name.is_empty()) {
            let next = above.last().and_then(|(prefix, tree)| {
                let entry = tree.get_name(name)?;
                let is_tree = entry.kind() == Some(ObjectType::Tree);
                is_tree.then(|| (format!("{prefix}{name}/"), entry.id()))
            });
            let (prefix, id) =
                next.ok_or_else(|| format!("commit {commit} has no directory `{inside}`"))?;
            above.push((prefix, find(repository, id)?));
        }
        let nearest = above.iter().rev();
        let config = nearest
            .filter_map(|(prefix, tree)| settings(repository, prefix, tree).transpose())
            .next()
            .transpose();
        let mut world = Self {
            readers,
            id: commit.to_string(),
            tree: String::new(),
            entries: Vec::new(),
            blobs: BTreeMap::new(),
            config,
        };
        if let Some((_, root)) = above.pop() {
            world.tree = root.id().to_string();
            world.add(repository, root.id())?;
        }
        Ok(world)
    }

    /// Without recursion: depth is up to who wrote the commit.
    fn add(&mut self, repository: &Repository, root: Oid) -> Result<(), String> {
        let said = |error: git2::Error| error.message().to_owned();
        let odb = repository.odb().map_err(said)?;
        let mut waiting = vec![(String::new(), root, 0)];
        while let Some((directory, id, depth)) = waiting.pop() {
            let tree = find(repository, id)?;
            for entry in &tree {
                let name = String::from_utf8_lossy(entry.name_bytes()).into_owned();
                let path = format!("{directory}{name}");
                let other = |what: &str| EntryKind::Other {
                    what: what.to_owned(),
                };
                let kind = match (entry.kind(), entry.filemode()) {
                    _ if std::str::from_utf8(entry.name_bytes()).is_err() => {
                        other("name that is not UTF-8")
                    }
                    (Some(ObjectType::Tree), _) if depth >= DEPTH_LIMIT => {
                        other("directory that is too deep")
                    }
                    (Some(ObjectType::Tree), _) => {
                        waiting.push((format!("{path}/"), entry.id(), depth + 1));
                        self.room(waiting.len())?;
                        continue;
                    }
                    (Some(ObjectType::Blob), 0o120_000) => EntryKind::Symlink,
                    (Some(ObjectType::Blob), _) => {
                        let (size, _) = odb.read_header(entry.id()).map_err(said)?;
                        self.blobs.insert(path.clone(), entry.id());
                        EntryKind::File {
                            size: size as u64,
                            version: Some(named_by(entry.id())),
                        }
                    }
                    _ => other("submodule"),
                };
                self.entries.push(Entry { path, kind });
                self.room(waiting.len())?;
            }
        }
        Ok(())
    }

    pub(super) fn apart(self) -> Listed {
        Listed {
            id: self.id,
            entries: self.entries,
            blobs: self.blobs,
            config: self.config,
        }
    }

    fn room(&self, waiting: usize) -> Result<(), String> {
        match self.entries.len() + waiting > ENTRY_LIMIT {
            true => Err(format!("more than {ENTRY_LIMIT} files and directories")),
            false => Ok(()),
        }
    }
}

/// The settings that stand in a directory.
fn settings(
    repository: &Repository,
    prefix: &str,
    tree: &Tree<'_>,
) -> Result<Option<ConfigFile>, String> {
    let Some(entry) = tree.get_name(config::FILE) else {
        return Ok(None);
    };
    let said = |error: git2::Error| error.message().to_owned();
    let odb = repository.odb().map_err(said)?;
    let (size, kind) = odb.read_header(entry.id()).map_err(said)?;
    if kind != ObjectType::Blob || entry.filemode() == 0o120_000 || size > CONFIG_LIMIT {
        return Err("it is no file, or too large".to_owned());
    }
    let blob = repository.find_blob(entry.id()).map_err(said)?;
    Ok(Some(ConfigFile {
        path: format!("{prefix}{}", config::FILE),
        bytes: blob.content().to_vec(),
    }))
}

impl World for GitWorld<'_> {
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
