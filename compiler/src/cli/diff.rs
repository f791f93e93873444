//! `meshc diff`: what a change means.
//!
//! Never compares with a revision that has errors: what it would have meant, nobody knows.

use std::path::{Path, PathBuf};

use anyhow::{anyhow, ensure};
use clap::{Args, ValueEnum};

use super::output::Output;
use super::{Outcome, SettingsArgs, open};
use crate::diff::{self, Difference};
use crate::model::Settings;
use crate::world::{History, World};
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

    /// Exit with 1 where something is different.
    #[arg(long)]
    exit_code: bool,

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

impl Diff {
    pub(super) fn run(&self, output: &mut Output) -> Result<Outcome, anyhow::Error> {
        let difference = self.difference()?;
        let text = match self.format {
            FormArg::Human => diff::human(&difference),
            FormArg::Json => format!("{:#}\n", diff::json(&difference)),
            FormArg::Markdown => diff::markdown(&difference),
        };
        output.tell(&text)?;
        Ok(match self.exit_code && !difference.is_empty() {
            true => Outcome::Findings,
            false => Outcome::Clean,
        })
    }

    fn difference(&self) -> Result<Difference, anyhow::Error> {
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
        let history = History::open(&path)
            .map_err(|why| anyhow!("{} is in no git repository: {why}", path.display()))?;
        let at = |revision: &str| history.at(revision).map_err(|why| anyhow!(why));
        // Files that are equal on both sides are read once.
        let mut compiler = Compiler::default();
        // Each side is compiled as it says itself.
        let mut compiled = |world: &dyn World, name: &str| {
            let settings = self.settings.effective(world, [])?.settings();
            sound(&mut compiler, world, &settings, name)
        };
        let (before, after) = match range {
            Some(range) => {
                ensure!(
                    self.against.is_none(),
                    "`{range}` says both sides: leave out --against"
                );
                let (old, new) = range.split_once("..").ok_or_else(|| {
                    anyhow!("`{range}` is no directory and no range such as `main..HEAD`")
                })?;
                let name = |text: &'_ str| {
                    if text.is_empty() {
                        "HEAD".to_owned()
                    } else {
                        text.to_owned()
                    }
                };
                let (old, new) = (name(old), name(new));
                (compiled(&at(&old)?, &old)?, compiled(&at(&new)?, &new)?)
            }
            None => {
                let old = match &self.against {
                    Some(revision) => at(revision)?,
                    None => history
                        .merge_base("main")
                        .map_err(|why| anyhow!("{why}: say with --against what to compare with"))?,
                };
                let opened = open::open(std::slice::from_ref(&path), &self.settings)?;
                let name: String = old.id.chars().take(12).collect();
                (
                    compiled(&old, &name)?,
                    compiled(opened.world(), "the work tree")?,
                )
            }
        };
        Ok(diff::diff(&before.bundle, &after.bundle))
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
