//! From a path to what the compiler makes of it.
//!
//! Never mistakes a repository that cannot be read for an empty one.

use std::path::Path;

use anyhow::anyhow;

use super::SettingsArgs;
use crate::world::{DirWorld, FileWorld};
use crate::{Compiled, compile};

/// Compiles what a path leads to.
pub(super) fn compiled(path: &Path, settings: &SettingsArgs) -> Result<Compiled, anyhow::Error> {
    let mut settings = settings.settings()?;
    // A directory that cannot be entered shows itself when it is opened.
    if path.is_dir() || !path.exists() {
        let world = DirWorld::open(path).map_err(|reason| unreadable(path, &reason))?;
        return Ok(compile(&world, &settings));
    }
    settings.partial = true;
    let world = FileWorld::open(path).map_err(|reason| unreadable(path, &reason))?;
    Ok(compile(&world, &settings))
}

fn unreadable(path: &Path, reason: &str) -> anyhow::Error {
    anyhow!("cannot read {}: {reason}", path.display())
}
