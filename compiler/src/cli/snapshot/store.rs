//! The directory of snapshots.
//!
//! Never follows a link, and never writes or removes what is no snapshot.

#![expect(
    clippy::disallowed_methods,
    reason = "this is the place where snapshots are read and written"
)]

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::PathBuf;

use anyhow::{Context as _, bail};

use super::Difference;
use crate::cli::file;
use crate::inspect::SNAPSHOT;

/// More files than this are no snapshots of one repository.
const MOST_FILES: usize = 100_000;
/// Below the directory: mesh, sort, file.
const DEPTH: usize = 2;

/// Where snapshots are.
#[derive(Debug)]
pub(super) struct Store {
    directory: PathBuf,
}

impl Store {
    pub(super) fn at(directory: PathBuf) -> Self {
        Self { directory }
    }

    /// What is not as it should be, by name.
    pub(super) fn differences(
        &self,
        wanted: &BTreeMap<String, String>,
    ) -> Result<Vec<Difference>, anyhow::Error> {
        let mut there = self.files(".snap")?;
        let mut differences = Vec::new();
        for (name, new) in wanted {
            let old = there.remove(name);
            if let Some(old) = &old
                && !old.starts_with(SNAPSHOT)
            {
                bail!(
                    "{} is no snapshot, and is not written over",
                    self.path(name).display()
                );
            }
            // Whoever checks out with other ends of lines has the same snapshot.
            if old.as_ref().map(|old| old.replace("\r\n", "\n")).as_ref() != Some(new) {
                let (name, new) = (name.clone(), Some(new.clone()));
                differences.push(Difference { name, old, new });
            }
        }
        let left = there
            .into_iter()
            .filter(|(_, text)| text.starts_with(SNAPSHOT));
        differences.extend(left.map(|(name, old)| Difference {
            name,
            old: Some(old),
            new: None,
        }));
        differences.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(differences)
    }

    /// Puts what should be beside what is, and takes away what was put there before.
    pub(super) fn put_beside(&self, differences: &[Difference]) -> Result<(), anyhow::Error> {
        self.clear()?;
        for Difference { name, new, .. } in differences {
            if let Some(new) = new {
                self.write(&format!("{name}.new"), new)?;
            }
        }
        Ok(())
    }

    /// Makes a snapshot what it should be, and says what was done.
    pub(super) fn accept(&self, difference: &Difference) -> Result<String, anyhow::Error> {
        let name = &difference.name;
        self.forget(difference)?;
        Ok(match &difference.new {
            Some(new) => {
                self.write(name, new)?;
                format!("wrote {}\n", self.path(name).display())
            }
            None => {
                self.remove(name)?;
                format!("removed {}\n", self.path(name).display())
            }
        })
    }

    /// Removes what was put beside a snapshot.
    pub(super) fn forget(&self, difference: &Difference) -> Result<(), anyhow::Error> {
        self.remove(&format!("{}.new", difference.name))
    }

    /// Removes what was put beside any, and says how many that were.
    pub(super) fn clear(&self) -> Result<usize, anyhow::Error> {
        let pending = self.files(".snap.new")?;
        let own = pending
            .iter()
            .filter(|(_, text)| text.starts_with(SNAPSHOT));
        let mut gone = 0;
        for (name, _) in own {
            self.remove(name)?;
            gone += 1;
        }
        Ok(gone)
    }

    /// The files whose names end so, by their paths.
    fn files(&self, ending: &str) -> Result<BTreeMap<String, String>, anyhow::Error> {
        let mut files = BTreeMap::new();
        let mut open = vec![(self.directory.clone(), String::new(), 0)];
        while let Some((directory, prefix, depth)) = open.pop() {
            let cannot = || format!("cannot read {}", directory.display());
            let listed = match std::fs::read_dir(&directory) {
                Ok(listed) => listed,
                // Nothing has been accepted yet.
                Err(error) if error.kind() == ErrorKind::NotFound => continue,
                Err(error) => return Err(error).with_context(cannot),
            };
            for entry in listed {
                let entry = entry.with_context(cannot)?;
                let kind = entry.file_type().with_context(cannot)?;
                let Some(name) = entry.file_name().to_str().map(str::to_owned) else {
                    continue;
                };
                let path = format!("{prefix}{name}");
                if kind.is_dir() && depth < DEPTH {
                    open.push((entry.path(), format!("{path}/"), depth + 1));
                } else if kind.is_file() && name.ends_with(ending) {
                    let bytes = std::fs::read(entry.path());
                    let bytes =
                        bytes.with_context(|| format!("cannot read {}", entry.path().display()))?;
                    files.insert(path, String::from_utf8_lossy(&bytes).into_owned());
                }
                if files.len() > MOST_FILES {
                    bail!("{} holds too many files", self.directory.display());
                }
            }
        }
        Ok(files)
    }

    fn write(&self, name: &str, text: &str) -> Result<(), anyhow::Error> {
        let path = self.path(name);
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent)
                .with_context(|| format!("cannot make {}", parent.display()))?;
        }
        file::write(&path, text.as_bytes())
    }

    fn remove(&self, name: &str) -> Result<(), anyhow::Error> {
        let path = self.path(name);
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                Err(error).with_context(|| format!("cannot remove {}", path.display()))
            }
            _ => Ok(()),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }
}
