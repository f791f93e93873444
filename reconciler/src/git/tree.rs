//! The files of one commit, straight from the object database.
//!
//! Never follows a symbolic link, never reads an object whose size has not been judged, and never walks a tree further
//! than its bounds: depth, width and repetition are up to who wrote the commit.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashSet};
use std::path::Path;

use git2::{ObjectType, Odb, Oid, Repository, Tree, TreeEntry};
use mesh_bundle::Digest;
use mesh_compiler::World;
use mesh_compiler::config::{FILE, MOST_BYTES};
use mesh_compiler::world::{ConfigFile, Entry, EntryKind};

use super::{Failure, damaged};

/// Longer paths are listed, but never read.
const PATH_LIMIT: usize = 4096;
/// A commit with more files and directories is refused.
const ENTRY_LIMIT: usize = 200_000;
/// Bytes of all paths together.
const LISTING_LIMIT: usize = 64 << 20;
/// Bytes of the object that lists one directory.
const TREE_LIMIT: usize = 16 << 20;
/// Characters of a path in a message.
const SHOWN: usize = 200;

/// A commit as a [`World`].
pub struct TreeWorld {
    repository: Repository,
    entries: Vec<Entry>,
    blobs: BTreeMap<String, Oid>,
    config: Result<Option<ConfigFile>, String>,
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
        let mut listing = Listing::default();
        let config;
        {
            let unreadable = |error| damaged(&format!("commit {commit}"), &error);
            let commit = repository.find_commit(commit).map_err(unreadable)?;
            let mut root = commit.tree_id();
            if let Some(path) = path.map(|p| p.trim_matches('/')).filter(|p| !p.is_empty()) {
                let tree = commit.tree().map_err(unreadable)?;
                let inside = tree.get_path(Path::new(path)).ok();
                let inside = inside.filter(|entry| entry.kind() == Some(ObjectType::Tree));
                root = inside.map(|entry| entry.id()).ok_or_else(|| {
                    Failure::Stalled(format!("commit {} has no directory `{path}`", commit.id()))
                })?;
            }
            listing.add_all(&repository, root)?;
            config = settings(&repository, &commit.tree().map_err(unreadable)?, path);
        }
        let Listing { entries, blobs, .. } = listing;
        Ok(Self {
            repository,
            entries,
            blobs,
            config,
        })
    }
}

impl World for TreeWorld {
    fn entries(&self) -> Cow<'_, [Entry]> {
        self.entries.as_slice().into()
    }

    fn read(&self, path: &str) -> Result<Vec<u8>, String> {
        let id = self
            .blobs
            .get(path)
            .ok_or_else(|| "no such file".to_owned())?;
        let blob = self.repository.find_blob(*id);
        let blob = blob.map_err(|error| format!("object {id}: {}", error.message()))?;
        Ok(blob.content().to_vec())
    }

    fn config(&self) -> Result<Option<ConfigFile>, String> {
        self.config.clone()
    }
}

/// The nearest settings, from a directory of the commit up to its top.
fn settings(
    repository: &Repository,
    top: &Tree<'_>,
    directory: Option<&str>,
) -> Result<Option<ConfigFile>, String> {
    let directory = Path::new(directory.unwrap_or_default().trim_matches('/'));
    for above in directory.ancestors() {
        let file = above.join(FILE);
        let Ok(entry) = top.get_path(&file) else {
            continue;
        };
        if entry.kind() != Some(ObjectType::Blob) || entry.filemode() == 0o120_000 {
            return Err("it is not a regular file".to_owned());
        }
        let trouble = |error: git2::Error| format!("object {}: {}", entry.id(), error.message());
        let odb = repository.odb().map_err(trouble)?;
        let (size, _) = odb.read_header(entry.id()).map_err(trouble)?;
        if size as u64 > MOST_BYTES {
            return Err(format!("it is larger than {MOST_BYTES} bytes"));
        }
        let blob = repository.find_blob(entry.id()).map_err(trouble)?;
        return Ok(Some(ConfigFile {
            path: file.to_string_lossy().into_owned(),
            bytes: blob.content().to_vec(),
        }));
    }
    Ok(None)
}

#[derive(Default)]
struct Listing {
    entries: Vec<Entry>,
    blobs: BTreeMap<String, Oid>,
    /// Files and directories so far, and the bytes of their paths.
    seen: usize,
    bytes: usize,
}

