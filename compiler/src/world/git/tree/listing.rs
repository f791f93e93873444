//! Everything that is in a tree of git and in the trees below it.
//!
//! Never walks further than its bounds: depth, width, repetition and names are up to who wrote the commit.

use std::collections::{BTreeMap, BTreeSet};

use git2::{ObjectType, Odb, Oid, Repository, TreeEntry};

use super::super::named::named_by;
use super::{LINK, Unreadable, damaged, find};
use crate::world::{Entry, EntryKind};

/// Longer paths are listed, but never read, and nothing below them is.
const PATH_LIMIT: usize = 4096;
/// A commit with more files and directories is refused.
const ENTRY_LIMIT: usize = 200_000;
/// Bytes of all paths together.
const LISTING_LIMIT: usize = 64 << 20;
/// Characters of a path in a message.
const SHOWN: usize = 200;

#[derive(Default)]
pub(super) struct Listing {
    pub(super) entries: Vec<Entry>,
    /// The objects of files, by path.
    pub(super) blobs: BTreeMap<String, Oid>,
    /// Of each of these objects.
    pub(super) sizes: BTreeMap<Oid, u64>,
    /// Of objects that were seen before.
    known: BTreeMap<Oid, u64>,
    /// Files and directories so far, and the bytes of their paths.
    seen: usize,
    bytes: usize,
}

impl Listing {
    /// Without recursion, and with one directory in memory at a time.
    pub(super) fn of(
        repository: &Repository,
        root: Oid,
        known: BTreeMap<Oid, u64>,
    ) -> Result<Self, Unreadable> {
        let odb = repository.odb();
        let odb = odb.map_err(|error| damaged("the repository", &error))?;
        let mut listing = Self {
            known,
            ..Self::default()
        };
        let mut waiting = vec![(String::new(), root)];
        while let Some((directory, id)) = waiting.pop() {
            let tree = find(repository, &directory, id)?;
            let mut names = BTreeSet::new();
            for entry in &tree {
                let name = entry.name_bytes();
                if let Some(why) = objection(name).or_else(|| {
                    let is_new = names.insert(name.to_vec());
                    (!is_new).then_some("is there twice")
                }) {
                    let name = shown(&String::from_utf8_lossy(name));
                    let place = shown(&directory);
                    return Err(Unreadable::Refused(format!(
                        "`/{place}`, object {id}: the name `{name}` {why}"
                    )));
                }
                let path = format!("{directory}{}", String::from_utf8_lossy(name));
                listing.count(&path)?;
                match listing.judge(&odb, &entry, &path)? {
                    Some(kind) => listing.entries.push(Entry { path, kind }),
                    None => waiting.push((format!("{path}/"), entry.id())),
                }
            }
        }
        Ok(listing)
    }

    fn count(&mut self, path: &str) -> Result<(), Unreadable> {
        self.seen += 1;
        self.bytes += path.len();
        let refused = |what: String| Err(Unreadable::Refused(format!("the commit has {what}")));
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
    ) -> Result<Option<EntryKind>, Unreadable> {
        let other = |what: &str| EntryKind::Other {
            what: what.to_owned(),
        };
        Ok(Some(match (entry.kind(), entry.filemode()) {
            (kind, _) if std::str::from_utf8(entry.name_bytes()).is_err() => match kind {
                Some(ObjectType::Tree) => EntryKind::unnamed(),
                _ => other("file whose name is not UTF-8"),
            },
            _ if path.len() > PATH_LIMIT => other("path that is too long"),
            (Some(ObjectType::Tree), _) => return Ok(None),
            (Some(ObjectType::Blob), LINK) => EntryKind::Symlink,
            (Some(ObjectType::Blob), _) => {
                let id = entry.id();
                let size = match self.known.get(&id) {
                    Some(size) => *size,
                    None => {
                        let told =
                            |error| damaged(&format!("`{}`, object {id}", shown(path)), &error);
                        odb.read_header(id).map_err(told)?.0 as u64
                    }
                };
                self.sizes.insert(id, size);
                self.blobs.insert(path.to_owned(), id);
                EntryKind::File {
                    size,
                    version: Some(named_by(id)),
                }
            }
            _ => EntryKind::Submodule,
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
pub(super) fn shown(path: &str) -> String {
    let mut text: String = path.chars().take(SHOWN).collect();
    if text.len() < path.len() {
        text.push('…');
    }
    text.escape_debug().collect()
}
