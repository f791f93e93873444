//! The state directory: the few things that git does not hold, kept so that a kill at any moment loses none of them.
//!
//! Never shows a half-written file: every write goes to a temporary file, is synced, and takes the place of the old one in
//! one step. Never shares the directory with a second meshd.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use zeroize::Zeroizing;

use crate::ca::Seal;
use crate::random;

/// Only the user that meshd runs as.
const DIRECTORY_MODE: u32 = 0o700;
const FILE_MODE: u32 = 0o600;
const LOCK: &str = "lock";
/// Begins the name of a file that is being written; never the name of one that counts.
const TEMPORARY: &str = ".writing-";
/// A temporary file of this age belongs to a process that was killed.
const ABANDONED: Duration = Duration::from_secs(60);
/// Larger files were not written by meshd.
const FILE_LIMIT: u64 = 1 << 30;

/// The directory, open. Whoever holds the lock may write everything; others may only add and remove whole files.
#[derive(Debug)]
pub struct StateDir {
    root: PathBuf,
    /// Held until the end; the system gives it up when the process ends, however it ends.
    lock: Option<File>,
    /// What keys in it are sealed with.
    seal: Option<Seal>,
}

/// Why the state directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StateFailure {
    /// The system said no.
    #[error("{doing} `{}`: {}", path.display(), explain(source))]
    Io {
        /// `writing`, `reading`, …
        doing: &'static str,
        /// What.
        path: PathBuf,
        /// The answer of the system.
        source: io::Error,
    },
    /// Another meshd uses it.
    #[error("`{}` is in use by another meshd; two of them on one state directory would undo each other's work", path.display())]
    InUse {
        /// The directory.
        path: PathBuf,
    },
}

impl StateFailure {
    fn io(doing: &'static str, path: &Path, source: io::Error) -> Self {
        let path = path.to_owned();
        Self::Io {
            doing,
            path,
            source,
        }
    }
}

fn explain(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            format!("{error}; what was there before is unharmed, free some space")
        }
        _ => error.to_string(),
    }
}

impl Drop for StateDir {
    fn drop(&mut self) {
        self.release();
    }
}

