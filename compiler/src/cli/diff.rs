//! `meshc diff`: what a change means.
//!
//! Never compares with a revision that has errors: what it would have meant, nobody knows.

mod side;

use std::path::{Path, PathBuf};

use anyhow::{anyhow, ensure};
use clap::{Args, ValueEnum};

use super::format::{self, FormArg};
use super::output::Output;
use super::report::ReportArg;
use super::{Outcome, SettingsArgs, file};
use crate::Compiler;
use crate::diag::{Diagnostics, Paths, Report, Severity, counted};
use crate::diff::gates::{self, Change, Verdict};
use crate::diff::{self, Difference};
use crate::source::Sources;
use crate::world::{ByObject, DirWorld, History, World};
use side::{Opened, last_good, way_out};

/// The arguments.
#[derive(Debug, Args)]
pub(super) struct Diff {
    /// Two revisions of the git repository, `A..B`, or `A...B` for B and where both parted; without them the work tree is compared. Or the directory.
    range: Option<String>,

    /// The directory that holds the documents.
    path: Option<PathBuf>,

    /// The revision that the work tree is compared with [default: where the branch left `main`].
    #[arg(long, value_name = "REVISION")]
    against: Option<String>,

    /// The change for people, for programs, or as a comment of a pull request; or only the broken gates, as `meshc check`
    /// tells findings.
    #[arg(long, value_parser = format::parser::<FormArg<Own>>(), default_value = "human")]
    format: FormArg<Own>,

    /// Write it into a file too, in a format of its own: `--report sarif=mesh.sarif`. May be given more than once.
    #[arg(long = "report", value_name = "FORMAT=FILE")]
    reports: Vec<ReportArg<FormArg<Own>>>,

    /// Where the side before has errors, compare with the last revision before it that has none.
    #[arg(long)]
    last_good: bool,

    /// Exit with 1 where something is different. A broken gate does so in any case.
    #[arg(long)]
    exit_code: bool,

    /// Do not ask the gates of `meshc.toml`.
    #[arg(long)]
    no_gates: bool,

    #[command(flatten)]
    settings: SettingsArgs,
}

/// What a change can be told in, beside findings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Own {
    /// A page.
    Human,
    /// All of it as JSON.
    Json,
    /// Markdown, with a graph of the edges that change.
    Markdown,
}

/// Two revisions.
#[derive(Clone, Copy)]
struct Range<'a> {
    old: &'a str,
    new: &'a str,
    /// Not the first of them counts, but where both parted.
    is_fork: bool,
}

/// Two revisions, where they are said, and the directory.
type Places<'a> = (Option<Range<'a>>, PathBuf);

/// Two sides that are compared.
struct Compared {
    difference: Difference,
    /// Where there are gates, and they are asked.
    verdict: Option<Verdict>,
    /// The broken ones, and the files in which they are.
    broken: (Diagnostics, Sources),
    paths: Paths,
}

impl Diff {
    pub(super) fn run(&self, output: &mut Output) -> Result<Outcome, anyhow::Error> {
        let compared = self.compared()?;
        for wanted in &self.reports {
            file::write(&wanted.file, compared.told(wanted.format).as_bytes())?;
        }
        output.tell(&compared.told(self.format))?;
        let broken = compared.broken.0.list.len();
        if let FormArg::Findings(_) = self.format {
            output.complain(&match compared.verdict {
                Some(_) => format!("{}\n", counted(broken, "broken gate")),
                None => "no gate was asked\n".to_owned(),
            });
        }
        let different = self.exit_code && !compared.difference.is_empty();
        Ok(match broken > 0 || different {
            true => Outcome::Findings,
            false => Outcome::Clean,
        })
    }

