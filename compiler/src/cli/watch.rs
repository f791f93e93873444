//! `meshc check --watch`: waits for files to change.
//!
//! Never reads a file and never decides anything: a wake-up is only a reason to look, and many wake-ups are one. Never
//! takes part in how the process ends: Ctrl-C does, as it does with every other program.

mod looking;

use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use notify::event::{CreateKind, ModifyKind, RemoveKind};
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};

use super::worktree;
use crate::config;
use crate::source::has_extension;
use looking::Looking;

/// Editors write a file in several steps, and `git switch` many files.
const QUIET: Duration = Duration::from_millis(100);

/// Somebody who writes without a pause sees something too.
const MOST_EVENTS: usize = 10_000;

/// What a terminal forgets before a page: what it shows, what has been scrolled away, and where it writes.
const CLEAR: &str = "\u{1b}[2J\u{1b}[3J\u{1b}[H";

/// How often somebody looks whether a directory that was taken away is back: the system does not tell.
const ABSENT: Duration = Duration::from_millis(500);

/// The files that a check reads.
pub(super) enum Watch {
    /// The system tells what changes.
    Told(Telling),
    /// It does not, for this reason.
    Looking(Looking, String),
}

/// What the system tells.
pub(super) struct Telling {
    changes: Receiver<()>,
    /// Held for as long as events are wanted.
    watcher: RecommendedWatcher,
    roots: Vec<Root>,
    mode: RecursiveMode,
}

/// A directory, by its name and by what was there when it began to be watched.
struct Root {
    path: PathBuf,
    watched: Option<Identity>,
}

impl Watch {
    /// Begins to watch. What is written to `ours` is no change.
    pub(super) fn start(paths: &[PathBuf], ours: &[PathBuf]) -> Result<Self, anyhow::Error> {
        let whole = matches!(paths, [path] if path.is_dir());
        let mut roots = Vec::new();
        for path in paths {
            let path = path
                .canonicalize()
                .with_context(|| format!("cannot watch {}", path.display()))?;
            let directory = if whole {
                Some(path.as_path())
            } else {
                path.parent()
            };
            roots.extend(directory.map(Path::to_path_buf));
        }
        // The settings may stand further up.
        let above = roots.first().and_then(|root| {
            let top = worktree::top(root)?;
            let above = root.ancestors().skip(1);
            let above = above.take_while(|above| above.starts_with(&top));
            Some(above.map(Path::to_path_buf).collect::<Vec<_>>())
        });
        let above = above.unwrap_or_default();
        let ours: Vec<PathBuf> = ours.iter().filter_map(|path| real(path)).collect();
        let told = Telling::start(&roots, whole, &above, ours.clone());
        Ok(match told {
            Ok(telling) => Self::Told(telling),
            Err(why) => Self::Looking(
                Looking::begin(roots, whole, above, ours),
                format!("{why:#}"),
            ),
        })
    }

    /// What stands in the way of being told.
    pub(super) fn trouble(&self) -> Option<&str> {
        match self {
            Self::Told(_) => None,
            Self::Looking(_, why) => Some(why),
        }
    }

    /// Waits until something has changed and nothing changes any more.
    pub(super) fn changed(&mut self) -> Result<(), anyhow::Error> {
        match self {
            Self::Told(telling) => telling.changed(),
            Self::Looking(looking, _) => {
                looking.changed();
                Ok(())
            }
        }
    }
}

impl Telling {
    fn start(
        roots: &[PathBuf],
        whole: bool,
        above: &[PathBuf],
        ours: Vec<PathBuf>,
    ) -> Result<Self, anyhow::Error> {
        // One is as good as many, however long nobody looks.
        let (sender, changes) = sync_channel(1);
        let watched = Watched {
            roots: roots.to_vec(),
            ours,
            sender,
        };
        let mut watcher = notify::recommended_watcher(move |event| watched.noticed(&event))
            .context("cannot watch files")?;
        let mode = if whole {
            RecursiveMode::Recursive
        } else {
            RecursiveMode::NonRecursive
        };
        for root in roots {
            watch(&mut watcher, root, mode)?;
        }
        for directory in above {
            watch(&mut watcher, directory, RecursiveMode::NonRecursive)?;
        }
        let kept = roots.iter().map(|path| Root {
            watched: identity(path),
            path: path.clone(),
        });
        Ok(Self {
            changes,
            watcher,
            roots: kept.collect(),
            mode,
        })
    }

    /// Waits until something has changed and nothing changes any more.
    fn changed(&mut self) -> Result<(), anyhow::Error> {
        let gone = || anyhow!("the system watches no longer");
        loop {
            if self.again()? {
                break;
            }
            let is_whole = self.roots.iter().all(|root| root.watched.is_some());
            match is_whole {
                true => self.changes.recv().map_err(|_| gone())?,
                false => match self.changes.recv_timeout(ABSENT) {
                    Ok(()) => {}
                    Err(RecvTimeoutError::Timeout) => continue,
                    Err(RecvTimeoutError::Disconnected) => return Err(gone()),
                },
            }
            break;
        }
        for _ in 0..MOST_EVENTS {
            match self.changes.recv_timeout(QUIET) {
                Ok(_) => {}
                Err(RecvTimeoutError::Timeout) => break,
                Err(RecvTimeoutError::Disconnected) => return Err(gone()),
            }
        }
        // What is read from here on is watched.
        self.again()?;
        Ok(())
    }

