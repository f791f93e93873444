//! Looking at a place again and again, where the system does not tell of changes: its inotify instances or watches are used
//! up, or a file system has none.
//!
//! Never reads a file: when it was written, how long it is and which one it is tell a change.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::time::{Interval, MissedTickBehavior, interval};

/// Between two looks.
const LOOK: Duration = Duration::from_secs(1);

/// Files and directories that are looked at, with all that is below them, and how they were.
#[derive(Debug)]
pub(super) struct Looking {
    places: Vec<PathBuf>,
    seen: u64,
    looks: Interval,
}

impl Looking {
    pub(super) fn begin(places: Vec<PathBuf>) -> Self {
        let mut looks = interval(LOOK);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self {
            seen: look(&places),
            places,
            looks,
        }
    }

    /// Waits for a change; may be dropped and called again.
    pub(super) async fn changed(&mut self) {
        loop {
            self.looks.tick().await;
            let places = self.places.clone();
            let now = tokio::task::spawn_blocking(move || look(&places)).await;
            let now = now.unwrap_or(self.seen);
            if now != self.seen {
                self.seen = now;
                return;
            }
        }
    }
}

/// What stands there, whatever order a directory tells it in.
fn look(places: &[PathBuf]) -> u64 {
    let mut seen: u64 = 0;
    let mut places = places.to_vec();
    while let Some(place) = places.pop() {
        seen = seen.wrapping_add(state(&place));
        // What a link leads to is no part of the place.
        if place.is_dir() && !place.is_symlink() {
            let entries = std::fs::read_dir(&place).into_iter().flatten();
            places.extend(entries.flatten().map(|entry| entry.path()));
        }
    }
    seen
}

/// What tells a file from what it was, and from what else it may be called.
fn state(path: &Path) -> u64 {
    let Ok(metadata) = std::fs::metadata(path) else {
        return 0;
    };
    let mut hasher = DefaultHasher::new();
    path.hash(&mut hasher);
    metadata.len().hash(&mut hasher);
    metadata.modified().ok().hash(&mut hasher);
    (metadata.dev(), metadata.ino()).hash(&mut hasher);
    hasher.finish()
}