    fn compared(&self) -> Result<Compared, anyhow::Error> {
        let (range, path) = self.places()?;
        let history = History::open(&path).map_err(|why| anyhow!(why))?;
        // Files that are equal on both sides are read once.
        let mut compiler = Compiler::default();
        let (before, after, between) = self.sides(&history, range, &path, &mut compiler)?;
        let difference = diff::diff(&before.compiled.bundle, &after.compiled.bundle);
        // A change cannot lift the gates that it has to pass; the first ones hold at once.
        let gates = before.effective.gates.as_ref();
        let gates = gates.or(after.effective.gates.as_ref());
        let directory = history.name("");
        let verdict = match gates.filter(|_| !self.no_gates) {
            Some(gates) => {
                let commits = history.between(&between.0, &between.1);
                let change = Change {
                    before: before.side(),
                    after: after.side(),
                    difference: &difference,
                    commits: &commits.map_err(|why| anyhow!(why))?,
                    directory: &directory,
                };
                Some(gates::judge(gates, &change, &mut compiler))
            }
            None => None,
        };
        let said = match before.effective.gates {
            Some(_) => before.world.config(),
            None => after.world.config(),
        };
        let mut paths = Paths::under(directory.trim_end_matches('/'));
        let broken = match (&verdict, said.map_err(|why| anyhow!(why))?) {
            (Some(verdict), Some(settings)) => {
                // It is called by its whole name already.
                paths.name(&settings.path, &settings.path);
                gates::findings(verdict, &settings, &after.compiled.sources)
            }
            _ => Default::default(),
        };
        // The process ends soon, and gives everything back at once.
        std::mem::forget((before, after, compiler));
        Ok(Compared {
            difference,
            verdict,
            broken,
            paths,
        })
    }

    /// Both sides, and the revisions that they are.
    fn sides(
        &self,
        history: &History,
        range: Option<Range<'_>>,
        path: &Path,
        compiler: &mut Compiler,
    ) -> Result<(Opened, Opened, (String, String)), anyhow::Error> {
        let at = |revision: &str| history.at(revision).map_err(|why| anyhow!(why));
        let (old, new) = match range {
            Some(Range { old, new, is_fork }) => {
                let old = match is_fork {
                    true => history.fork(old, new).map_err(|why| anyhow!(why))?,
                    false => at(old)?,
                };
                (old, Some(new))
            }
            None => {
                ensure!(
                    !history.is_bare(),
                    "{} is a bare repository, which has no work tree: say both sides, such as `main~1..main`",
                    path.display()
                );
                let old = match &self.against {
                    Some(revision) => at(revision)?,
                    None => history.main_base().map_err(|why| {
                        let help = match history.has_no_commits() {
                            true => "commit first; `meshc check` needs no commit",
                            false => "say with --against what to compare with",
                        };
                        anyhow!("{why}\n  help: {help}")
                    })?,
                };
                (old, None)
            }
        };
        let id = old.id.clone();
        let after: (Box<dyn World + Sync>, _) = match new {
            Some(new) => (Box::new(at(new)?), new),
            None => {
                let tree = DirWorld::open(path)
                    .map_err(|why| anyhow!("cannot read {}: {why}", path.display()))?;
                (Box::new(ByObject(tree)), "the work tree")
            }
        };
        let before = Opened::new(&self.settings, compiler, Box::new(old))?;
        let before = match before.is_sound() {
            true => (before, id),
            false => self.instead(history, (before, &id), new, compiler)?,
        };
        let (world, name) = after;
        let after = Opened::new(&self.settings, compiler, world)?;
        if !after.is_sound() {
            return Err(after.unsound(name));
        }
        Ok((
            before.0,
            after,
            (before.1, new.unwrap_or("HEAD").to_owned()),
        ))
    }

    /// What a side before with errors is replaced by, where somebody wants that.
    fn instead(
        &self,
        history: &History,
        (broken, id): (Opened, &str),
        new: Option<&str>,
        compiler: &mut Compiler,
    ) -> Result<(Opened, String), anyhow::Error> {
        let good = last_good(history, (&self.settings, compiler), id)?;
        match good {
            Some((commit, opened)) if self.last_good => Ok((opened, commit.id)),
            good => {
                let commit = good.as_ref().map(|(commit, _)| commit);
                let name: String = id.chars().take(12).collect();
                let why = broken.unsound(&name);
                Err(anyhow!("{why}{}", way_out(commit, new)))
            }
        }
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
        // Three points mean, as in git, what the second has done since both parted.
        let is_fork = new.starts_with('.');
        let new = new.strip_prefix('.').unwrap_or(new);
        let (old, new) = (or_head(old), or_head(new));
        Ok((Some(Range { old, new, is_fork }), path))
    }
}

impl Compared {
    fn told(&self, form: FormArg<Own>) -> String {
        let verdict = self.verdict.as_ref();
        match form {
            FormArg::Findings(form) => {
                let (diagnostics, sources) = &self.broken;
                let report = Report {
                    diagnostics,
                    sources,
                    paths: &self.paths,
                    fail_on: Severity::Error,
                };
                report.render(form.format(false))
            }
            FormArg::Own(Own::Human) => diff::human(&self.difference, verdict),
            FormArg::Own(Own::Json) => format!("{:#}\n", diff::json(&self.difference, verdict)),
            FormArg::Own(Own::Markdown) => diff::markdown(&self.difference, verdict),
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
