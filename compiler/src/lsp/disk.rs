//! What the disk has, read once: what is open in the editor is put over it.
//!
//! Never reads a file twice that nobody says has changed: compiling after a keystroke costs no look at the disk.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use mesh_bundle::Digest;

use crate::parallel::{self, SMALL};
use crate::source::REPOSITORY_BYTES;
use crate::world::{ConfigFile, DirWorld, Entry, EntryKind, World};

/// A directory as it was when somebody looked last.
#[derive(Debug)]
pub(super) struct Disk {
    directory: DirWorld,
    files: BTreeMap<String, File>,
    config: Result<Option<ConfigFile>, String>,
}

#[derive(Debug)]
struct File {
    kind: EntryKind,
    content: Content,
}

#[derive(Debug)]
enum Content {
    Kept(Digest, Vec<u8>),
    /// Too much to be kept: it is read when it is asked for.
    Left,
    Unreadable(String),
}

/// Which files may be others now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Changed {
    /// These, and whatever came or went.
    Files(BTreeSet<String>),
    /// Any.
    All,
}

impl Disk {
    /// Reads a directory.
    pub(super) fn open(root: &Path) -> Result<Self, String> {
        let mut disk = Self {
            directory: DirWorld::open(root)?,
            files: BTreeMap::new(),
            config: Ok(None),
        };
        disk.look(&Changed::All);
        Ok(disk)
    }

    /// Looks again.
    pub(super) fn look(&mut self, changed: &Changed) {
        let is_changed = |path: &str| match changed {
            Changed::All => true,
            Changed::Files(files) => files.contains(path),
        };
        let mut before = std::mem::take(&mut self.files);
        let (mut missing, mut bytes) = (Vec::new(), 0_u64);
        for Entry { path, kind } in self.directory.entries().into_owned() {
            let known = before.remove(&path);
            match known.filter(|known| known.kind == kind && !is_changed(&path)) {
                Some(known) => {
                    bytes = bytes.saturating_add(known.kept());
                    self.files.insert(path, known);
                }
                None => missing.push((path, kind)),
            }
        }
        let mut wanted = Vec::new();
        for (path, kind) in missing {
            match kind {
                EntryKind::File { size, .. } if bytes.saturating_add(size) <= REPOSITORY_BYTES => {
                    bytes = bytes.saturating_add(size);
                    wanted.push((path, kind));
                }
                kind => {
                    let content = Content::Left;
                    self.files.insert(path, File { kind, content });
                }
            }
        }
        let directory = &self.directory;
        let read = parallel::map(&wanted, SMALL, |(path, _)| match directory.read(path) {
            Ok(bytes) => Content::Kept(Digest::of(&bytes), bytes),
            Err(reason) => Content::Unreadable(reason),
        });
        let read = wanted.into_iter().zip(read);
        let files = read.map(|((path, kind), content)| (path, File { kind, content }));
        self.files.extend(files);
        self.config = self.directory.config();
    }

    /// Where a file is.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.directory.path(name)
    }

    /// Which settings the disk has, from the top of the work tree.
    pub(super) fn nearest(&self) -> Option<&str> {
        let config = self.config.as_ref().ok()?.as_ref()?;
        Some(&config.path)
    }
}

impl File {
    /// What it is, with the name of its bytes.
    fn named(&self) -> EntryKind {
        match (&self.kind, &self.content) {
            (EntryKind::File { size, .. }, Content::Kept(digest, _)) => EntryKind::File {
                size: *size,
                version: Some(*digest),
            },
            (kind, _) => kind.clone(),
        }
    }

    fn kept(&self) -> u64 {
        match &self.content {
            Content::Kept(_, bytes) => bytes.len() as u64,
            Content::Left | Content::Unreadable(_) => 0,
        }
    }
}

impl World for Disk {
    fn entries(&self) -> Cow<'_, [Entry]> {
        let files = self.files.iter();
        let entries = files.map(|(path, file)| Entry {
            path: path.clone(),
            kind: file.named(),
        });
        entries.collect()
    }

    fn read(&self, path: &str) -> Result<Vec<u8>, String> {
        match &self.files.get(path).ok_or("no such file")?.content {
            Content::Kept(_, bytes) => Ok(bytes.clone()),
            Content::Left => self.directory.read(path),
            Content::Unreadable(reason) => Err(reason.clone()),
        }
    }

    fn config(&self) -> Result<Option<ConfigFile>, String> {
        self.config.clone()
    }

    fn shared(&self) -> Option<&(dyn World + Sync)> {
        Some(self)
    }
}
