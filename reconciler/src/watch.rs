//! Notices that something outside of meshd may have changed: references of a local repository, files in the secret directory.
//!
//! Never says what: a wake-up is only a reason to look, and many wake-ups are one.

mod looking;

use std::path::{Path, PathBuf};

use notify::event::{AccessKind, AccessMode, ModifyKind};
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::mpsc;

use crate::git::Source;
use crate::state::StateDir;
use looking::Looking;

/// What of a repository tells that a reference changed.
const NAMED: [&str; 2] = ["HEAD", "packed-refs"];
const INSIDE: [&str; 2] = ["refs", "reftable"];

/// Wakes up when there is something to look at. Without a watchable place, never.
#[derive(Debug)]
pub struct Watch(Kind);

#[derive(Debug)]
enum Kind {
    Nothing,
    Told {
        /// Held for as long as events are wanted.
        _watcher: RecommendedWatcher,
        changes: mpsc::Receiver<()>,
    },
    Looking(Looking),
}

impl Watch {
    /// Begins to watch a local repository. Where the system refuses, the reason is logged, and it is looked at every second.
    #[must_use]
    pub fn references(source: &Source) -> Self {
        let Some(directory) = source.watched() else {
            return Self(Kind::Nothing);
        };
        Self::begin(&directory, references, |directory| {
            let places = NAMED.iter().chain(&INSIDE);
            places.map(|name| directory.join(name)).collect()
        })
    }

    /// Begins to watch the files of the operator, in the same way.
    pub(crate) fn secrets(state: &StateDir) -> Self {
        match state.directory("secrets") {
            Ok(directory) => {
                Self::begin(&directory, secrets, |directory| vec![directory.to_owned()])
            }
            Err(error) => {
                tracing::warn!(%error, "the secret directory cannot be watched");
                Self(Kind::Nothing)
            }
        }
    }

    fn begin(
        directory: &Path,
        watch: impl FnOnce(&Path, mpsc::Sender<()>) -> notify::Result<RecommendedWatcher>,
        places: impl FnOnce(&Path) -> Vec<PathBuf>,
    ) -> Self {
        let (sender, changes) = mpsc::channel(1);
        Self(match watch(directory, sender) {
            Ok(watcher) => Kind::Told {
                _watcher: watcher,
                changes,
            },
            Err(error) => {
                tracing::warn!(%error, directory = %directory.display(), "the system does not tell of changes here: it is looked at every second");
                Kind::Looking(Looking::begin(places(directory)))
            }
        })
    }

    /// Waits for the next change; changes since the last call count as one.
    pub async fn changed(&mut self) {
        match &mut self.0 {
            Kind::Nothing => std::future::pending().await,
            Kind::Told { changes, .. } => {
                if changes.recv().await.is_none() {
                    std::future::pending::<()>().await;
                }
            }
            Kind::Looking(looking) => looking.changed().await,
        }
    }
}

fn references(directory: &Path, sender: mpsc::Sender<()>) -> notify::Result<RecommendedWatcher> {
    let root = directory.to_owned();
    let relevant = move |event: &Event| {
        !matches!(event.kind, EventKind::Access(_))
            && event.paths.iter().any(|path| is_reference(&root, path))
    };
    let mut watcher = waking(sender, relevant)?;
    watcher.watch(directory, RecursiveMode::NonRecursive)?;
    for name in INSIDE {
        let inside = directory.join(name);
        if inside.is_dir() {
            watcher.watch(&inside, RecursiveMode::Recursive)?;
        }
    }
    Ok(watcher)
}

/// What is being written is looked at when it is written.
fn secrets(directory: &Path, sender: mpsc::Sender<()>) -> notify::Result<RecommendedWatcher> {
    let relevant = |event: &Event| {
        matches!(
            event.kind,
            EventKind::Access(AccessKind::Close(AccessMode::Write))
                | EventKind::Modify(ModifyKind::Name(_))
        )
    };
    let mut watcher = waking(sender, relevant)?;
    watcher.watch(directory, RecursiveMode::Recursive)?;
    Ok(watcher)
}

fn waking(
    sender: mpsc::Sender<()>,
    relevant: impl Fn(&Event) -> bool + Send + 'static,
) -> notify::Result<RecommendedWatcher> {
    notify::recommended_watcher(move |event: notify::Result<Event>| {
        // Where events were lost: look.
        if event.is_err() || event.is_ok_and(|event| relevant(&event)) {
            // Full: a wake-up is waiting already.
            let _ = sender.try_send(());
        }
    })
}

fn is_reference(root: &Path, path: &Path) -> bool {
    let Ok(relative) = path.strip_prefix(root) else {
        return false;
    };
    let named = NAMED.iter().any(|name| relative == Path::new(name));
    let inside = INSIDE.iter().any(|name| relative.starts_with(name));
    let lock = relative
        .extension()
        .is_some_and(|extension| extension == "lock");
    (named || inside) && !lock
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn where_the_system_refuses_it_is_looked_at() {
        let room = tempfile::tempdir().unwrap();
        let refuses = |_: &Path, _| Err(notify::Error::new(notify::ErrorKind::MaxFilesWatch));
        let places = |directory: &Path| vec![directory.join("HEAD"), directory.join("refs")];
        let mut watch = Watch::begin(room.path(), refuses, places);
        for (path, text) in [("refs/heads/main", "1"), ("HEAD", "a"), ("HEAD", "b")] {
            let path = room.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, text).unwrap();
            tokio::time::timeout(Duration::from_secs(20), watch.changed())
                .await
                .expect("the change is noticed");
        }
    }
}
