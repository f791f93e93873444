//! A small disk of its own for a process, which a test fills up.
//!
//! Never without a word where it cannot be had: mounting takes root.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What is written at a time.
const BLOCK: usize = 64 << 10;
const BALLAST: &str = "ballast";

/// A file system in memory, mounted. It is gone when this is dropped.
#[derive(Debug)]
pub struct Disk {
    place: PathBuf,
}

impl Disk {
    /// Can one be had here? Says so where not.
    #[must_use]
    #[expect(
        clippy::print_stderr,
        reason = "the test's own output is where it belongs"
    )]
    pub fn is_possible() -> bool {
        let trial = tempfile::tempdir().expect("a temporary directory");
        let mounted = Self::mount(trial.path(), 64);
        if let Err(why) = &mounted {
            eprintln!("SKIPPED: no small disk can be mounted here, which takes root: {why}");
        }
        mounted.is_ok()
    }

    /// So many KiB at this place.
    pub(crate) fn mount(place: &Path, kib: u32) -> Result<Self, String> {
        let mut command = Command::new("mount");
        command.args(["-t", "tmpfs", "-o", &format!("size={kib}k,mode=0700")]);
        let done = command.arg("mesh-test").arg(place).output();
        let done = done.map_err(|error| error.to_string())?;
        match done.status.success() {
            true => Ok(Self {
                place: place.to_owned(),
            }),
            false => Err(String::from_utf8_lossy(&done.stderr).trim().to_owned()),
        }
    }

    /// Leaves no room for anything.
    ///
    /// # Panics
    /// When it cannot be written for another reason.
    pub fn fill(&self) {
        let path = self.place.join(BALLAST);
        let mut file = File::create(&path).expect("a file on the disk");
        for size in [BLOCK, 4 << 10, 1] {
            let block = vec![b'x'; size];
            let full = loop {
                if let Err(error) = file.write_all(&block) {
                    break error;
                }
            };
            let kind = full.kind();
            assert_eq!(kind, std::io::ErrorKind::StorageFull, "{full}");
        }
    }

    /// Gives the room back.
    ///
    /// # Panics
    /// When it cannot.
    pub fn free(&self) {
        std::fs::remove_file(self.place.join(BALLAST)).expect("the ballast to be removed");
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Whoever still has a file open on it does not keep it.
        let _ = Command::new("umount").arg("-l").arg(&self.place).status();
    }
}
