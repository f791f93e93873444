//! Revisions of the git repository that a directory is in, read from its object database.
//!
//! Never touches the network, a work tree or a hook; never follows a link; never reads an object that is too large.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use git2::{DiffOptions, ObjectType, Oid, Repository, Tree};
use mesh_bundle::Digest;

use super::{ConfigFile, Entry, EntryKind, World};
use crate::config;

/// A revision with more files and directories is refused.
const ENTRY_LIMIT: usize = 200_000;
/// The same for directories in directories.
const DEPTH_LIMIT: usize = 64;

/// A larger file of settings is none.
const CONFIG_LIMIT: usize = 1 << 20;

/// A git repository, and a directory of it.
pub struct History {
    repository: Repository,
    /// From the top of the work tree, with `/`; empty for the top itself.
    inside: String,
}

/// The directory at one revision.
pub struct GitWorld<'h> {
    history: &'h History,
    /// Which commit it is, in 40 hex digits.
    pub id: String,
    entries: Vec<Entry>,
    blobs: BTreeMap<String, Oid>,
}

impl std::fmt::Debug for History {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("History").finish_non_exhaustive()
    }
}

impl std::fmt::Debug for GitWorld<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("GitWorld")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

impl History {
    /// Opens the repository that a directory is in.
    ///
    /// # Errors
    /// In words: there is none, or it cannot be read.
    pub fn open(path: &Path) -> Result<Self, String> {
        let said = |error: git2::Error| error.message().to_owned();
        let repository = Repository::discover(path).map_err(said)?;
        let top = repository.workdir().map(Path::to_path_buf);
        let path = path.canonicalize().map_err(|error| error.to_string())?;
        let inside = match top {
            None => PathBuf::new(),
            Some(top) => {
                let top = top.canonicalize().map_err(|error| error.to_string())?;
                let inside = path.strip_prefix(&top).map_err(|error| error.to_string())?;
                inside.to_path_buf()
            }
        };
        let inside = inside.to_str().ok_or("the path is not UTF-8")?;
        Ok(Self {
            repository,
            inside: inside.replace('\\', "/"),
        })
    }

    /// The directory at a revision, such as `main`, `HEAD~1` or a commit.
    ///
    /// # Errors
    /// In words.
    pub fn at(&self, revision: &str) -> Result<GitWorld<'_>, String> {
        self.world(self.commit(revision)?)
    }

    /// The directory where the branch at hand left another one.
    ///
    /// # Errors
    /// In words.
    pub fn merge_base(&self, revision: &str) -> Result<GitWorld<'_>, String> {
        self.world(self.base(revision)?)
    }

    /// The files of the directory, called as from the top of the work tree, that are not what they were where the branch at hand left another one:
    /// changed, new, or taken away.
    ///
    /// # Errors
    /// In words.
    pub fn changed_since(&self, revision: &str) -> Result<BTreeSet<String>, String> {
        let said = |error: git2::Error| error.message().to_owned();
        let base = self.repository.find_commit(self.base(revision)?);
        let tree = base.and_then(|commit| commit.tree()).map_err(said)?;
        let mut options = DiffOptions::new();
        // What git ignores is read all the same.
        options
            .include_untracked(true)
            .recurse_untracked_dirs(true)
            .include_ignored(true)
            .recurse_ignored_dirs(true)
            .skip_binary_check(true);
        if !self.inside.is_empty() {
            options.disable_pathspec_match(true).pathspec(&self.inside);
        }
        let diff = self
            .repository
            .diff_tree_to_workdir_with_index(Some(&tree), Some(&mut options));
        let mut changed = BTreeSet::new();
        for delta in diff.map_err(said)?.deltas() {
            for file in [delta.old_file(), delta.new_file()] {
                if let Some(path) = file.path_bytes() {
                    changed.insert(String::from_utf8_lossy(path).into_owned());
                }
            }
        }
        Ok(changed)
    }

    fn base(&self, revision: &str) -> Result<Oid, String> {
        let (one, other) = (self.commit(revision)?, self.commit("HEAD")?);
        let base = self.repository.merge_base(one, other);
        base.map_err(|_| {
            format!(
                "`{revision}` and HEAD have no common commit: a shallow clone has to fetch more of the history"
            )
        })
    }

    fn commit(&self, revision: &str) -> Result<Oid, String> {
        let found = self.repository.revparse_single(revision);
        let commit = found.and_then(|object| object.peel_to_commit());
        let commit = commit.map_err(|_| format!("there is no revision `{revision}`"))?;
        Ok(commit.id())
    }

    fn world(&self, id: Oid) -> Result<GitWorld<'_>, String> {
        let said = |error: git2::Error| format!("commit {id}: {}", error.message());
        let commit = self.repository.find_commit(id).map_err(said)?;
        let mut root = commit.tree().map_err(said)?;
        if !self.inside.is_empty() {
            let entry = root.get_path(Path::new(&self.inside));
            let inside = entry
                .ok()
                .filter(|entry| entry.kind() == Some(ObjectType::Tree));
            root = match inside {
                Some(entry) => self.repository.find_tree(entry.id()).map_err(said)?,
                None => return Err(format!("commit {id} has no directory `{}`", self.inside)),
            };
        }
        let mut world = GitWorld {
            history: self,
            id: id.to_string(),
            entries: Vec::new(),
            blobs: BTreeMap::new(),
        };
        world.list(root)?;
        Ok(world)
    }
}

