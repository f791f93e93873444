//! From a path to what the compiler makes of it.
//!
//! Never mistakes a repository that cannot be read for an empty one.

use std::path::{Path, PathBuf};

use anyhow::anyhow;

use super::output::Output;
use super::{SettingsArgs, worktree};
use crate::config::Effective;
use crate::diag::{Format, Paths, render, summary};
use crate::model::Settings;
use crate::world::{DirWorld, FilesWorld, World};
use crate::{Analysis, Checked, Compiled, analyse, check, compile};

/// A repository, or some documents that are judged on their own.
pub(super) struct Opened {
    place: Place,
    /// What counts for it.
    pub(super) effective: Effective,
    pub(super) settings: Settings,
}

enum Place {
    Directory(DirWorld),
    Files(FilesWorld),
}

/// Opens the repository at a path, or some documents on their own.
pub(super) fn open(paths: &[PathBuf], settings: &SettingsArgs) -> Result<Opened, anyhow::Error> {
    open_with(paths, settings, [])
}

/// As [`open`], with more settings of the command line.
pub(super) fn open_with(
    paths: &[PathBuf],
    settings: &SettingsArgs,
    more: impl IntoIterator<Item = (&'static str, Option<String>)>,
) -> Result<Opened, anyhow::Error> {
    let place = place(paths)?;
    let effective = settings.effective(place.world(), more)?;
    let mut settings = effective.settings();
    settings.partial = matches!(place, Place::Files(_));
    Ok(Opened {
        place,
        effective,
        settings,
    })
}

fn place(paths: &[PathBuf]) -> Result<Place, anyhow::Error> {
    // A directory that cannot be entered shows itself when it is opened.
    if let [path] = paths
        && (path.is_dir() || !path.exists())
    {
        let world = DirWorld::open(path).map_err(|reason| unreadable(path, &reason))?;
        return Ok(Place::Directory(world));
    }
    let world = FilesWorld::open(paths).map_err(|(path, reason)| unreadable(&path, &reason))?;
    Ok(Place::Files(world))
}

impl Place {
    fn world(&self) -> &(dyn World + Sync) {
        match self {
            Self::Directory(world) => world,
            Self::Files(world) => world,
        }
    }
}

impl Opened {
    pub(super) fn compiled(&self) -> Compiled {
        compile(self.world(), &self.settings)
    }

    pub(super) fn checked(&self) -> Checked {
        check(self.world(), &self.settings)
    }

    /// For questions.
    pub(super) fn analysed(&self) -> Analysis {
        analyse(self.world(), &self.settings)
    }

    /// For questions, which only a repository without errors gets answered: no proxy will ever have another. Tells the
    /// findings otherwise.
    pub(super) fn sound(&self, output: &mut Output) -> Option<Analysis> {
        let analysis = self.analysed();
        let (findings, sources) = (&analysis.compiled.diagnostics, &analysis.compiled.sources);
        if !findings.has_errors() {
            return Some(analysis);
        }
        output.complain(&render(Format::Human { color: false }, findings, sources));
        output.complain(&(summary(findings, sources) + "\n"));
        None
    }

    pub(super) fn world(&self) -> &(dyn World + Sync) {
        self.place.world()
    }

    /// What the files are called by those who look at the whole work tree.
    pub(super) fn paths(&self) -> Paths {
        match &self.place {
            Place::Directory(world) => {
                Paths::under(&worktree::name(&world.path("")).unwrap_or_default())
            }
            Place::Files(world) => {
                let named = world.names().filter_map(|name| {
                    let path = world.path(name)?;
                    Some((name.to_owned(), worktree::name(&path)?))
                });
                Paths::named(named.collect())
            }
        }
    }

    /// Where a file is.
    pub(super) fn path(&self, name: &str) -> Option<PathBuf> {
        match &self.place {
            Place::Directory(world) => Some(world.path(name)),
            Place::Files(world) => world.path(name),
        }
    }
}

fn unreadable(path: &Path, reason: &str) -> anyhow::Error {
    anyhow!("cannot read {}: {reason}", path.display())
}
