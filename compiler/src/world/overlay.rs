//! A world in which some files hold something else: what stands on standard input, what a fix would write, what is only tried.
//!
//! Never writes anything, and never hides a file.

use std::collections::BTreeMap;

use mesh_bundle::Digest;

use super::{ConfigFile, Entry, EntryKind, World};

/// A world with files put over it.
#[derive(Debug, Clone)]
pub struct Overlay<W> {
    /// Where everything else is from.
    pub under: W,
    /// By path, whether they are below or not.
    pub files: BTreeMap<String, Vec<u8>>,
}

impl<W> Overlay<W> {
    /// A world as it is, for files to be put over it.
    pub fn new(under: W) -> Self {
        Self {
            under,
            files: BTreeMap::new(),
        }
    }
}

impl<W: World + Sync> World for Overlay<W> {
    fn entries(&self) -> Vec<Entry> {
        let mut entries = self.under.entries();
        entries.retain(|entry| !self.files.contains_key(&entry.path));
        entries.extend(self.files.iter().map(|(path, bytes)| Entry {
            path: path.clone(),
            kind: EntryKind::File {
                size: bytes.len() as u64,
            },
        }));
        entries
    }

    fn read(&self, path: &str) -> Result<Vec<u8>, String> {
        match self.files.get(path) {
            Some(bytes) => Ok(bytes.clone()),
            None => self.under.read(path),
        }
    }

    fn version(&self, path: &str) -> Option<Digest> {
        match self.files.contains_key(path) {
            true => None,
            false => self.under.version(path),
        }
    }

    fn config(&self) -> Result<Option<ConfigFile>, String> {
        self.under.config()
    }

    fn shared(&self) -> Option<&(dyn World + Sync)> {
        self.under.shared().map(|_| self as _)
    }
}
