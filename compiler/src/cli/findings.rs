//! What was found, in every format that somebody wants of one run.
//!
//! Never writes a report in part, and never decides what is wrong.

use std::path::PathBuf;
use std::str::FromStr;

use clap::{Args, ValueEnum};

use super::open::Opened;
use super::output::Output;
use super::{Outcome, file};
use crate::diag::{Diagnostics, Format, Report, Severity, summary};
use crate::source::Sources;

/// How findings are told.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "How findings are told")]
pub(super) struct FindingsArgs {
    /// How findings are written.
    #[arg(long, value_enum, default_value_t = FormatArg::Human)]
    format: FormatArg,

    /// Write the findings into a file too, in a format of its own: `--report sarif=mesh.sarif`. May be given more than once.
    #[arg(long = "report", value_name = "FORMAT=FILE")]
    reports: Vec<ReportArg>,

    /// The least that makes the run fail, with exit code 1.
    #[arg(long, value_enum, value_name = "SEVERITY", default_value_t = FailOnArg::Error)]
    fail_on: FailOnArg,

    /// Fail for warnings too: short for `--fail-on warning`.
    #[arg(long, conflicts_with = "fail_on")]
    deny_warnings: bool,

    /// Whether to use colours.
    #[arg(long, value_enum, default_value_t = ColorArg::Auto)]
    color: ColorArg,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum FormatArg {
    /// With an excerpt of the document.
    #[value(alias = "full")]
    Human,
    /// One line each: `file:line:column: error[code] message`.
    Concise,
    /// A JSON array.
    Json,
    /// One JSON object a line.
    JsonLines,
    /// SARIF 2.1.0, for code scanning.
    Sarif,
    /// A report of tests in XML: a suite for each file, a test for each code.
    Junit,
    /// Annotations of GitHub Actions.
    Github,
    /// A Code Quality report of GitLab.
    Gitlab,
    /// Logging commands of Azure Pipelines.
    Azure,
    /// Reviewdog's diagnostic format.
    Rdjson,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum FailOnArg {
    /// Errors: what keeps a bundle from being made.
    Error,
    /// Warnings too.
    Warning,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ColorArg {
    /// Where a person looks at it; `NO_COLOR` and `CLICOLOR_FORCE` are heeded.
    Auto,
    /// In any case.
    Always,
    /// Not at all.
    Never,
}

/// A file, and what is written into it.
#[derive(Debug, Clone)]
struct ReportArg {
    format: FormatArg,
    file: PathBuf,
}

impl FromStr for ReportArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (format, file) = text
            .split_once('=')
            .filter(|(_, file)| !file.is_empty())
            .ok_or("it is written FORMAT=FILE, such as `sarif=mesh.sarif`")?;
        let format = FormatArg::from_str(format, false).map_err(|_| {
            let known = FormatArg::value_variants().iter();
            let known = known
                .filter_map(|known| Some(format!("`{}`", known.to_possible_value()?.get_name())));
            let known: Vec<_> = known.collect();
            format!(
                "there is no format `{format}`; there are {}",
                known.join(", ")
            )
        })?;
        Ok(Self {
            format,
            file: PathBuf::from(file),
        })
    }
}

impl FindingsArgs {
    /// Results on standard output, the reports in their files.
    pub(super) fn tell(
        &self,
        (diagnostics, sources): (&Diagnostics, &Sources),
        opened: &Opened,
        output: &mut Output,
    ) -> Result<Outcome, anyhow::Error> {
        let text = self.written((diagnostics, sources), opened, output)?;
        output.tell(&text)?;
        let summary = summary(diagnostics, sources) + "\n";
        match self.format {
            FormatArg::Human => output.tell(&summary)?,
            // Programs read the rest.
            _ => output.complain(&summary),
        }
        Ok(self.judge(diagnostics))
    }

    /// As [`Self::tell`], where standard output is for something else.
    pub(super) fn complain(
        &self,
        (diagnostics, sources): (&Diagnostics, &Sources),
        opened: &Opened,
        output: &mut Output,
    ) -> Result<Outcome, anyhow::Error> {
        let text = self.written((diagnostics, sources), opened, output)?;
        output.complain(&text);
        output.complain(&(summary(diagnostics, sources) + "\n"));
        Ok(self.judge(diagnostics))
    }

    /// Writes the reports, and gives what is to be shown.
    fn written(
        &self,
        (diagnostics, sources): (&Diagnostics, &Sources),
        opened: &Opened,
        output: &mut Output,
    ) -> Result<String, anyhow::Error> {
        let paths = opened.paths();
        let report = Report {
            diagnostics,
            sources,
            paths: &paths,
            fail_on: self.fail_on(),
        };
        for wanted in &self.reports {
            let format = wanted.format.format(false);
            file::write(&wanted.file, report.render(format).as_bytes())?;
            cut(&report, format, &wanted.file.to_string_lossy(), output);
        }
        let format = self.format.format(self.is_colored());
        cut(&report, format, "the output", output);
        Ok(report.render(format))
    }

    fn judge(&self, diagnostics: &Diagnostics) -> Outcome {
        let fail_on = self.fail_on();
        let mut list = diagnostics.list.iter();
        match list.any(|finding| finding.severity <= fail_on) {
            true => Outcome::Findings,
            false => Outcome::Clean,
        }
    }

    fn fail_on(&self) -> Severity {
        match self.fail_on {
            FailOnArg::Error if self.deny_warnings => Severity::Warning,
            FailOnArg::Error => Severity::Error,
            FailOnArg::Warning => Severity::Warning,
        }
    }

    fn is_colored(&self) -> bool {
        let auto =
            || anstream::AutoStream::choice(&std::io::stdout()) != anstream::ColorChoice::Never;
        match self.color {
            ColorArg::Auto => auto(),
            ColorArg::Always => true,
            ColorArg::Never => false,
        }
    }
}

/// Says that not everything is told.
fn cut(report: &Report<'_>, format: Format, place: &str, output: &mut Output) {
    let left_out = report.left_out(format);
    if left_out > 0 {
        output.complain(&format!("{left_out} more are not in {place}\n"));
    }
}

impl FormatArg {
    fn format(self, color: bool) -> Format {
        match self {
            Self::Human => Format::Human { color },
            Self::Concise => Format::Concise,
            Self::Json => Format::Json,
            Self::JsonLines => Format::JsonLines,
            Self::Sarif => Format::Sarif,
            Self::Junit => Format::Junit,
            Self::Github => Format::Github,
            Self::Gitlab => Format::Gitlab,
            Self::Azure => Format::Azure,
            Self::Rdjson => Format::Rdjson,
        }
    }
}
