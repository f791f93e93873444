//! From a path to what the compiler makes of it.
//!
//! Never mistakes a repository that cannot be read for an empty one.

use std::borrow::Cow;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow, bail};
use clap::Args;

use super::output::Output;
use super::since::Since;
use super::{SettingsArgs, worktree};
use crate::config::Effective;
use crate::diag::{Format, Paths, render, summary};
use crate::model::Settings;
use crate::world::{
    ConfigFile, DirWorld, Entry, FilesWorld, GitWorld, History, MOST_BYTES, Overlay, World,
};
use crate::{Analysis, Checked, Compiled, Compiler, analyse, check, compile};

/// A repository, or some documents that are judged on their own.
pub(super) struct Opened {
    world: Overlay<Place>,
    /// What counts for it.
    pub(super) effective: Effective,
    pub(super) settings: Settings,
    /// Which findings are told; all, without it.
    pub(super) since: Option<Since>,
}

enum Place {
    Directory(DirWorld),
    Files(FilesWorld),
    /// What a directory was.
    Revision(PathBuf, Box<GitWorld>),
}

/// Which revision is asked about.
#[derive(Debug, Clone, Default, Args)]
pub(super) struct AtArgs {
    /// A revision of the git repository, such as `main` or `HEAD~3`, instead of what is in the directory now.
    #[arg(long, value_name = "REVISION")]
    at: Option<String>,
}

impl AtArgs {
    /// Is a revision asked about?
    pub(super) fn is_said(&self) -> bool {
        self.at.is_some()
    }

    /// This revision, where the command line names none.
    pub(super) fn or(&self, revision: Option<String>) -> Self {
        Self {
            at: self.at.clone().or(revision),
        }
    }
}

/// What a document without a place is called.
const NAMELESS: &str = "stdin.yaml";

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
    opened(Overlay::new(place(paths)?), settings, more)
}

