//! One repository, open as often as threads read from it: an object database serves one reader at a time.
//!
//! Never opens more than there are readers at once.

use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use git2::{Oid, Repository};

use super::quarantine;

/// Repositories that are open and wait for a reader.
pub(super) struct Readers {
    place: PathBuf,
    idle: Mutex<Vec<Repository>>,
}

impl Readers {
    /// For what is open already.
    pub(super) fn of(repository: &Repository) -> Self {
        Self {
            place: repository.path().to_path_buf(),
            idle: Mutex::default(),
        }
    }

    /// One more that reads can be served from.
    pub(super) fn give(&self, repository: Repository) {
        self.idle().push(repository);
    }

    /// What a file holds, where there is one.
    pub(super) fn blob(&self, id: Option<&Oid>) -> Result<Vec<u8>, String> {
        let id = *id.ok_or_else(|| "no such file".to_owned())?;
        self.with(|repository| {
            let blob = repository.find_blob(id);
            let blob = blob.map_err(|error| format!("object {id}: {}", error.message()))?;
            Ok(blob.content().to_vec())
        })
    }

    /// Reads from one that nobody else reads from.
    pub(super) fn with<T>(
        &self,
        read: impl FnOnce(&Repository) -> Result<T, String>,
    ) -> Result<T, String> {
        let waiting = self.idle().pop();
        let repository = match waiting {
            Some(repository) => repository,
            None => {
                let opened = Repository::open(&self.place);
                quarantine::with(opened.map_err(|error| error.message().to_owned())?)
            }
        };
        let found = read(&repository);
        self.give(repository);
        found
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Repository>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
