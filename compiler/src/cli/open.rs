//! From a path to what the compiler makes of it.
//!
//! Never mistakes a repository that cannot be read for an empty one.

use std::path::{Path, PathBuf};

use anyhow::anyhow;

use super::SettingsArgs;
use crate::model::Settings;
use crate::world::{DirWorld, FilesWorld, World};
use crate::{Analysis, Checked, Compiled, analyse, check, compile};

/// Compiles the repository at a path, or the document at it.
pub(super) fn compiled(path: &Path, settings: &SettingsArgs) -> Result<Compiled, anyhow::Error> {
    let (world, settings) = opened(&[path.to_path_buf()], settings.settings()?)?;
    Ok(compile(world.as_ref(), &settings))
}

/// As [`compiled`], for questions.
pub(super) fn analysed(path: &Path, settings: Settings) -> Result<Analysis, anyhow::Error> {
    let (world, settings) = opened(&[path.to_path_buf()], settings)?;
    Ok(analyse(world.as_ref(), &settings))
}

/// Checks the repository at a path, or some documents on their own.
pub(super) fn checked(
    paths: &[PathBuf],
    settings: &SettingsArgs,
) -> Result<Checked, anyhow::Error> {
    let (world, settings) = opened(paths, settings.settings()?)?;
    Ok(check(world.as_ref(), &settings))
}

fn opened(
    paths: &[PathBuf],
    mut settings: Settings,
) -> Result<(Box<dyn World>, Settings), anyhow::Error> {
    // A directory that cannot be entered shows itself when it is opened.
    if let [path] = paths
        && (path.is_dir() || !path.exists())
    {
        let world = DirWorld::open(path).map_err(|reason| unreadable(path, &reason))?;
        return Ok((Box::new(world), settings));
    }
    settings.partial = true;
    let world = FilesWorld::open(paths).map_err(|(path, reason)| unreadable(&path, &reason))?;
    Ok((Box::new(world), settings))
}

fn unreadable(path: &Path, reason: &str) -> anyhow::Error {
    anyhow!("cannot read {}: {reason}", path.display())
}
