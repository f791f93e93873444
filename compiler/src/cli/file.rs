//! Files that meshc makes.
//!
//! Never leaves half of one: the whole file appears at once, or the old one stays.

use std::ffi::OsString;
use std::fs::File;
use std::io::{Error, Write};
use std::path::Path;

use anyhow::Context as _;

/// Writes a file, over what was there.
pub(super) fn write(path: &Path, bytes: &[u8]) -> Result<(), anyhow::Error> {
    replace(path, bytes).with_context(|| format!("cannot write {}", path.display()))
}

fn replace(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let name = path
        .file_name()
        .ok_or_else(|| Error::other("it has no file name"))?;
    let mut hidden = OsString::from(".");
    hidden.push(name);
    hidden.push(format!(".{}", std::process::id()));
    let beside = path.with_file_name(hidden);
    let written = File::create_new(&beside).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()
    });
    let renamed = written.and_then(|()| std::fs::rename(&beside, path));
    if renamed.is_err() {
        // What remains of it is of no use to anybody.
        let _ = std::fs::remove_file(&beside);
    }
    renamed
}
