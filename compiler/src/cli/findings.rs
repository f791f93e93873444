//! What was found, in every format that somebody wants of one run.
//!
//! Never writes a report in part, and never decides what is wrong.

use std::path::PathBuf;

use anyhow::anyhow;
use clap::{Args, ValueEnum};

use super::format::FindingsFormat;
use super::open::Opened;
use super::output::Output;
use super::report::ReportArg;
use super::{Outcome, file};
use crate::config::Effective;
use crate::diag::{Diagnostics, Format, Report, summary};
use crate::source::Sources;

/// How findings are told.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "How findings are told")]
pub(super) struct FindingsArgs {
    /// How findings are written [default: `human`].
    #[arg(long, value_enum)]
    format: Option<FindingsFormat>,

    /// Write the findings into a file too, in a format of its own: `--report sarif=mesh.sarif`. May be given more than once.
    #[arg(long = "report", value_name = "FORMAT=FILE")]
    reports: Vec<ReportArg<FindingsFormat>>,

    /// The least that makes the run fail, with exit code 1 [default: `error`].
    #[arg(long, value_enum, value_name = "SEVERITY")]
    fail_on: Option<FailOnArg>,

    /// Fail for warnings too: short for `--fail-on warning`.
    #[arg(long, conflicts_with = "fail_on")]
    deny_warnings: bool,

    /// Whether to use colours.
    #[arg(long, value_enum, default_value_t = ColorArg::Auto)]
    color: ColorArg,
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
    /// Where a person looks at it; `NO_COLOR`, `FORCE_COLOR` and `CLICOLOR_FORCE` are heeded.
    Auto,
    /// In any case.
    Always,
    /// Not at all.
    Never,
}

impl FindingsArgs {
    /// What the command line says of settings.
    pub(super) fn said(&self) -> [(&'static str, Option<String>); 2] {
        let format = self.format.and_then(|format| format.to_possible_value());
        let format = format.map(|format| format.get_name().to_owned());
        let fail_on = match self.fail_on {
            Some(FailOnArg::Error) => Some("error"),
            Some(FailOnArg::Warning) => Some("warning"),
            None => self.deny_warnings.then_some("warning"),
        };
        [("format", format), ("fail-on", fail_on.map(str::to_owned))]
    }

    /// The files that reports are written into.
    pub(super) fn files(&self) -> Vec<PathBuf> {
        let reports = self.reports.iter();
        reports.map(|report| report.file.clone()).collect()
    }

    /// Results on standard output, the reports in their files.
    pub(super) fn tell(
        &self,
        (diagnostics, sources): (&mut Diagnostics, &Sources),
        opened: &Opened,
        output: &mut Output,
    ) -> Result<Outcome, anyhow::Error> {
        let (format, text) = self.written((diagnostics, sources), opened, output)?;
        output.tell(&text)?;
        let summary = summary(diagnostics, sources) + "\n";
        match format {
            FindingsFormat::Human => output.tell(&summary)?,
            // Programs read the rest.
            _ => output.complain(&summary),
        }
        Ok(judge(diagnostics, opened))
    }

    /// As [`Self::tell`], where standard output is for something else.
    pub(super) fn complain(
        &self,
        (diagnostics, sources): (&mut Diagnostics, &Sources),
        opened: &Opened,
        output: &mut Output,
    ) -> Result<Outcome, anyhow::Error> {
        let (_, text) = self.written((diagnostics, sources), opened, output)?;
        output.complain(&text);
        output.complain(&(summary(diagnostics, sources) + "\n"));
        Ok(judge(diagnostics, opened))
    }

    /// Weighs the findings, writes the reports, and gives what is to be shown.
    fn written(
        &self,
        (diagnostics, sources): (&mut Diagnostics, &Sources),
        opened: &Opened,
        output: &mut Output,
    ) -> Result<(FindingsFormat, String), anyhow::Error> {
        let paths = opened.paths();
        let Effective { lint, .. } = &opened.effective;
        lint.apply(diagnostics, |file| paths.of(file));
        if let Some(since) = &opened.since
            && let Some(left_out) = since.retain(diagnostics, &paths)
        {
            output.complain(&left_out);
        }
        let report = Report {
            diagnostics,
            sources,
            paths: &paths,
            fail_on: opened.effective.fail_on(),
        };
        for wanted in &self.reports {
            let format = wanted.format.format(false);
            let mut text = report.render(format);
            if wanted.format == FindingsFormat::Human {
                text.push_str(&summary(diagnostics, sources));
                text.push('\n');
            }
            file::write(&wanted.file, text.as_bytes())?;
            cut(&report, format, &wanted.file.to_string_lossy(), output);
        }
        let named = FindingsFormat::from_str(opened.effective.format(), false);
        let named = named.map_err(|reason| anyhow!(reason))?;
        let format = named.format(self.is_colored());
        cut(&report, format, "the output", output);
        Ok((named, report.render(format)))
    }

    fn is_colored(&self) -> bool {
        match self.color {
            ColorArg::Auto => is_colored_by_itself(),
            ColorArg::Always => true,
            ColorArg::Never => false,
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "how findings are shown, and nothing else, is up to who looks at them"
)]
fn is_colored_by_itself() -> bool {
    // Pipelines set it where nobody looks at a terminal; `0` forces nothing, as with the tools that made it known.
    let said = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    let is_forced = said("FORCE_COLOR").is_some_and(|value| value != "0");
    let auto = || anstream::AutoStream::choice(&std::io::stdout()) != anstream::ColorChoice::Never;
    (is_forced && said("NO_COLOR").is_none()) || auto()
}

fn judge(diagnostics: &Diagnostics, opened: &Opened) -> Outcome {
    let fail_on = opened.effective.fail_on();
    let mut list = diagnostics.list.iter();
    match list.any(|finding| finding.severity <= fail_on) {
        true => Outcome::Findings,
        false => Outcome::Clean,
    }
}

/// Says that not everything is told.
pub(super) fn cut(report: &Report<'_>, format: Format, place: &str, output: &mut Output) {
    let left_out = report.left_out(format);
    if left_out > 0 {
        output.complain(&format!("{left_out} more are not in {place}\n"));
    }
}
