//! The files of one commit, straight from the object database.
//!
//! Never follows a symbolic link and never reads a blob whose size has not been judged.

use std::collections::BTreeMap;
use std::path::Path;

use git2::{ObjectType, Oid, Repository, Tree};
use mesh_compiler::World;
use mesh_compiler::world::{Entry, EntryKind};

use super::{Failure, transient};

/// Longer paths are listed, but never read.
const PATH_LIMIT: usize = 4096;
/// A tree with more entries is refused.
const ENTRY_LIMIT: usize = 1_000_000;

/// A commit as a [`World`].
pub struct TreeWorld {
    repository: Repository,
    entries: Vec<Entry>,
    blobs: BTreeMap<String, Oid>,
}

impl std::fmt::Debug for TreeWorld {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TreeWorld")
            .field("entries", &self.entries.len())
            .finish_non_exhaustive()
    }
}

impl TreeWorld {
    pub(super) fn read(
        repository: Repository,
        commit: Oid,
        path: Option<&str>,
    ) -> Result<Self, Failure> {
        let damaged = |error: git2::Error| transient("reading the commit", &error);
        let mut listing = Listing::default();
        {
            let commit = repository.find_commit(commit).map_err(damaged)?;
            let mut root = commit.tree().map_err(damaged)?;
            if let Some(path) = path.map(|p| p.trim_matches('/')).filter(|p| !p.is_empty()) {
                let inside = root
                    .get_path(Path::new(path))
                    .and_then(|entry| entry.to_object(&repository))
                    .and_then(|object| object.peel_to_tree());
                root = inside.map_err(|_| {
                    Failure::Stalled(format!("commit {} has no directory `{path}`", commit.id()))
                })?;
            }
            listing.add_all(&repository, root)?;
        }
        let Listing { entries, blobs } = listing;
        Ok(Self {
            repository,
            entries,
            blobs,
        })
    }
}

impl World for TreeWorld {
    fn entries(&self) -> Vec<Entry> {
        self.entries.clone()
    }

    fn read(&self, path: &str) -> Result<Vec<u8>, String> {
        let id = self
            .blobs
            .get(path)
            .ok_or_else(|| "no such file".to_owned())?;
        let blob = self.repository.find_blob(*id);
        let blob = blob.map_err(|error| error.message().to_owned())?;
        Ok(blob.content().to_vec())
    }
}

#[derive(Default)]
struct Listing {
    entries: Vec<Entry>,
    blobs: BTreeMap<String, Oid>,
}

impl Listing {
    /// Without recursion: the depth of a tree is up to who wrote the commit.
    fn add_all(&mut self, repository: &Repository, root: Tree<'_>) -> Result<(), Failure> {
        let damaged = |error: git2::Error| transient("reading the tree", &error);
        let odb = repository.odb().map_err(damaged)?;
        let mut waiting = vec![(String::new(), root)];
        while let Some((directory, tree)) = waiting.pop() {
            for entry in &tree {
                if self.entries.len() + waiting.len() >= ENTRY_LIMIT {
                    let why = format!("the commit has more than {ENTRY_LIMIT} files");
                    return Err(Failure::Stalled(why));
                }
                let name = String::from_utf8_lossy(entry.name_bytes());
                let path = format!("{directory}{name}");
                let other = |what: &str| EntryKind::Other {
                    what: what.to_owned(),
                };
                let kind = match (entry.kind(), entry.filemode()) {
                    _ if std::str::from_utf8(entry.name_bytes()).is_err() => {
                        other("name that is not UTF-8")
                    }
                    _ if path.len() > PATH_LIMIT => other("path that is too long"),
                    (Some(ObjectType::Tree), _) => {
                        let subtree = repository.find_tree(entry.id()).map_err(damaged)?;
                        waiting.push((format!("{path}/"), subtree));
                        continue;
                    }
                    (Some(ObjectType::Blob), 0o120_000) => EntryKind::Symlink,
                    (Some(ObjectType::Blob), _) => {
                        let (size, _) = odb.read_header(entry.id()).map_err(damaged)?;
                        self.blobs.insert(path.clone(), entry.id());
                        EntryKind::File { size: size as u64 }
                    }
                    _ => other("submodule"),
                };
                self.entries.push(Entry { path, kind });
            }
        }
        Ok(())
    }
}