impl StateDir {
    /// Opens the directory, makes it where it is not there, and keeps every other meshd out.
    ///
    /// # Errors
    /// Another meshd uses it, or it cannot be made or written.
    pub fn open(root: &Path) -> Result<Self, StateFailure> {
        let mut state = Self::beside(root)?;
        let path = state.root.join(LOCK);
        let lock = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(FILE_MODE)
            .open(&path)
            .map_err(|error| StateFailure::io("opening", &path, error))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let path = state.root.clone();
                return Err(StateFailure::InUse { path });
            }
            Err(TryLockError::Error(error)) => {
                return Err(StateFailure::io("locking", &path, error));
            }
        }
        state.lock = Some(lock);
        state.remove_abandoned(&state.root);
        Ok(state)
    }

    /// Opens the directory without the lock, for commands that work beside a running meshd.
    ///
    /// # Errors
    /// It cannot be made or its permissions cannot be set.
    pub fn beside(root: &Path) -> Result<Self, StateFailure> {
        make_directory(root)?;
        let root = root
            .canonicalize()
            .map_err(|error| StateFailure::io("opening", root, error))?;
        Ok(Self {
            root,
            lock: None,
            seal: None,
        })
    }

    /// A directory of it, as one of its own; made where it is missing. Whoever holds the lock of the whole may write it.
    ///
    /// # Errors
    /// It cannot be made.
    pub(crate) fn part(&self, name: &str) -> Result<Self, StateFailure> {
        let part = Self::beside(&self.path(name))?;
        part.remove_abandoned(&part.root);
        Ok(part)
    }

    /// Puts a file or directory of it in another place of it; it is there for good when this returns.
    ///
    /// # Errors
    /// It is not there, or cannot be.
    pub(crate) fn rename(&self, from: &str, to: &str) -> Result<(), StateFailure> {
        let (from, to) = (self.path(from), self.path(to));
        let renamed = fs::rename(&from, &to).and_then(|()| {
            let mut parents = [&from, &to].into_iter().filter_map(|path| path.parent());
            parents.try_for_each(|parent| File::open(parent)?.sync_all())
        });
        renamed.map_err(|error| StateFailure::io("moving", &from, error))
    }

    /// Keys are sealed with this from now on.
    #[must_use]
    pub fn sealed_by(mut self, seal: Option<Seal>) -> Self {
        self.seal = seal;
        self
    }

    pub(crate) fn seal(&self) -> Option<&Seal> {
        self.seal.as_ref()
    }

    /// Lets the next meshd in. Whoever still holds this must not write any more.
    pub fn release(&self) {
        if let Some(lock) = &self.lock {
            // Closing would do, but for a process that was forked at this moment and holds the file a little longer.
            let _ = lock.unlock();
        }
    }

    /// Where it is.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The path of a file or directory in it.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// A directory of it, made where it is missing.
    ///
    /// # Errors
    /// It cannot be made.
    pub(crate) fn directory(&self, name: &str) -> Result<PathBuf, StateFailure> {
        let path = self.path(name);
        // One that is there is the operator's.
        if !path.is_dir() {
            make_directory(&path)?;
        }
        Ok(path)
    }

    /// The content of a file; `None` where there is no such file. The memory is wiped after use: it may be a key.
    ///
    /// # Errors
    /// It is there and cannot be read.
    pub fn read(&self, name: &str) -> Result<Option<Zeroizing<Vec<u8>>>, StateFailure> {
        let path = self.path(name);
        let failed = |error| StateFailure::io("reading", &path, error);
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed(error)),
        };
        let length = file.metadata().map_err(failed)?.len();
        let mut bytes = Zeroizing::new(Vec::with_capacity(
            usize::try_from(length.min(FILE_LIMIT)).unwrap_or_default(),
        ));
        let mut limited = file.take(FILE_LIMIT);
        limited.read_to_end(&mut bytes).map_err(failed)?;
        Ok(Some(bytes))
    }

    /// Puts a file in its place, whole or not at all; it is on the disk when this returns.
    ///
    /// # Errors
    /// It cannot be written; the old file is then still there.
    pub fn write(&self, name: &str, bytes: &[u8]) -> Result<(), StateFailure> {
        let path = self.path(name);
        let directory = path.parent().unwrap_or(&self.root);
        if directory != self.root {
            make_directory(directory)?;
        }
        let temporary = directory.join(format!("{TEMPORARY}{}", random::hex(8)));
        let written = write_new(&temporary, bytes)
            .and_then(|()| fs::rename(&temporary, &path))
            .and_then(|()| File::open(directory)?.sync_all());
        written.map_err(|error| {
            // Best effort: it may not have been made, and an abandoned one does no harm.
            let _ = fs::remove_file(&temporary);
            StateFailure::io("writing", &path, error)
        })
    }

    /// Adds to a file after its first `length` bytes; what stood behind them is gone. It is on the disk when this returns.
    ///
    /// # Errors
    /// It is not there or shorter than that, or cannot be written; then anything may stand behind those bytes.
    pub(crate) fn append(&self, name: &str, length: u64, bytes: &[u8]) -> Result<(), StateFailure> {
        let path = self.path(name);
        let append = || {
            let mut file = OpenOptions::new().write(true).open(&path)?;
            if file.metadata()?.len() < length {
                return Err(io::Error::from(io::ErrorKind::UnexpectedEof));
            }
            file.set_len(length)?;
            file.seek(io::SeekFrom::Start(length))?;
            file.write_all(bytes)?;
            file.sync_all()
        };
        append().map_err(|error| StateFailure::io("writing", &path, error))
    }

    /// Removes a file; one that is not there is fine.
    ///
    /// # Errors
    /// It is there and cannot be removed.
    pub fn remove(&self, name: &str) -> Result<(), StateFailure> {
        let path = self.path(name);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(StateFailure::io("removing", &path, error))
            }
            _ => Ok(()),
        }
    }

    /// The names of the files and directories in a directory, sorted; none where there is no such directory.
    ///
    /// # Errors
    /// It is there and cannot be read.
    pub fn list(&self, name: &str) -> Result<Vec<String>, StateFailure> {
        let path = self.path(name);
        let failed = |error| StateFailure::io("reading", &path, error);
        let entries = match fs::read_dir(&path) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(failed(error)),
        };
        let mut names = Vec::new();
        for entry in entries {
            let name = entry.map_err(failed)?.file_name();
            if let Some(name) = name.to_str().filter(|name| !name.starts_with('.')) {
                names.push(name.to_owned());
            }
        }
        names.sort();
        Ok(names)
    }

    /// Temporary files of processes that were killed while they wrote. Errors only mean that some stay.
    fn remove_abandoned(&self, directory: &Path) {
        let Ok(entries) = fs::read_dir(directory) else {
            return;
        };
        for entry in entries.flatten() {
            let Ok(metadata) = entry.metadata() else {
                continue;
            };
            // What lies deeper is one level down; the cache of a repository has its own order.
            if metadata.is_dir() && directory == self.root {
                self.remove_abandoned(&entry.path());
            }
            let ours = entry.file_name().to_string_lossy().starts_with(TEMPORARY);
            let age = metadata
                .modified()
                .ok()
                .and_then(|time| SystemTime::now().duration_since(time).ok());
            if ours && metadata.is_file() && age.is_some_and(|age| age > ABANDONED) {
                let _ = fs::remove_file(entry.path());
            }
        }
    }
}

fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(FILE_MODE)
        .open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Also what lies above it, as far as it is missing. Tightens what is there already.
fn make_directory(path: &Path) -> Result<(), StateFailure> {
    let failed = |doing, error| StateFailure::io(doing, path, error);
    if !path.is_dir() {
        let made = DirBuilder::new()
            .recursive(true)
            .mode(DIRECTORY_MODE)
            .create(path);
        // The name of the directory must outlast a power cut as surely as the files in it.
        let synced = made.and_then(|()| match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => File::open(parent)?.sync_all(),
            _ => Ok(()),
        });
        synced.map_err(|error| failed("making the directory", error))?;
    }
    let mode = fs::metadata(path)
        .map_err(|error| failed("opening", error))?
        .permissions()
        .mode();
    if mode & 0o777 != DIRECTORY_MODE {
        fs::set_permissions(path, Permissions::from_mode(DIRECTORY_MODE))
            .map_err(|error| failed("restricting the permissions of", error))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
