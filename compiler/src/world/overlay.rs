//! A world in which some files hold something else: what stands on standard input, what a fix would write, what is only tried.
//!
//! Never writes anything, and never hides a file.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::{ConfigFile, Entry, World};

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
    fn entries(&self) -> Cow<'_, [Entry]> {
        let mut entries = self.under.entries().into_owned();
        entries.retain(|entry| !self.files.contains_key(&entry.path));
        let over = self.files.iter();
        entries.extend(over.map(|(path, bytes)| Entry::file(path, bytes.len())));
        entries.into()
    }

    fn read(&self, path: &str) -> Result<Vec<u8>, String> {
        match self.files.get(path) {
            Some(bytes) => Ok(bytes.clone()),
            None => self.under.read(path),
        }
    }

    fn config(&self) -> Result<Option<ConfigFile>, String> {
        self.under.config()
    }

    fn shared(&self) -> Option<&(dyn World + Sync)> {
        self.under.shared().map(|_| self as _)
    }
}
