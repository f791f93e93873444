//! A world in which only a part of a change was made.
//!
//! Never mixes two sides within one file.

use std::borrow::Cow;
use std::collections::BTreeSet;

use crate::world::{ConfigFile, Entry, World};

/// One side of a change, but for some files, which are those of the other.
pub(super) struct Part<'a> {
    pub(super) most: &'a (dyn World + Sync),
    pub(super) rest: &'a (dyn World + Sync),
    /// Files of either side.
    pub(super) of_rest: &'a BTreeSet<String>,
}

impl<'a> Part<'a> {
    fn side(&self, path: &str) -> &'a (dyn World + Sync) {
        match self.of_rest.contains(path) {
            true => self.rest,
            false => self.most,
        }
    }
}

impl World for Part<'_> {
    fn entries(&self) -> Cow<'_, [Entry]> {
        let of_rest = |entry: &&Entry| self.of_rest.contains(&entry.path);
        let (most, rest) = (self.most.entries(), self.rest.entries());
        let most = most.iter().filter(|entry| !of_rest(entry));
        most.chain(rest.iter().filter(of_rest)).cloned().collect()
    }

    fn read(&self, path: &str) -> Result<Vec<u8>, String> {
        self.side(path).read(path)
    }

    fn config(&self) -> Result<Option<ConfigFile>, String> {
        self.most.config()
    }

    fn shared(&self) -> Option<&(dyn World + Sync)> {
        let both = self.most.shared().and(self.rest.shared());
        both.map(|_| self as _)
    }
}