/// Opens the repository at a path, as it is or as it was.
pub(super) fn open_at(
    path: &Path,
    at: &AtArgs,
    settings: &SettingsArgs,
    more: impl IntoIterator<Item = (&'static str, Option<String>)>,
) -> Result<Opened, anyhow::Error> {
    let Some(revision) = &at.at else {
        return open_with(&[path.to_path_buf()], settings, more);
    };
    if path.is_file() || path == Path::new("-") {
        bail!(
            "--at: {} is one document: give the directory that holds the documents",
            path.display()
        );
    }
    let world = History::open(path).and_then(|history| history.at(revision));
    let world = world.map_err(|why| anyhow!("--at: {why}"))?;
    let place = Place::Revision(path.to_path_buf(), Box::new(world));
    opened(Overlay::new(place), settings, more)
}

/// As [`open_with`], where one of the paths may be `-`: a document that stands for a file in the directory, or for itself.
pub(super) fn open_given(
    paths: &[PathBuf],
    stdin_path: Option<&Path>,
    settings: &SettingsArgs,
    more: impl IntoIterator<Item = (&'static str, Option<String>)>,
) -> Result<Opened, anyhow::Error> {
    let is_pipe = |path: &&PathBuf| path.as_path() == Path::new("-");
    let pipes = paths.iter().filter(is_pipe).count();
    let paths: Vec<PathBuf> = paths
        .iter()
        .filter(|path| !is_pipe(path))
        .cloned()
        .collect();
    let world = match (pipes, stdin_path, paths.as_slice()) {
        (0, None, paths) => return open_with(paths, settings, more),
        (0, Some(path), _) => bail!(
            "--stdin-path {} says what is read from standard input: give `-` too",
            path.display()
        ),
        (1, path, []) => piped(Path::new("."), path)?,
        (1, Some(path), [directory]) => piped(directory, Some(path))?,
        (1, ..) => bail!("`-` is judged alone, or with --stdin-path in one directory"),
        _ => bail!("`-` can be read once"),
    };
    opened(world, settings, more)
}

fn piped(directory: &Path, path: Option<&Path>) -> Result<Overlay<Place>, anyhow::Error> {
    let (place, name) = match path {
        None => (place(&[])?, NAMELESS.to_owned()),
        Some(path) => {
            let world = DirWorld::open(directory).map_err(|why| unreadable(directory, &why))?;
            let name = world.name(path).map_err(|why| unreadable(path, &why))?;
            (Place::Directory(world), name)
        }
    };
    let mut bytes = Vec::new();
    let stdin = std::io::stdin().lock();
    // More than a document may have need not be read: its size refuses it.
    stdin
        .take(MOST_BYTES)
        .read_to_end(&mut bytes)
        .context("cannot read standard input")?;
    let mut world = Overlay::new(place);
    world.files.insert(name, bytes);
    Ok(world)
}

fn opened(
    world: Overlay<Place>,
    settings: &SettingsArgs,
    more: impl IntoIterator<Item = (&'static str, Option<String>)>,
) -> Result<Opened, anyhow::Error> {
    let effective = settings.effective(&world, more)?;
    let mut settings = effective.settings();
    settings.partial = matches!(world.under, Place::Files(_));
    Ok(Opened {
        world,
        effective,
        settings,
        since: None,
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
            Self::Revision(_, world) => world.as_ref(),
        }
    }
}

impl World for Place {
    fn entries(&self) -> Cow<'_, [Entry]> {
        self.world().entries()
    }

    fn read(&self, path: &str) -> Result<Vec<u8>, String> {
        self.world().read(path)
    }

    fn config(&self) -> Result<Option<ConfigFile>, String> {
        self.world().config()
    }

    fn shared(&self) -> Option<&(dyn World + Sync)> {
        self.world().shared()
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
        sound(self.analysed(), output)
    }

    /// As [`Self::sound`], where the compiler will be asked again of almost the same.
    pub(super) fn sound_by(
        &self,
        compiler: &mut Compiler,
        output: &mut Output,
    ) -> Option<Analysis> {
        sound(compiler.analyse(self.world(), &self.settings), output)
    }

    pub(super) fn world(&self) -> &(dyn World + Sync) {
        &self.world
    }

    /// What the files are called by those who look at the whole work tree.
    pub(super) fn paths(&self) -> Paths {
        match &self.world.under {
            Place::Directory(world) => {
                Paths::under(&worktree::name(&world.path("")).unwrap_or_default())
            }
            Place::Revision(path, _) => Paths::under(&worktree::name(path).unwrap_or_default()),
            Place::Files(world) => {
                let named = world.names().filter_map(|name| {
                    let path = world.path(name)?;
                    Some((name.to_owned(), worktree::name(&path)?))
                });
                Paths::named(named.collect())
            }
        }
    }

    /// The directory of the documents, or of the first one.
    pub(super) fn start(&self) -> PathBuf {
        let here = || PathBuf::from(".");
        match &self.world.under {
            Place::Directory(world) => world.path(""),
            Place::Revision(path, _) => path.clone(),
            Place::Files(world) => {
                let first = world.names().next().and_then(|name| world.path(name));
                let directory = first.and_then(|path| path.parent().map(Path::to_path_buf));
                let directory = directory.filter(|path| !path.as_os_str().is_empty());
                directory.unwrap_or_else(here)
            }
        }
    }

    /// The commit that was opened, in 40 hex digits.
    pub(super) fn commit(&self) -> Option<&str> {
        match &self.world.under {
            Place::Revision(_, world) => Some(&world.id),
            Place::Directory(_) | Place::Files(_) => None,
        }
    }

    /// The documents that were not read from where they stand.
    pub(super) fn piped(&self) -> impl Iterator<Item = &str> {
        self.world.files.keys().map(String::as_str)
    }

    /// Where a file is.
    pub(super) fn path(&self, name: &str) -> Option<PathBuf> {
        match &self.world.under {
            Place::Directory(world) => Some(world.path(name)),
            Place::Files(world) => world.path(name),
            // Nobody writes into what was.
            Place::Revision(..) => None,
        }
    }
}

fn sound(analysis: Analysis, output: &mut Output) -> Option<Analysis> {
    let (findings, sources) = (&analysis.compiled.diagnostics, &analysis.compiled.sources);
    if !findings.has_errors() {
        return Some(analysis);
    }
    output.complain(&render(Format::Human { color: false }, findings, sources));
    output.complain(&(summary(findings, sources) + "\n"));
    None
}

fn unreadable(path: &Path, reason: &str) -> anyhow::Error {
    anyhow!("cannot read {}: {reason}", path.display())
}