    /// Watches what has taken the place of a directory, as `git switch` and generators make it. Has it changed?
    fn again(&mut self) -> Result<bool, anyhow::Error> {
        let mut changed = false;
        for root in &mut self.roots {
            let there = identity(&root.path);
            if there == root.watched {
                continue;
            }
            // What is gone is not watched any more in any case.
            let _ = self.watcher.unwatch(&root.path);
            if there.is_some() {
                watch(&mut self.watcher, &root.path, self.mode)?;
            }
            root.watched = there;
            changed = true;
        }
        Ok(changed)
    }
}

/// What tells a directory from another one of the same name.
#[cfg(unix)]
type Identity = (u64, u64);

#[cfg(unix)]
fn identity(directory: &Path) -> Option<Identity> {
    use std::os::unix::fs::MetadataExt as _;
    let metadata = std::fs::metadata(directory).ok()?;
    Some((metadata.dev(), metadata.ino()))
}

#[cfg(not(unix))]
type Identity = Option<std::time::SystemTime>;

#[cfg(not(unix))]
fn identity(directory: &Path) -> Option<Identity> {
    Some(std::fs::metadata(directory).ok()?.created().ok())
}

/// Does a check read what is called so?
fn is_read(path: &Path) -> bool {
    is_settings(path) || has_extension(path)
}

fn is_settings(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name == config::FILE)
}

/// What stands between two pages.
pub(super) fn separator() -> &'static str {
    match std::io::stdout().is_terminal() {
        true => CLEAR,
        false => "\n---- changed ----\n",
    }
}

fn watch(
    watcher: &mut RecommendedWatcher,
    directory: &Path,
    mode: RecursiveMode,
) -> Result<(), anyhow::Error> {
    let watched = watcher.watch(directory, mode);
    watched.with_context(|| format!("cannot watch {}", directory.display()))
}

/// Where a file is, or will be.
fn real(path: &Path) -> Option<PathBuf> {
    let path = std::path::absolute(path).ok()?;
    let directory = path.parent()?.canonicalize().ok()?;
    Some(directory.join(path.file_name()?))
}

struct Watched {
    roots: Vec<PathBuf>,
    ours: Vec<PathBuf>,
    sender: SyncSender<()>,
}

impl Watched {
    fn noticed(&self, event: &notify::Result<Event>) {
        let relevant = match event {
            Ok(event) => event
                .paths
                .iter()
                .any(|path| self.concerns(event.kind, path)),
            // Events were lost: look.
            Err(_) => true,
        };
        if relevant {
            // Full, somebody will look; closed, who waited has gone.
            let _ = self.sender.try_send(());
        }
    }

    fn concerns(&self, kind: EventKind, path: &Path) -> bool {
        if matches!(kind, EventKind::Access(_)) || self.ours.iter().any(|ours| ours == path) {
            return false;
        }
        if is_settings(path) {
            return true;
        }
        let mut roots = self.roots.iter();
        let Some(inside) = roots.find_map(|root| path.strip_prefix(root).ok()) else {
            return false;
        };
        let mut parts = inside.iter();
        if parts.any(|part| part.as_encoded_bytes().starts_with(b".")) {
            return false;
        }
        // Directories come and go with everything in them.
        let directory = matches!(
            kind,
            EventKind::Create(CreateKind::Folder)
                | EventKind::Remove(RemoveKind::Folder)
                | EventKind::Modify(ModifyKind::Name(_))
        );
        directory || is_read(path)
    }
}

#[cfg(test)]
mod tests {
    use notify::event::{AccessKind, DataChange, RenameMode};

    use super::*;

    #[test]
    fn only_what_a_check_reads_is_a_change() {
        let watched = Watched {
            roots: vec![PathBuf::from("/top/mesh")],
            ours: vec![PathBuf::from("/top/mesh/findings.json")],
            sender: sync_channel(1).0,
        };
        let written = EventKind::Modify(ModifyKind::Data(DataChange::Content));
        let renamed = EventKind::Modify(ModifyKind::Name(RenameMode::Both));
        let read = EventKind::Access(AccessKind::Read);
        let cases = [
            (written, "/top/mesh/a/b.yaml", true),
            (written, "/top/meshc.toml", true),
            (written, "/top/other.yaml", false),
            (written, "/top/mesh/.git/a.yaml", false),
            (written, "/top/mesh/README.md", false),
            (written, "/top/mesh/findings.json", false),
            (renamed, "/top/mesh/findings.json", false),
            (renamed, "/top/mesh/v1.2", true),
            (read, "/top/mesh/a/b.yaml", false),
        ];
        for (kind, path, expected) in cases {
            let found = watched.concerns(kind, Path::new(path));
            assert_eq!(found, expected, "{kind:?} {path}");
        }
    }
}
