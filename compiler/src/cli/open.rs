//! From a path to what the compiler makes of it.
//!
//! Never mistakes a repository that cannot be read for an empty one.

use std::path::{Path, PathBuf};

use anyhow::anyhow;

use super::SettingsArgs;
use crate::model::Settings;
use crate::world::{DirWorld, FilesWorld};
use crate::{Analysis, Compiled, analyse};

/// Compiles the repository at a path, or the document at it.
pub(super) fn compiled(path: &Path, settings: &SettingsArgs) -> Result<Compiled, anyhow::Error> {
    Ok(analysed(path, settings.settings()?)?.compiled)
}

/// As [`compiled`], for questions.
pub(super) fn analysed(path: &Path, settings: Settings) -> Result<Analysis, anyhow::Error> {
    // A directory that cannot be entered shows itself when it is opened.
    if path.is_dir() || !path.exists() {
        let world = DirWorld::open(path).map_err(|reason| unreadable(path, &reason))?;
        return Ok(analyse(&world, &settings));
    }
    alone(&[path.to_path_buf()], settings)
}

/// Compiles some files on their own.
pub(super) fn documents(
    paths: &[PathBuf],
    settings: &SettingsArgs,
) -> Result<Compiled, anyhow::Error> {
    Ok(alone(paths, settings.settings()?)?.compiled)
}

fn alone(paths: &[PathBuf], mut settings: Settings) -> Result<Analysis, anyhow::Error> {
    settings.partial = true;
    let world = FilesWorld::open(paths).map_err(|(path, reason)| unreadable(&path, &reason))?;
    Ok(analyse(&world, &settings))
}

fn unreadable(path: &Path, reason: &str) -> anyhow::Error {
    anyhow!("cannot read {}: {reason}", path.display())
}
