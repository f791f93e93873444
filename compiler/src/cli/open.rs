//! From a path to what the compiler makes of it.
//!
//! Never mistakes a repository that cannot be read for an empty one.

use std::path::{Path, PathBuf};

use anyhow::anyhow;

use super::SettingsArgs;
use crate::world::{DirWorld, FilesWorld};
use crate::{Compiled, compile};

/// Compiles the repository at a path, or the document at it.
pub(super) fn compiled(path: &Path, settings: &SettingsArgs) -> Result<Compiled, anyhow::Error> {
    // A directory that cannot be entered shows itself when it is opened.
    if path.is_dir() || !path.exists() {
        let settings = settings.settings()?;
        let world = DirWorld::open(path).map_err(|reason| unreadable(path, &reason))?;
        return Ok(compile(&world, &settings));
    }
    documents(&[path.to_path_buf()], settings)
}

/// Compiles some files on their own.
pub(super) fn documents(
    paths: &[PathBuf],
    settings: &SettingsArgs,
) -> Result<Compiled, anyhow::Error> {
    let mut settings = settings.settings()?;
    settings.partial = true;
    let world = FilesWorld::open(paths).map_err(|(path, reason)| unreadable(&path, &reason))?;
    Ok(compile(&world, &settings))
}

fn unreadable(path: &Path, reason: &str) -> anyhow::Error {
    anyhow!("cannot read {}: {reason}", path.display())
}
