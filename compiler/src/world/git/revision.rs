//! One revision, for whoever cannot hold on to the repository that it is in.
//!
//! Never reads more than it is asked for: a revision may hold much that is no document.

use std::borrow::Cow;

use super::History;
use super::readers::Readers;
use super::tree::Listed;
use crate::world::{ConfigFile, Entry, World};

/// The directory at one revision, with the repository that it is read from.
pub struct Revision {
    readers: Readers,
    listed: Listed,
}

impl std::fmt::Debug for Revision {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Revision")
            .field("id", &self.listed.id)
            .finish_non_exhaustive()
    }
}

impl History {
    /// As [`History::at`], for good.
    ///
    /// # Errors
    /// In words.
    pub fn revision(self, revision: &str) -> Result<Revision, String> {
        let listed = self.at(revision)?.apart();
        let readers = self.readers;
        Ok(Revision { readers, listed })
    }
}

impl World for Revision {
    fn entries(&self) -> Cow<'_, [Entry]> {
        self.listed.entries.as_slice().into()
    }

    fn read(&self, path: &str) -> Result<Vec<u8>, String> {
        self.readers.blob(self.listed.blobs.get(path))
    }

    fn config(&self) -> Result<Option<ConfigFile>, String> {
        self.listed.config.clone()
    }

    fn shared(&self) -> Option<&(dyn World + Sync)> {
        Some(self)
    }
}
