//! Notices that a local repository may have a new commit.
//!
//! Never says which: a wake-up is only a reason to look, and many wake-ups are one.

use std::path::Path;

use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::mpsc;

use super::Source;

/// Wakes up when references change. Without a watchable place, never.
#[derive(Debug)]
pub struct Watch {
    /// Held for as long as events are wanted.
    _watcher: Option<RecommendedWatcher>,
    /// Keeps the channel open where there is no watcher.
    _sender: mpsc::Sender<()>,
    changes: mpsc::Receiver<()>,
}

impl Watch {
    /// Begins to watch. Where the system refuses, the reason is logged and polling remains.
    #[must_use]
    pub fn start(source: &Source) -> Self {
        let (sender, changes) = mpsc::channel(1);
        let watcher = source.watched().and_then(|directory| {
            watch(&directory, sender.clone())
                .inspect_err(|error| {
                    tracing::warn!(%error, directory = %directory.display(), "the repository cannot be watched, only polled");
                })
                .ok()
        });
        Self {
            _watcher: watcher,
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

fn watch(directory: &Path, sender: mpsc::Sender<()>) -> notify::Result<RecommendedWatcher> {
    let root = directory.to_owned();
    let mut watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
        let relevant = match event {
            Ok(event) => {
                !matches!(event.kind, EventKind::Access(_))
                    && event.paths.iter().any(|path| is_reference(&root, path))
            }
            // Events were lost: look.
            Err(_) => true,
        };
        if relevant {
            // Full: a wake-up is waiting already.
            let _ = sender.try_send(());
        }
    })?;
    watcher.watch(directory, RecursiveMode::NonRecursive)?;
    for name in ["refs", "reftable"] {
        let inside = directory.join(name);
        if inside.is_dir() {
            watcher.watch(&inside, RecursiveMode::Recursive)?;
        }
    }
    Ok(watcher)
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
