//! `meshc test`: what a mesh is meant to do, asked of what it will do.
//!
//! Never asks a repository with errors: no proxy will ever have what it says.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::open;
use super::open::AtArgs;
use super::output::Output;
use super::report::ReportArg;
use super::{Outcome, SettingsArgs, file};
use crate::diag::counted;
use crate::intent::{self, Form, Options};

/// The arguments.
#[derive(Debug, Args)]
pub(super) struct Test {
    /// The directory that holds the documents, those of the kind `MeshTest` among them.
    #[arg(default_value = ".")]
    path: PathBuf,

    /// Only tests of which the name, or that of the document, holds this text.
    #[arg(long, value_name = "TEXT")]
    filter: Option<String>,

    /// Tell which rules no test touches.
    #[arg(long)]
    coverage: bool,

    /// Change rules one by one, and tell which change no test notices.
    #[arg(long)]
    mutate: bool,

    /// Fail as well for rules that no test touches, and for changes that no test notices.
    #[arg(long)]
    strict: bool,

    /// How results are written.
    #[arg(long, value_enum, default_value_t = FormArg::Human)]
    format: FormArg,

    /// Write the results into a file too, in a format of its own: `--report junit=mesh.xml`. May be given more than once.
    #[arg(long = "report", value_name = "FORMAT=FILE")]
    reports: Vec<ReportArg<FormArg>>,

    #[command(flatten)]
    at: AtArgs,

    #[command(flatten)]
    settings: SettingsArgs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum FormArg {
    /// A line for each test, and what does not hold.
    Human,
    /// One JSON object.
    Json,
    /// A report of tests in XML.
    Junit,
    /// The Test Anything Protocol.
    Tap,
}

impl From<FormArg> for Form {
    fn from(form: FormArg) -> Self {
        match form {
            FormArg::Human => Self::Human,
            FormArg::Json => Self::Json,
            FormArg::Junit => Self::Junit,
            FormArg::Tap => Self::Tap,
        }
    }
}

impl Test {
    pub(super) fn run(&self, output: &mut Output) -> Result<Outcome, anyhow::Error> {
        let opened = open::open_at(&self.path, &self.at, &self.settings)?;
        let paths = opened.paths();
        let Some(analysis) = opened.sound(output) else {
            return Ok(Outcome::Findings);
        };
        let options = Options {
            filter: self.filter.clone(),
            coverage: self.coverage,
            mutate: self.mutate,
        };
        let report = intent::run(&analysis, &options);
        for wanted in &self.reports {
            let text = intent::render(wanted.format.into(), &report, &paths);
            file::write(&wanted.file, text.as_bytes())?;
        }
        output.tell(&intent::render(self.format.into(), &report, &paths))?;
        let questions: usize = report.results.iter().map(|result| result.questions).sum();
        let (tests, failed) = (report.results.len(), report.failed());
        output.complain(&format!(
            "{}, {failed} failed, {}\n",
            counted(tests, "test"),
            counted(questions, "question")
        ));
        anyhow::ensure!(
            tests > 0,
            "there is nothing to ask: {}",
            match &self.filter {
                Some(text) => format!("no test is called `{text}`"),
                None => "no document is of the kind `MeshTest`".to_owned(),
            }
        );
        let untouched = report
            .coverage
            .is_some_and(|told| !told.untouched.is_empty());
        let unnoticed = report
            .mutations
            .is_some_and(|told| !told.unnoticed.is_empty());
        Ok(
            match failed > 0 || (self.strict && (untouched || unnoticed)) {
                true => Outcome::Findings,
                false => Outcome::Clean,
            },
        )
    }
}
