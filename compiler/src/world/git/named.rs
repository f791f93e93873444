//! The files of a work tree by the names that git would give their bytes, so that what stands in a commit already is known.
//!
//! Never asks the index: what git thinks that it knows of a work tree may be out of date.

use git2::{ObjectType, Oid};
use mesh_bundle::Digest;

use crate::world::{ConfigFile, Entry, World};

/// A world whose versions are those of commits.
#[derive(Debug, Clone, Copy)]
pub struct ByObject<W>(pub W);

impl<W: World + Sync> World for ByObject<W> {
    fn entries(&self) -> Vec<Entry> {
        self.0.entries()
    }

    fn read(&self, path: &str) -> Result<Vec<u8>, String> {
        self.0.read(path)
    }

    /// Reading is cheap beside what is made of it.
    fn version(&self, path: &str) -> Option<Digest> {
        let bytes = self.0.read(path).ok()?;
        Oid::hash_object(ObjectType::Blob, &bytes).ok().map(version)
    }

    fn config(&self) -> Result<Option<ConfigFile>, String> {
        self.0.config()
    }

    fn shared(&self) -> Option<&(dyn World + Sync)> {
        self.0.shared().map(|_| self as _)
    }
}

/// What names the bytes of an object.
pub(super) fn version(id: Oid) -> Digest {
    Digest::of(id.as_bytes())
}
