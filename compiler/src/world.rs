//! Where the files of a repository come from: a directory, a git tree, memory.
//!
//! The compiler itself does no I/O; what cannot be opened at all is an error of whoever makes the world.

mod dir;
mod git;
mod overlay;

use std::borrow::Cow;
use std::collections::BTreeMap;

use mesh_bundle::Digest;

use crate::config;

pub(crate) use dir::MOST_BYTES;
pub use dir::{DirWorld, FilesWorld};
pub use git::{ByObject, Commit, GitWorld, History, Past, Sizes, Unreadable};
pub use overlay::{Content, Overlay};

/// A repository at one moment. Paths are relative to its root, with `/`, and valid UTF-8.
pub trait World {
    /// Everything that could be a document, in any order: the compiler sorts, filters by extension and skips hidden
    /// directories. Symbolic links and special files are listed as what they are and never followed.
    fn entries(&self) -> Cow<'_, [Entry]>;

    /// The bytes of a file that [`World::entries`] listed.
    ///
    /// # Errors
    /// A file that cannot be read becomes a diagnostic, in words such as `permission denied`.
    fn read(&self, path: &str) -> Result<Vec<u8>, String>;

    /// The settings of the repository: the nearest `meshc.toml`, from the directory of the documents up to the top of the
    /// repository.
    ///
    /// # Errors
    /// There is one, and it cannot be read; in words.
    fn config(&self) -> Result<Option<ConfigFile>, String> {
        Ok(None)
    }

    /// Itself, where several threads may read at once; `None` where one after the other has to do.
    fn shared(&self) -> Option<&(dyn World + Sync)> {
        None
    }
}

impl<W: World + ?Sized> World for &W {
    fn entries(&self) -> Cow<'_, [Entry]> {
        (**self).entries()
    }

    fn read(&self, path: &str) -> Result<Vec<u8>, String> {
        (**self).read(path)
    }

    fn config(&self) -> Result<Option<ConfigFile>, String> {
        (**self).config()
    }

    fn shared(&self) -> Option<&(dyn World + Sync)> {
        (**self).shared()
    }
}

/// Where there is no world, there is nothing.
impl<W: World> World for Option<W> {
    fn entries(&self) -> Cow<'_, [Entry]> {
        self.as_ref().map(World::entries).unwrap_or_default()
    }

    fn read(&self, path: &str) -> Result<Vec<u8>, String> {
        let world = self.as_ref().ok_or("no such file")?;
        world.read(path)
    }

    fn config(&self) -> Result<Option<ConfigFile>, String> {
        self.as_ref().map_or(Ok(None), World::config)
    }

    fn shared(&self) -> Option<&(dyn World + Sync)> {
        self.as_ref()?.shared()
    }
}

/// A `meshc.toml`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigFile {
    /// From the top of the repository, with `/`.
    pub path: String,
    /// What stands in it.
    pub bytes: Vec<u8>,
}

/// Something in a repository.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entry {
    /// Relative to the root, with `/`. Bytes that are not UTF-8 are shown as U+FFFD; such an entry is never read.
    pub path: String,
    /// What it is.
    pub kind: EntryKind,
}

impl Entry {
    /// A file of so many bytes, which nothing names before they are read.
    #[must_use]
    pub fn file(path: &str, bytes: usize) -> Self {
        Self {
            path: path.to_owned(),
            kind: EntryKind::File {
                size: bytes as u64,
                version: None,
            },
        }
    }

    /// See [`EntryKind::File`].
    #[must_use]
    pub fn version(&self) -> Option<Digest> {
        match self.kind {
            EntryKind::File { version, .. } => version,
            _ => None,
        }
    }
}

/// What an entry is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum EntryKind {
    /// A regular file.
    File {
        /// Bytes, known before it is read: a file over the limit is never read.
        size: u64,
        /// What names its bytes before they are read: equal versions are equal bytes. `None` where only reading tells.
        version: Option<Digest>,
    },
    /// A symbolic link: refused where a document could be.
    Symlink,
    /// A git repository of its own, or where one belongs: a commit holds nothing of what is in it, so nobody reads that.
    Submodule,
    /// A directory whose entries cannot be had.
    Unlisted {
        /// In words such as `permission denied`.
        reason: String,
    },
    /// A device, a pipe, a socket, a name that is not UTF-8: refused where a document could be.
    Other {
        /// What it is, in a word or two: `named pipe`.
        what: String,
    },
}

impl EntryKind {
    /// A directory whose name is no text, so that nothing in it could be called by its name.
    pub(crate) fn unnamed() -> Self {
        Self::Unlisted {
            reason: "its name is not UTF-8".to_owned(),
        }
    }
}

/// A repository in memory: tests, and what meshd keeps of the last good commit.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MemoryWorld {
    /// Path to bytes.
    pub files: BTreeMap<String, Vec<u8>>,
}

impl World for MemoryWorld {
    fn entries(&self) -> Cow<'_, [Entry]> {
        let files = self.files.iter();
        files
            .map(|(path, bytes)| Entry::file(path, bytes.len()))
            .collect()
    }

    fn read(&self, path: &str) -> Result<Vec<u8>, String> {
        self.files
            .get(path)
            .cloned()
            .ok_or_else(|| "no such file".to_owned())
    }

    fn config(&self) -> Result<Option<ConfigFile>, String> {
        let file = self.files.get(config::FILE);
        Ok(file.map(|bytes| ConfigFile {
            path: config::FILE.to_owned(),
            bytes: bytes.clone(),
        }))
    }

    fn shared(&self) -> Option<&(dyn World + Sync)> {
        Some(self)
    }
}
