//! Looking at files again and again, where the system does not tell of changes: its inotify instances or watches are used up,
//! or a file system has none.
//!
//! Never reads a file: when it was written, how long it is and which one it is tell a change.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{QUIET, is_read};

/// Between two looks.
const LOOK: Duration = Duration::from_secs(1);

/// The files that are looked at, and how they were.
#[derive(Debug)]
pub(in crate::cli) struct Looking {
    /// Directories, with all that is below them or only what is in them.
    roots: Vec<PathBuf>,
    whole: bool,
    /// Where settings may stand.
    above: Vec<PathBuf>,
    ours: Vec<PathBuf>,
    seen: u64,
}

impl Looking {
    pub(super) fn begin(
        roots: Vec<PathBuf>,
        whole: bool,
        above: Vec<PathBuf>,
        ours: Vec<PathBuf>,
    ) -> Self {
        let mut looking = Self {
            roots,
            whole,
            above,
            ours,
            seen: 0,
        };
        looking.seen = looking.look();
        looking
    }

    /// Waits until something has changed and nothing changes any more.
    pub(super) fn changed(&mut self) {
        let before = self.seen;
        while self.seen == before {
            std::thread::sleep(LOOK);
            self.seen = self.look();
        }
        loop {
            std::thread::sleep(QUIET);
            let now = self.look();
            if now == self.seen {
                return;
            }
            self.seen = now;
        }
    }

    /// What stands there, whatever order a directory tells it in.
    fn look(&self) -> u64 {
        let mut seen: u64 = 0;
        let mut directories = self.roots.clone();
        while let Some(directory) = directories.pop() {
            let Ok(entries) = std::fs::read_dir(&directory) else {
                continue;
            };
            for entry in entries.flatten() {
                let (path, name) = (entry.path(), entry.file_name());
                if name.as_encoded_bytes().starts_with(b".") || self.ours.contains(&path) {
                    continue;
                }
                let is_directory = entry.file_type().is_ok_and(|kind| kind.is_dir());
                if is_directory && self.whole {
                    directories.push(path);
                } else if is_read(&path) {
                    seen = seen.wrapping_add(state(&path));
                }
            }
        }
        for directory in &self.above {
            seen = seen.wrapping_add(state(&directory.join(crate::config::FILE)));
        }
        seen
    }
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
    super::identity(path).hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
#[expect(
    clippy::disallowed_methods,
    reason = "what is looked at has to be written"
)]
mod tests {
    use super::*;

    #[test]
    fn a_look_tells_what_a_check_reads_and_nothing_else() {
        let room = tempfile::tempdir().unwrap();
        let top = room.path().canonicalize().unwrap();
        let mesh = top.join("mesh");
        std::fs::create_dir_all(mesh.join("team")).unwrap();
        let looking = Looking::begin(
            vec![mesh.clone()],
            true,
            vec![top.clone()],
            vec![mesh.join("out.yaml")],
        );
        let mut known = looking.look();
        let mut step = |path: &str, text: Option<&str>, expected: bool| {
            let path = top.join(path);
            match text {
                Some(text) => std::fs::write(&path, text).unwrap(),
                None => std::fs::remove_file(&path).unwrap(),
            }
            let now = looking.look();
            assert_eq!(now != known, expected, "{}", path.display());
            known = now;
        };
        step("mesh/a.yaml", Some("a"), true);
        step("mesh/a.yaml", Some("longer"), true);
        step("mesh/team/b.yaml", Some("b"), true);
        step("mesh/README.md", Some("words"), false);
        step("mesh/.hidden.yaml", Some("x"), false);
        step("mesh/out.yaml", Some("x"), false);
        step("meshc.toml", Some(""), true);
        step("other.yaml", Some("x"), false);
        step("mesh/team/b.yaml", None, true);
    }
}
