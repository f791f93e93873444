//! `meshc test`: what a mesh is meant to do, asked of what it will do.
//!
//! Never asks a repository with errors: no proxy will ever have what it says.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::findings;
use super::format::{self, FormArg};
use super::open;
use super::open::AtArgs;
use super::output::Output;
use super::report::ReportArg;
use super::{Outcome, SettingsArgs, file};
use crate::diag::{Report, Severity, counted};
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

    /// Fail as well for rules that no test touches, and for changes that no test notices: they are warnings otherwise.
    #[arg(long)]
    strict: bool,

    /// All results for people or for programs; or only what is wrong (tests that fail, rules that no test touches, changes that no
    /// test notices), as `meshc check` tells findings.
    #[arg(long, value_parser = format::parser::<FormArg<Own>>(), default_value = "human")]
    format: FormArg<Own>,

    /// Write the results into a file too, in a format of its own: `--report junit=mesh.xml`. May be given more than once.
    #[arg(long = "report", value_name = "FORMAT=FILE")]
    reports: Vec<ReportArg<FormArg<Own>>>,

    #[command(flatten)]
    at: AtArgs,

    #[command(flatten)]
    settings: SettingsArgs,
}

/// What results can be told in, beside findings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Own {
    /// A line for each test, and what does not hold.
    Human,
    /// One JSON object.
    Json,
    /// A report of tests in XML.
    Junit,
    /// The Test Anything Protocol.
    Tap,
}

impl From<Own> for Form {
    fn from(form: Own) -> Self {
        match form {
            Own::Human => Self::Human,
            Own::Json => Self::Json,
            Own::Junit => Self::Junit,
            Own::Tap => Self::Tap,
        }
    }
}

impl Test {
    pub(super) fn run(&self, output: &mut Output) -> Result<Outcome, anyhow::Error> {
        let opened = open::open_at(&self.path, &self.at, &self.settings, [])?;
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
        let sources = &analysis.compiled.sources;
        let mut diagnostics = intent::findings(&report, sources);
        let lint = &opened.effective.lint;
        lint.apply(&mut diagnostics, |file| paths.of(file));
        let failing = Report {
            diagnostics: &diagnostics,
            sources,
            paths: &paths,
            fail_on: match self.strict {
                true => Severity::Warning,
                false => Severity::Error,
            },
        };
        let mut told = |form: FormArg<Own>, place: &str| match form {
            FormArg::Own(form) => intent::render(form.into(), &report, &paths),
            FormArg::Findings(form) => {
                let format = form.format(false);
                findings::cut(&failing, format, place, output);
                failing.render(format)
            }
        };
        for wanted in &self.reports {
            let text = told(wanted.format, &wanted.file.to_string_lossy());
            file::write(&wanted.file, text.as_bytes())?;
        }
        let text = told(self.format, "the output");
        output.tell(&text)?;
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
        let mut found = diagnostics.list.iter();
        Ok(match found.any(|one| one.severity <= failing.fail_on) {
            true => Outcome::Findings,
            false => Outcome::Clean,
        })
    }
}
