//! The gates of `meshc.toml`, asked before a commit is published: by the same code as `meshc diff`, of the commit and of what
//! is served.
//!
//! Never the gates that the commit itself brings where there are any before it, and never fewer than the operator wants: what
//! has to pass a gate cannot take it away.

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use mesh_compiler::config::{Effective, Gates, settle};
use mesh_compiler::diag::{Format, render};
use mesh_compiler::diff::gates::{Change, Side, findings, judge};
use mesh_compiler::diff::{self};
use mesh_compiler::intent::failing;
use mesh_compiler::model::Settings;
use mesh_compiler::world::{ConfigFile, Entry};
use mesh_compiler::{Compiled, Compiler, World};

use super::{Files, Flawed};
use crate::git::{Commit, Source};

/// A larger file is refused: nobody writes one.
const MOST_BYTES: u64 = 256 * 1024;

/// Troubles with gates.
pub(crate) const REASONS: [&str; 3] = [BROKEN, FAILED, UNREADABLE];
const BROKEN: &str = "GateBroken";
const FAILED: &str = "TestsFailed";
const UNREADABLE: &str = "GatesNotReadable";

/// What a commit is judged by, beside what is served.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) source: Source,
    pub(crate) commit: Commit,
    /// The operator's own gates.
    pub(crate) own: Option<PathBuf>,
}

/// What is served.
#[derive(Debug)]
pub(crate) struct Base {
    pub(crate) revision: String,
    pub(crate) files: Files,
    pub(crate) settings: Settings,
}

/// Gates, and the file in which they stand.
struct Rules(Gates, ConfigFile);

/// A commit that is about to be judged.
pub(super) struct Judge<'a> {
    asked: &'a Asked,
    base: &'a Base,
    rules: Vec<Rules>,
    was: Compiled,
}

impl<'a> Judge<'a> {
    /// `None` where there are no gates.
    ///
    /// # Errors
    /// Gates that cannot be read would not be kept.
    pub(super) fn begin(
        (asked, base): (&'a Asked, &'a Base),
        (effective, world): (&Effective, &dyn World),
        compiler: &mut Compiler,
    ) -> Result<Option<Self>, Flawed> {
        let mut rules = Vec::new();
        if let Some(path) = &asked.own {
            let file = Only(read(path).map_err(unreadable)?);
            let missing = || unreadable(format!("{}: there is no table `[gates]`", path.display()));
            rules.push(stated(&file)?.ok_or_else(missing)?);
        }
        match stated(&base.files)? {
            Some(of_base) => rules.push(of_base),
            // The first ones hold at once.
            None => rules.extend(written(effective, world)?),
        }
        if rules.is_empty() {
            return Ok(None);
        }
        // What is served is what the compiler has seen last, so that this is cheap.
        let was = compiler.compile(&base.files, &base.settings);
        if was.diagnostics.has_errors() {
            let revision = &base.revision;
            let why =
                format!("{revision}, which is served, cannot be compared with: it has errors");
            return Err(unreadable(why));
        }
        Ok(Some(Self {
            asked,
            base,
            rules,
            was,
        }))
    }

    /// What would be broken, had nobody said that it is meant.
    ///
    /// # Errors
    /// A gate is broken, with its findings as `meshc diff` tells them.
    pub(super) fn judge(
        &self,
        files: &Files,
        (settings, compiled): (&Settings, &Compiled),
        compiler: &mut Compiler,
    ) -> Result<Vec<String>, Flawed> {
        let difference = diff::diff(&self.was.bundle, &compiled.bundle);
        let inside = self.asked.source.directory();
        let directory = match inside {
            "" => String::new(),
            inside => format!("{inside}/"),
        };
        let commits = self
            .asked
            .source
            .between(&self.base.revision, &self.asked.commit);
        let change = Change {
            before: Side {
                world: &self.base.files,
                settings: &self.base.settings,
                compiled: &self.was,
            },
            after: Side {
                world: files,
                settings,
                compiled,
            },
            difference: &difference,
            commits: &commits,
            directory: &directory,
        };
        let (mut allowed, mut text, mut first) = (Vec::new(), String::new(), None);
        for Rules(gates, file) in &self.rules {
            let verdict = judge(gates, &change, compiler);
            let (found, sources) = findings(&verdict, file, &compiled.sources);
            text += &render(Format::Human { color: false }, &found, &sources);
            let concise = render(Format::Concise, &found, &sources);
            first = first.or_else(|| concise.lines().next().map(str::to_owned));
            allowed.extend(verdict.allowed);
        }
        if let Some(first) = first {
            return Err(Flawed {
                reason: BROKEN,
                text,
                first,
            });
        }
        self.test(files, settings, compiler)?;
        Ok(allowed)
    }

    /// The tests of the commit, where somebody wants them to hold.
    fn test(
        &self,
        files: &Files,
        settings: &Settings,
        compiler: &mut Compiler,
    ) -> Result<(), Flawed> {
        let wanted = |Rules(gates, _): &Rules| gates.tests.as_ref().is_some_and(|it| it.value);
        if !self.rules.iter().any(wanted) {
            return Ok(());
        }
        let (found, sources) = failing(compiler, files, settings);
        let concise = render(Format::Concise, &found, &sources);
        let Some(first) = concise.lines().next() else {
            return Ok(());
        };
        Err(Flawed {
            reason: FAILED,
            text: render(Format::Human { color: false }, &found, &sources),
            first: first.to_owned(),
        })
    }
}

fn unreadable(text: String) -> Flawed {
    Flawed {
        reason: UNREADABLE,
        ..Flawed::from(text)
    }
}

/// The gates that a file of settings states.
fn stated(world: &dyn World) -> Result<Option<Rules>, Flawed> {
    let effective = settle(world, []);
    let effective = effective.map_err(|flaws| unreadable(flaws.to_string()))?;
    written(&effective, world)
}

fn written(effective: &Effective, world: &dyn World) -> Result<Option<Rules>, Flawed> {
    let file = world.config().map_err(unreadable)?;
    Ok(effective
        .gates
        .clone()
        .zip(file)
        .map(|(gates, file)| Rules(gates, file)))
}

fn read(path: &Path) -> Result<ConfigFile, String> {
    let told = |why: &dyn std::fmt::Display| format!("{}: cannot be read: {why}", path.display());
    let length = std::fs::metadata(path).map_err(|error| told(&error))?.len();
    if length > MOST_BYTES {
        return Err(told(&format!("it is larger than {MOST_BYTES} bytes")));
    }
    Ok(ConfigFile {
        path: path.display().to_string(),
        bytes: std::fs::read(path).map_err(|error| told(&error))?,
    })
}

/// A world of nothing but settings.
struct Only(ConfigFile);

impl World for Only {
    fn entries(&self) -> Cow<'_, [Entry]> {
        Cow::Borrowed(&[])
    }

    fn read(&self, _path: &str) -> Result<Vec<u8>, String> {
        Err("no such file".to_owned())
    }

    fn config(&self) -> Result<Option<ConfigFile>, String> {
        Ok(Some(self.0.clone()))
    }
}
