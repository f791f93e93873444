//! Files beside the repository: those that meshc makes, and those that it is given.
//!
//! Never leaves half of one: the whole file appears at once, or the old one stays. Never takes the place of what is no file,
//! such as `/dev/null` or a pipe.

use std::ffi::OsString;
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::path::Path;

use anyhow::Context as _;

/// What a fleet of 100,000 proxies takes, many times over.
const MOST_READ: u64 = 256 * 1024 * 1024;

/// Reads a file that is no document.
#[expect(
    clippy::disallowed_methods,
    reason = "whoever runs meshc names it, and nothing in the repository does"
)]
pub(super) fn read(path: &Path) -> Result<Vec<u8>, anyhow::Error> {
    let failed = || format!("failed to read {}", path.display());
    let file = File::open(path).with_context(failed)?;
    let mut bytes = Vec::new();
    let mut within = file.take(MOST_READ + 1);
    within.read_to_end(&mut bytes).with_context(failed)?;
    anyhow::ensure!(
        bytes.len() as u64 <= MOST_READ,
        "{} is larger than {MOST_READ} bytes",
        path.display()
    );
    Ok(bytes)
}

/// Writes a file, over what was there.
pub(super) fn write(path: &Path, bytes: &[u8]) -> Result<(), anyhow::Error> {
    replace(path, bytes).with_context(|| format!("cannot write {}", path.display()))
}

fn replace(path: &Path, bytes: &[u8]) -> Result<(), anyhow::Error> {
    if std::fs::metadata(path).is_ok_and(|there| !there.is_file() && !there.is_dir()) {
        return Ok(File::options().write(true).open(path)?.write_all(bytes)?);
    }
    if path.is_symlink() {
        // What it leads to is what is meant.
        return replace(&std::fs::canonicalize(path)?, bytes);
    }
    let name = path.file_name().context("it has no file name")?;
    let mut hidden = OsString::from(".");
    hidden.push(name);
    hidden.push(format!(".{}", std::process::id()));
    let beside = path.with_file_name(hidden);
    let mut file = File::create_new(&beside).with_context(|| no_file_beside(path))?;
    let written = file.write_all(bytes).and_then(|()| file.sync_all());
    let renamed = written.and_then(|()| std::fs::rename(&beside, path));
    if renamed.is_err() {
        // What remains of it is of no use to anybody.
        let _ = std::fs::remove_file(&beside);
    }
    Ok(renamed?)
}

/// Why a file cannot be replaced that could well be written to.
pub(super) fn no_file_beside(path: &Path) -> String {
    let directory = path.parent().filter(|above| !above.as_os_str().is_empty());
    let directory = directory.unwrap_or(Path::new("."));
    format!("no file can be made in {}", directory.display())
}