impl Listing {
    /// Without recursion, and with one directory in memory at a time.
    fn add_all(&mut self, repository: &Repository, root: Oid) -> Result<(), Failure> {
        let odb = repository
            .odb()
            .map_err(|error| damaged("the repository", &error))?;
        let mut waiting = vec![(String::new(), root)];
        while let Some((directory, id)) = waiting.pop() {
            let what = || match directory.as_str() {
                "" => format!("the root directory, object {id}"),
                inside => format!("directory `{}`, object {id}", shown(inside)),
            };
            let (size, _) = odb
                .read_header(id)
                .map_err(|error| damaged(&what(), &error))?;
            if size > TREE_LIMIT {
                let why = format!("{}: it is larger than {TREE_LIMIT} bytes", what());
                return Err(Failure::Stalled(why));
            }
            let tree = repository
                .find_tree(id)
                .map_err(|error| damaged(&what(), &error))?;
            let mut names = HashSet::new();
            for entry in &tree {
                let name = entry.name_bytes();
                if let Some(why) = objection(name) {
                    let name = shown(&String::from_utf8_lossy(name));
                    let why = format!("{}: the name `{name}` {why}", what());
                    return Err(Failure::Stalled(why));
                }
                if !names.insert(name.to_vec()) {
                    let name = shown(&String::from_utf8_lossy(name));
                    let why = format!("{}: the name `{name}` is there twice", what());
                    return Err(Failure::Stalled(why));
                }
                let path = format!("{directory}{}", String::from_utf8_lossy(name));
                self.count(&path)?;
                let kind = self.judge(&odb, &entry, &path)?;
                match kind {
                    Some(kind) => self.entries.push(Entry { path, kind }),
                    None => waiting.push((format!("{path}/"), entry.id())),
                }
            }
        }
        Ok(())
    }

    fn count(&mut self, path: &str) -> Result<(), Failure> {
        self.seen += 1;
        self.bytes += path.len();
        let refused = |what: String| Err(Failure::Stalled(format!("the commit has {what}")));
        if self.seen > ENTRY_LIMIT {
            return refused(format!("more than {ENTRY_LIMIT} files and directories"));
        }
        if self.bytes > LISTING_LIMIT {
            return refused(format!("more than {LISTING_LIMIT} bytes of paths"));
        }
        Ok(())
    }

    /// What an entry is; `None` for a directory to be listed.
    fn judge(
        &mut self,
        odb: &Odb<'_>,
        entry: &TreeEntry<'_>,
        path: &str,
    ) -> Result<Option<EntryKind>, Failure> {
        let other = |what: &str| EntryKind::Other {
            what: what.to_owned(),
        };
        Ok(Some(match (entry.kind(), entry.filemode()) {
            _ if std::str::from_utf8(entry.name_bytes()).is_err() => {
                other("name that is not UTF-8")
            }
            _ if path.len() > PATH_LIMIT => other("path that is too long"),
            (Some(ObjectType::Tree), _) => return Ok(None),
            (Some(ObjectType::Blob), 0o120_000) => EntryKind::Symlink,
            (Some(ObjectType::Blob), _) => {
                let id = entry.id();
                let (size, _) = odb
                    .read_header(id)
                    .map_err(|error| damaged(&format!("`{}`, object {id}", shown(path)), &error))?;
                self.blobs.insert(path.to_owned(), id);
                EntryKind::File {
                    size: size as u64,
                    version: Some(Digest::of(id.as_bytes())),
                }
            }
            _ => other("submodule"),
        }))
    }
}

/// What speaks against a name in a tree. git itself makes none of these.
fn objection(name: &[u8]) -> Option<&'static str> {
    match name {
        b"" | b"." | b".." => Some("is not a name of a file"),
        _ if name.contains(&b'/') => Some("holds a slash"),
        _ if name.eq_ignore_ascii_case(b".git") => Some("is reserved for git"),
        _ => None,
    }
}

/// A path for a message: one line, not too long.
fn shown(path: &str) -> String {
    let mut text: String = path.chars().take(SHOWN).collect();
    if text.len() < path.len() {
        text.push('…');
    }
    text.escape_debug().collect()
}
