//! `meshc diff`: what a change means.
//!
//! Never compares with a revision that has errors: what it would have meant, nobody knows.

use std::path::{Path, PathBuf};

use anyhow::{anyhow, ensure};
use clap::{Args, ValueEnum};

use super::output::Output;
use super::report::ReportArg;
use super::{Outcome, SettingsArgs, file};
use crate::config::Effective;
use crate::diag::{Diagnostics, Format, Paths, Report, Severity, counted};
use crate::diff::gates::{self, Change, Side, Verdict};
use crate::diff::{self, Difference};
use crate::model::Settings;
use crate::source::Sources;
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

    /// The change for people, for programs, or as a comment of a pull request; or only the broken gates, as `meshc check`
    /// tells findings.
    #[arg(long, value_enum, default_value_t = FormArg::Human)]
    format: FormArg,

    /// Write it into a file too, in a format of its own: `--report sarif=mesh.sarif`. May be given more than once.
    #[arg(long = "report", value_name = "FORMAT=FILE")]
    reports: Vec<ReportArg<FormArg>>,

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
    /// Broken gates, one line each: `file:line:column: error[code] message`.
    Concise,
    /// Broken gates, one JSON object a line.
    JsonLines,
    /// Broken gates as SARIF 2.1.0, for code scanning.
    Sarif,
    /// Broken gates as a report of tests in XML.
    Junit,
    /// Broken gates as annotations of GitHub Actions.
    Github,
    /// Broken gates as a Code Quality report of GitLab.
    Gitlab,
    /// Broken gates as logging commands of Azure Pipelines.
    Azure,
    /// Broken gates in Reviewdog's diagnostic format.
    Rdjson,
}

impl FormArg {
    /// Where it is one of findings.
    fn findings(self) -> Option<Format> {
        match self {
            Self::Human | Self::Json | Self::Markdown => None,
            Self::Concise => Some(Format::Concise),
            Self::JsonLines => Some(Format::JsonLines),
            Self::Sarif => Some(Format::Sarif),
            Self::Junit => Some(Format::Junit),
            Self::Github => Some(Format::Github),
            Self::Gitlab => Some(Format::Gitlab),
            Self::Azure => Some(Format::Azure),
            Self::Rdjson => Some(Format::Rdjson),
        }
    }
}

/// Two revisions, where they are said, and the directory.
type Places<'a> = (Option<(&'a str, &'a str)>, PathBuf);

/// Two sides that are compared.
struct Compared {
    difference: Difference,
    /// Where there are gates, and they are asked.
    verdict: Option<Verdict>,
    /// The broken ones, and the files in which they are.
    broken: (Diagnostics, Sources),
    paths: Paths,
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
        let compared = self.compared()?;
        for wanted in &self.reports {
            file::write(&wanted.file, compared.told(wanted.format).as_bytes())?;
        }
        output.tell(&compared.told(self.format))?;
        let broken = compared.broken.0.list.len();
        if self.format.findings().is_some() {
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
        let directory = history.name("");
        let verdict = match gates.filter(|_| !self.no_gates) {
            Some(gates) => {
                let commits = history.between(&between.0, between.1);
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
        Ok(Compared {
            difference,
            verdict,
            broken,
            paths,
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

impl Compared {
    fn told(&self, form: FormArg) -> String {
        let verdict = self.verdict.as_ref();
        match form.findings() {
            Some(format) => {
                let (diagnostics, sources) = &self.broken;
                let report = Report {
                    diagnostics,
                    sources,
                    paths: &self.paths,
                    fail_on: Severity::Error,
                };
                report.render(format)
            }
            None if form == FormArg::Json => {
                format!("{:#}\n", diff::json(&self.difference, verdict))
            }
            None if form == FormArg::Markdown => diff::markdown(&self.difference, verdict),
            None => diff::human(&self.difference, verdict),
        }
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