impl<'h> GitWorld<'h> {
    /// Without recursion: depth is up to who wrote the commit.
    fn list(&mut self, root: Tree<'h>) -> Result<(), String> {
        let repository = &self.history.repository;
        let said = |error: git2::Error| error.message().to_owned();
        let odb = repository.odb().map_err(said)?;
        let mut waiting = vec![(String::new(), root, 0)];
        while let Some((directory, tree, depth)) = waiting.pop() {
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
                        let tree = repository.find_tree(entry.id()).map_err(said)?;
                        waiting.push((format!("{path}/"), tree, depth + 1));
                        continue;
                    }
                    (Some(ObjectType::Blob), 0o120_000) => EntryKind::Symlink,
                    (Some(ObjectType::Blob), _) => {
                        let (size, _) = odb.read_header(entry.id()).map_err(said)?;
                        self.blobs.insert(path.clone(), entry.id());
                        EntryKind::File { size: size as u64 }
                    }
                    _ => other("submodule"),
                };
                self.entries.push(Entry { path, kind });
                if self.entries.len() + waiting.len() > ENTRY_LIMIT {
                    return Err(format!("more than {ENTRY_LIMIT} files and directories"));
                }
            }
        }
        Ok(())
    }
}

impl World for GitWorld<'_> {
    fn entries(&self) -> Vec<Entry> {
        self.entries.clone()
    }

    fn read(&self, path: &str) -> Result<Vec<u8>, String> {
        let id = self
            .blobs
            .get(path)
            .ok_or_else(|| "no such file".to_owned())?;
        let blob = self.history.repository.find_blob(*id);
        let blob = blob.map_err(|error| format!("object {id}: {}", error.message()))?;
        Ok(blob.content().to_vec())
    }

    fn config(&self) -> Result<Option<ConfigFile>, String> {
        let said = |error: git2::Error| error.message().to_owned();
        let repository = &self.history.repository;
        let id = Oid::from_str(&self.id).map_err(said)?;
        let commit = repository.find_commit(id).map_err(said)?;
        let top = commit.tree().map_err(said)?;
        for directory in Path::new(&self.history.inside).ancestors() {
            let path = directory.join(config::FILE);
            let Ok(entry) = top.get_path(&path) else {
                continue;
            };
            let odb = repository.odb().map_err(said)?;
            let (size, kind) = odb.read_header(entry.id()).map_err(said)?;
            if kind != ObjectType::Blob || entry.filemode() == 0o120_000 || size > CONFIG_LIMIT {
                return Err("it is no file, or too large".to_owned());
            }
            let blob = repository.find_blob(entry.id()).map_err(said)?;
            return Ok(Some(ConfigFile {
                path: path.to_string_lossy().into_owned(),
                bytes: blob.content().to_vec(),
            }));
        }
        Ok(None)
    }

    fn version(&self, path: &str) -> Option<Digest> {
        Some(Digest::of(self.blobs.get(path)?.as_bytes()))
    }
}
