//! A clock of its own for a process, which a test sets ahead and back (Debian: libfaketime).
//!
//! Never changes how long anything lasts: what counts time that passes is left alone, as when a machine's clock is set.

use std::path::{Path, PathBuf};

use tempfile::TempDir;

const LIBRARY: &str = "faketime/libfaketimeMT.so.1";

/// The clock, right at first.
#[derive(Debug)]
pub struct Clock {
    library: PathBuf,
    directory: TempDir,
}

impl Clock {
    /// `None`: this machine cannot have one, which is told.
    #[must_use]
    #[expect(
        clippy::print_stderr,
        reason = "the test's own output is where it belongs"
    )]
    pub fn find() -> Option<Self> {
        let triples = ["x86_64-linux-gnu", "aarch64-linux-gnu"];
        let mut places = triples.iter().map(|it| Path::new("/usr/lib").join(it));
        let library = places
            .find(|place| place.join(LIBRARY).exists())
            .map(|place| place.join(LIBRARY));
        let Some(library) = library else {
            eprintln!("SKIPPED: no clock of its own for meshd; Debian has it in libfaketime");
            return None;
        };
        let clock = Self {
            library,
            directory: tempfile::tempdir().expect("a temporary directory"),
        };
        clock.set(0);
        Some(clock)
    }

    /// So many seconds ahead of the machine's clock, or behind it.
    ///
    /// # Panics
    /// When it cannot be set.
    pub fn set(&self, seconds: i64) {
        let next = self.directory.path().join("next");
        std::fs::write(&next, format!("{seconds:+}\n")).expect("a file");
        // Whoever reads it sees one or the other.
        std::fs::rename(next, self.file()).expect("a file in its place");
    }

    /// What a process needs to go by it.
    pub(crate) fn environment(&self) -> [(String, String); 4] {
        let text = |path: &Path| path.to_string_lossy().into_owned();
        [
            ("LD_PRELOAD".to_owned(), text(&self.library)),
            ("FAKETIME_TIMESTAMP_FILE".to_owned(), text(&self.file())),
            ("FAKETIME_NO_CACHE".to_owned(), "1".to_owned()),
            ("FAKETIME_DONT_FAKE_MONOTONIC".to_owned(), "1".to_owned()),
        ]
    }

    fn file(&self) -> PathBuf {
        self.directory.path().join("offset")
    }
}
