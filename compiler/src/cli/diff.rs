//! `meshc diff`: what a change means.
//!
//! Never compares with a revision that has errors: what it would have meant, nobody knows.

use std::path::{Path, PathBuf};

use anyhow::{anyhow, ensure};
use clap::{Args, ValueEnum};

use super::output::Output;
use super::{Outcome, SettingsArgs};
use crate::config::Effective;
use crate::diff::gates::{self, Change, Side, Verdict};
use crate::diff::{self, Difference};
use crate::model::Settings;
use crate::world::{ByObject, DirWorld, History, World};
use crate::{Compiled, Compiler};

/// The arguments.
#[derive(Debug, Args)]
pub(super) struct Diff {
    /// Two revisions of the git repository, `A..B`; without them the work tree is compared. Or the directory.
    range: Option<String>,

    /// The directory that holds the documents.
    path: Option<PathBuf>,

    /// The revision that the work tree is compared with [default: where the branch left `main`].
    #[arg(long, value_name = "REVISION")]
    against: Option<String>,

    /// For people, for programs, or as a comment of a pull request.
    #[arg(long, value_enum, default_value_t = FormArg::Human)]
    format: FormArg,

    /// Exit with 1 where something is different. A broken gate does so in any case.
    #[arg(long)]
    exit_code: bool,

    /// Do not ask the gates of `meshc.toml`.
    #[arg(long)]
    no_gates: bool,

    #[command(flatten)]
    settings: SettingsArgs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum FormArg {
    /// A page.
    Human,
    /// JSON.
    Json,
    /// Markdown, with a graph of the edges that change.
    Markdown,
}

/// Two revisions, where they are said, and the directory.
type Places<'a> = (Option<(&'a str, &'a str)>, PathBuf);

/// Two sides that are compared.
struct Compared {
    difference: Difference,
    /// Where there are gates, and they are asked.
    verdict: Option<Verdict>,
}

/// One side, opened and compiled.
struct Opened<'h> {
    world: Box<dyn World + Sync + 'h>,
    effective: Effective,
    settings: Settings,
    compiled: Compiled,
}

impl Diff {
    pub(super) fn run(&self, output: &mut Output) -> Result<Outcome, anyhow::Error> {
        let Compared {
            difference,
            verdict,
        } = self.compared()?;
        let text = match self.format {
            FormArg::Human => diff::human(&difference, verdict.as_ref()),
            FormArg::Json => {
                let whole = diff::json(&difference, verdict.as_ref());
                format!("{whole:#}\n")
            }
            FormArg::Markdown => diff::markdown(&difference, verdict.as_ref()),
        };
        output.tell(&text)?;
        let broken = verdict.is_some_and(|verdict| !verdict.broken.is_empty());
        Ok(match broken || (self.exit_code && !difference.is_empty()) {
            true => Outcome::Findings,
            false => Outcome::Clean,
        })
    }

    fn compared(&self) -> Result<Compared, anyhow::Error> {
        let (range, path) = self.places()?;
        let history = History::open(&path)
            .map_err(|why| anyhow!("{} is in no git repository: {why}", path.display()))?;
        let at = |revision: &str| history.at(revision).map_err(|why| anyhow!(why));
        // Files that are equal on both sides are read once.
        let mut compiler = Compiler::default();
        let mut open = |world, name: &str| self.open(&mut compiler, world, name);
        let (before, after, between) = match range {
            Some((old, new)) => {
                let before = open(Box::new(at(old)?), old)?;
                let after = open(Box::new(at(new)?), new)?;
                (before, after, (old.to_owned(), new))
            }
            None => {
                let old = match &self.against {
                    Some(revision) => at(revision)?,
                    None => history
                        .merge_base("main")
                        .map_err(|why| anyhow!("{why}: say with --against what to compare with"))?,
                };
                let id = old.id.clone();
                let name: String = id.chars().take(12).collect();
                let before = open(Box::new(old), &name)?;
                let tree = DirWorld::open(&path)
                    .map_err(|why| anyhow!("cannot read {}: {why}", path.display()))?;
                let after = open(Box::new(ByObject(tree)), "the work tree")?;
                (before, after, (id, "HEAD"))
            }
        };
        let difference = diff::diff(&before.compiled.bundle, &after.compiled.bundle);
        // A change cannot lift the gates that it has to pass; the first ones hold at once.
        let gates = before.effective.gates.as_ref();
        let gates = gates.or(after.effective.gates.as_ref());
        let verdict = match gates.filter(|_| !self.no_gates && !difference.is_empty()) {
            Some(gates) => {
                let commits = history.between(&between.0, between.1);
                let change = Change {
                    before: before.side(),
                    after: after.side(),
                    difference: &difference,
                    commits: &commits.map_err(|why| anyhow!(why))?,
                    directory: &history.name(""),
                };
                Some(gates::judge(gates, &change, &mut compiler))
            }
            None => None,
        };
        Ok(Compared {
            difference,
            verdict,
        })
    }

    /// The two revisions, if they are said, and the directory.
    fn places(&self) -> Result<Places<'_>, anyhow::Error> {
        // A directory that is there is no range, whatever it is called.
        let range = self.range.as_deref();
        let range = range.filter(|text| !Path::new(text).exists());
        let (range, path) = match (range, &self.range, &self.path) {
            (Some(range), _, path) => (Some(range), path.clone()),
            (None, Some(path), None) => (None, Some(PathBuf::from(path))),
            (None, None, None) => (None, None),
            (None, _, Some(_)) => return Err(anyhow!("one directory is compared at a time")),
        };
        let path = path.unwrap_or_else(|| PathBuf::from("."));
        let Some(range) = range else {
            return Ok((None, path));
        };
        ensure!(
            self.against.is_none(),
            "`{range}` says both sides: leave out --against"
        );
        let (old, new) = range.split_once("..").ok_or_else(|| {
            anyhow!("`{range}` is no directory and no range such as `main..HEAD`")
        })?;
        Ok((Some((or_head(old), or_head(new))), path))
    }

    /// Each side is compiled as it says itself.
    fn open<'h>(
        &self,
        compiler: &mut Compiler,
        world: Box<dyn World + Sync + 'h>,
        name: &str,
    ) -> Result<Opened<'h>, anyhow::Error> {
        let effective = self.settings.effective(&*world, [])?;
        let settings = effective.settings();
        let compiled = sound(compiler, &*world, &settings, name)?;
        Ok(Opened {
            world,
            effective,
            settings,
            compiled,
        })
    }
}

impl Opened<'_> {
    fn side(&self) -> Side<'_> {
        Side {
            world: &*self.world,
            settings: &self.settings,
            compiled: &self.compiled,
        }
    }
}

/// As git has it, nothing is the revision at hand.
fn or_head(revision: &str) -> &str {
    match revision {
        "" => "HEAD",
        revision => revision,
    }
}

fn sound(
    compiler: &mut Compiler,
    world: &dyn World,
    settings: &Settings,
    name: &str,
) -> Result<Compiled, anyhow::Error> {
    let compiled = compiler.compile(world, settings);
    let (errors, _) = compiled.diagnostics.count();
    ensure!(
        errors == 0,
        "{name} has errors, so it means nothing that could be compared: `meshc check` shows them"
    );
    Ok(compiled)
}
