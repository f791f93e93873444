//! A world in which some files hold something else: what is open in an editor, what stands on standard input, what a fix would
//! write, what is only tried.
//!
//! Never writes anything, and never hides a file.

use std::borrow::Cow;
use std::collections::BTreeMap;

use mesh_bundle::Digest;

use super::{ConfigFile, Entry, EntryKind, World};

/// A world with files put over it.
#[derive(Debug, Clone)]
pub struct Overlay<W, T = Vec<u8>> {
    /// Where everything else is from.
    pub under: W,
    /// By path, whether they are below or not.
    pub files: BTreeMap<String, T>,
    /// Settings that count instead of those below.
    pub config: Option<ConfigFile>,
}

/// What a file holds that is put over others.
pub trait Content {
    /// All of it.
    fn bytes(&self) -> &[u8];

    /// See [`EntryKind::File`].
    fn version(&self) -> Option<Digest> {
        None
    }
}

impl Content for Vec<u8> {
    fn bytes(&self) -> &[u8] {
        self
    }
}

impl<T: Content> Content for &T {
    fn bytes(&self) -> &[u8] {
        (**self).bytes()
    }

    fn version(&self) -> Option<Digest> {
        (**self).version()
    }
}

impl<W, T> Overlay<W, T> {
    /// A world as it is, for files to be put over it.
    pub fn new(under: W) -> Self {
        Self {
            under,
            files: BTreeMap::new(),
            config: None,
        }
    }
}

impl<W: World + Sync, T: Content + Sync> World for Overlay<W, T> {
    fn entries(&self) -> Cow<'_, [Entry]> {
        let mut entries = self.under.entries().into_owned();
        entries.retain(|entry| !self.files.contains_key(&entry.path));
        entries.extend(self.files.iter().map(|(path, content)| Entry {
            path: path.clone(),
            kind: EntryKind::File {
                size: content.bytes().len() as u64,
                version: content.version(),
            },
        }));
        entries.into()
    }

    fn read(&self, path: &str) -> Result<Vec<u8>, String> {
        match self.files.get(path) {
            Some(content) => Ok(content.bytes().to_vec()),
            None => self.under.read(path),
        }
    }

    fn config(&self) -> Result<Option<ConfigFile>, String> {
        match &self.config {
            Some(config) => Ok(Some(config.clone())),
            None => self.under.config(),
        }
    }

    fn shared(&self) -> Option<&(dyn World + Sync)> {
        self.under.shared().map(|_| self as _)
    }
}
