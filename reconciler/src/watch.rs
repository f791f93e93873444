//! Notices that something outside of meshd may have changed: references of a local repository, files in the secret directory.
//!
//! Never says what: a wake-up is only a reason to look, and many wake-ups are one.

use std::path::Path;

use notify::event::{AccessKind, AccessMode, ModifyKind};
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::mpsc;

use crate::git::Source;
use crate::state::StateDir;

/// Wakes up when there is something to look at. Without a watchable place, never.
#[derive(Debug)]
pub struct Watch {
    /// Held for as long as events are wanted.
    _watcher: Option<RecommendedWatcher>,
    /// Keeps the channel open where there is no watcher.
    _sender: mpsc::Sender<()>,
    changes: mpsc::Receiver<()>,
}

impl Watch {
    /// Begins to watch a local repository. Where the system refuses, the reason is logged and polling remains.
    #[must_use]
    pub fn references(source: &Source) -> Self {
        Self::begin(|sender| {
            let directory = source.watched()?;
            let watcher = references(&directory, sender);
            let refused = |error: &notify::Error| {
                tracing::warn!(%error, directory = %directory.display(), "the repository cannot be watched, only polled");
            };
            watcher.inspect_err(refused).ok()
        })
    }

    /// Begins to watch the files of the operator. Where the system refuses, the reason is logged and polling remains.
    pub(crate) fn secrets(state: &StateDir) -> Self {
        Self::begin(|sender| {
            let refused = |error: &dyn std::fmt::Display| {
                tracing::warn!(%error, "the secret directory cannot be watched, only polled");
            };
            let directory = state.directory("secrets");
            let directory = directory.inspect_err(|error| refused(error)).ok()?;
            let watcher = secrets(&directory, sender);
            watcher.inspect_err(|error| refused(error)).ok()
        })
    }

    fn begin(watcher: impl FnOnce(mpsc::Sender<()>) -> Option<RecommendedWatcher>) -> Self {
        let (sender, changes) = mpsc::channel(1);
        Self {
            _watcher: watcher(sender.clone()),
            _sender: sender,
            changes,
        }
    }

    /// Waits for the next change; changes since the last call count as one.
    pub async fn changed(&mut self) {
        if self.changes.recv().await.is_none() {
            std::future::pending::<()>().await;
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
    for name in ["refs", "reftable"] {
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
    let named = ["HEAD", "packed-refs"]
        .iter()
        .any(|name| relative == Path::new(name));
    let inside = ["refs", "reftable"]
        .iter()
        .any(|name| relative.starts_with(name));
    let lock = relative
        .extension()
        .is_some_and(|extension| extension == "lock");
    (named || inside) && !lock
}
