//! The files that a commit was compiled from, kept: what registered Dataplanes join, and what outlives a kill.
//!
//! Never names the same bytes in two ways: the compiler would take them for others, and read them again.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;

use mesh_bundle::Digest;
use mesh_compiler::World;
use mesh_compiler::config::FILE;
use mesh_compiler::source::Sources;
use mesh_compiler::world::{ConfigFile, Entry, EntryKind};

/// By path; a copy costs nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Files(Arc<BTreeMap<String, File>>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct File {
    /// What names its bytes where it came from; `None`: they name themselves.
    version: Option<Digest>,
    bytes: Arc<[u8]>,
}

impl Files {
    /// What is different from `before`: new bytes, or none where a file is gone.
    pub(crate) fn since<'a>(
        &'a self,
        before: &'a Self,
    ) -> impl Iterator<Item = (&'a str, Option<&'a [u8]>)> {
        let gone = before.0.keys().filter(|path| !self.0.contains_key(*path));
        let gone = gone.map(|path| (path.as_str(), None));
        let news = self.0.iter().filter(|(path, file)| {
            let known = before.0.get(*path);
            known.is_none_or(|known| {
                !Arc::ptr_eq(&known.bytes, &file.bytes) && known.bytes != file.bytes
            })
        });
        let news = news.map(|(path, file)| (path.as_str(), Some(&*file.bytes)));
        news.chain(gone)
    }

    /// With these files, and without those that have no bytes.
    pub(crate) fn with(mut self, changes: Vec<(String, Option<Vec<u8>>)>) -> Self {
        let files = Arc::make_mut(&mut self.0);
        for (path, bytes) in changes {
            let file = bytes.map(|bytes| File {
                version: None,
                bytes: bytes.into(),
            });
            match file {
                Some(file) => drop(files.insert(path, file)),
                None => drop(files.remove(&path)),
            }
        }
        self
    }

    fn same(&self, path: &str, version: Option<Digest>) -> Option<File> {
        let file = self.0.get(path)?;
        (version.is_some() && file.version == version).then(|| file.clone())
    }
}

impl FromIterator<(String, Vec<u8>)> for Files {
    fn from_iter<I: IntoIterator<Item = (String, Vec<u8>)>>(files: I) -> Self {
        let files = files.into_iter();
        let file = |bytes: Vec<u8>| File {
            version: None,
            bytes: bytes.into(),
        };
        let files = files.map(|(path, bytes)| (path, file(bytes)));
        Self(Arc::new(files.collect()))
    }
}

impl World for Files {
    fn entries(&self) -> Cow<'_, [Entry]> {
        let entry = |(path, file): (&String, &File)| Entry {
            path: path.clone(),
            kind: EntryKind::File {
                size: file.bytes.len() as u64,
                version: file.version,
            },
        };
        self.0.iter().map(entry).collect()
    }

    fn read(&self, path: &str) -> Result<Vec<u8>, String> {
        let file = self.0.get(path).ok_or("no such file")?;
        Ok(file.bytes.to_vec())
    }

    fn config(&self) -> Result<Option<ConfigFile>, String> {
        let file = self.0.get(FILE);
        Ok(file.map(|file| ConfigFile {
            path: FILE.to_owned(),
            bytes: file.bytes.to_vec(),
        }))
    }

    fn shared(&self) -> Option<&(dyn World + Sync)> {
        Some(self)
    }
}

/// A world that remembers what was read of it, and what the rest is called that was not.
pub(super) struct Recorder<'a> {
    inner: &'a dyn World,
    read: RefCell<BTreeMap<String, File>>,
}

impl<'a> Recorder<'a> {
    pub(super) fn new(inner: &'a dyn World) -> Self {
        Self {
            inner,
            read: RefCell::default(),
        }
    }

    /// Everything that was compiled, with the settings. What the compiler knew already is taken from what was served
    /// before, or read now.
    ///
    /// # Errors
    /// A file is gone in between; in words.
    pub(super) fn files(self, sources: &Sources, before: &Files) -> Result<Files, String> {
        let mut files = self.read.into_inner();
        let entries = self.inner.entries();
        let versions = entries
            .iter()
            .map(|entry| (entry.path.as_str(), entry.version()));
        let versions: BTreeMap<_, _> = versions.collect();
        for (path, _) in sources.files() {
            let version = versions.get(path).copied().flatten();
            if let Some(read) = files.get_mut(path) {
                read.version = version;
                continue;
            }
            let file = match before.same(path, version) {
                Some(file) => file,
                None => {
                    let bytes = self.inner.read(path);
                    let bytes = bytes.map_err(|why| format!("{path}: cannot be read: {why}\n"))?;
                    let bytes = bytes.into();
                    File { version, bytes }
                }
            };
            files.insert(path.to_owned(), file);
        }
        Ok(Files(Arc::new(files)))
    }

    fn record(&self, path: &str, bytes: &[u8]) {
        let file = File {
            version: None,
            bytes: bytes.into(),
        };
        self.read.borrow_mut().insert(path.to_owned(), file);
    }
}

impl World for Recorder<'_> {
    fn entries(&self) -> Cow<'_, [Entry]> {
        self.inner.entries()
    }

    fn config(&self) -> Result<Option<ConfigFile>, String> {
        let found = self.inner.config()?;
        if let Some(found) = &found {
            // Wherever it stood: what is compiled again is the directory of the documents alone.
            self.record(FILE, &found.bytes);
        }
        Ok(found)
    }

    fn read(&self, path: &str) -> Result<Vec<u8>, String> {
        let bytes = self.inner.read(path)?;
        self.record(path, &bytes);
        Ok(bytes)
    }
}
