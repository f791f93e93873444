//! The state directory: ours alone, and held by one process at a time.
//!
//! Never stops a proxy that could serve: a directory that cannot be written is a warning, and the proxy lives from memory.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::CONTROL;

const LOCK: &str = "lock";

/// How often a lock that is held is tried again.
const AGAIN: Duration = Duration::from_millis(20);

/// An open state directory.
#[derive(Debug)]
pub(crate) struct Directory {
    path: PathBuf,
    /// Held for as long as the process lives. `None`: nothing can be written here.
    _lock: Option<File>,
}

/// Why a state directory must not be used: two cases in which going on would do harm.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refused {
    #[error("state directory `{0}` is in use by another process")]
    InUse(PathBuf),
    #[error(
        "state directory `{0}` is open to others and holds files that are not a proxy's; give the proxy a directory of its own"
    )]
    NotOurs(PathBuf),
}

impl Directory {
    /// Takes the directory, and waits `patience` for a process that is on its way out.
    pub(crate) fn open(path: &Path, patience: Duration) -> Result<Self, Refused> {
        let created = DirBuilder::new().recursive(true).mode(0o700).create(path);
        if let Err(error) = created {
            warn(path, &error);
        }
        close_to_others(path)?;
        let end = Instant::now() + patience;
        let lock = match lock(&path.join(LOCK), end) {
            Ok(file) => Some(file),
            Err(TryLockError::WouldBlock) => return Err(Refused::InUse(path.to_owned())),
            Err(TryLockError::Error(error)) => {
                warn(path, &error);
                None
            }
        };
        Ok(Self {
            path: path.to_owned(),
            _lock: lock,
        })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

fn warn(path: &Path, error: &io::Error) {
    tracing::warn!(
        path = %path.display(),
        %error,
        "the state directory cannot be used: this proxy will not serve after a restart while meshd is away"
    );
}

fn lock(path: &Path, end: Instant) -> Result<File, TryLockError> {
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .open(path)
        .map_err(TryLockError::Error)?;
    loop {
        match file.try_lock() {
            Err(TryLockError::WouldBlock) if Instant::now() < end => std::thread::sleep(AGAIN),
            Ok(()) => return Ok(file),
            Err(error) => return Err(error),
        }
    }
}

/// A directory that was made with wider permissions is narrowed, unless somebody else lives in it.
fn close_to_others(path: &Path) -> Result<(), Refused> {
    let Ok(metadata) = fs::metadata(path) else {
        return Ok(());
    };
    if metadata.mode() & 0o077 == 0 {
        return Ok(());
    }
    let mut names = fs::read_dir(path)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.file_name());
    let empty = names.next().is_none();
    let ours = [LOCK, CONTROL].iter().any(|name| path.join(name).is_file());
    if !empty && !ours {
        return Err(Refused::NotOurs(path.to_owned()));
    }
    if let Err(error) = fs::set_permissions(path, fs::Permissions::from_mode(0o700)) {
        tracing::warn!(path = %path.display(), %error, "the state directory is open to others");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{Directory, Refused};
    use std::fs;
    use std::os::unix::fs::PermissionsExt;
    use std::time::Duration;

    fn mode(path: &std::path::Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn a_directory_is_made_and_held() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("a/b");
        let first = Directory::open(&path, Duration::ZERO).unwrap();
        assert_eq!(mode(&path), 0o700);
        let second = Directory::open(&path, Duration::ZERO);
        assert!(matches!(second, Err(Refused::InUse(_))), "{second:?}");
        drop(first);
        assert!(Directory::open(&path, Duration::ZERO).is_ok());
    }

    #[test]
    fn an_open_directory_is_closed_unless_it_is_not_ours() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("a");
        let open = fs::Permissions::from_mode(0o755);
        fs::create_dir(&path).unwrap();
        fs::set_permissions(&path, open.clone()).unwrap();
        drop(Directory::open(&path, Duration::ZERO).unwrap());
        assert_eq!(mode(&path), 0o700);
        let theirs = parent.path().join("theirs");
        fs::create_dir(&theirs).unwrap();
        fs::write(theirs.join("x"), "x").unwrap();
        fs::set_permissions(&theirs, open).unwrap();
        let refused = Directory::open(&theirs, Duration::ZERO);
        assert!(matches!(refused, Err(Refused::NotOurs(_))));
        assert_eq!(mode(&theirs), 0o755);
    }

    #[test]
    fn a_directory_that_cannot_be_made_is_survived() {
        let parent = tempfile::tempdir().unwrap();
        fs::write(parent.path().join("file"), "").unwrap();
        assert!(Directory::open(&parent.path().join("file/state"), Duration::ZERO).is_ok());
    }
}
