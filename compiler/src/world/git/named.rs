//! The files of a work tree by the names that git would give their bytes, so that what stands in a commit already is known.
//!
//! Never asks the index: what git thinks that it knows of a work tree may be out of date.

use std::borrow::Cow;

use git2::{ObjectType, Oid};
use mesh_bundle::Digest;

use crate::parallel::{self, SMALL};
use crate::source::{Limits, could_be_document};
use crate::world::{ConfigFile, Entry, EntryKind, World};

/// A world whose versions are those of commits.
#[derive(Debug, Clone, Copy)]
pub struct ByObject<W>(pub W);

impl<W: World + Sync> World for ByObject<W> {
    /// Reading is cheap beside what is made of it. What nobody will read is not named.
    fn entries(&self) -> Cow<'_, [Entry]> {
        let mut entries = self.0.entries().into_owned();
        entries.sort();
        let mut limits = Limits::default();
        let mut refused = false;
        let read = entries.iter_mut().filter(|entry| {
            if refused || !could_be_document(entry) {
                return false;
            }
            let admitted = limits.admit(entry);
            refused = admitted.as_ref().is_err_and(|refusal| refusal.last);
            admitted.is_ok()
        });
        let mut read: Vec<&mut Entry> = read.collect();
        let named = |entry: &&mut Entry| {
            let bytes = self.0.read(&entry.path).ok()?;
            Oid::hash_object(ObjectType::Blob, &bytes).ok()
        };
        let found = match self.0.shared() {
            Some(_) => parallel::map(&read, SMALL, named),
            None => read.iter().map(named).collect(),
        };
        for (entry, found) in read.iter_mut().zip(found) {
            if let EntryKind::File { version, .. } = &mut entry.kind {
                *version = found.map(named_by);
            }
        }
        entries.into()
    }

    fn read(&self, path: &str) -> Result<Vec<u8>, String> {
        self.0.read(path)
    }

    fn config(&self) -> Result<Option<ConfigFile>, String> {
        self.0.config()
    }

    fn shared(&self) -> Option<&(dyn World + Sync)> {
        self.0.shared().map(|_| self as _)
    }
}

/// What names the bytes of an object.
pub(super) fn named_by(id: Oid) -> Digest {
    Digest::of(id.as_bytes())
}
