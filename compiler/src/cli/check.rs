//! `meshc check`: findings, and nothing else.
//!
//! Never writes anything.

use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use clap::Args;

use super::output::Output;
use super::{Common, FormatArg, Outcome, SettingsArgs, open};
use crate::Checked;
use crate::diag::{Diagnostics, render, summary};

/// The arguments.
#[derive(Debug, Args)]
pub(super) struct Check {
    #[command(flatten)]
    common: Common,

    /// More files, where the first path is a file too.
    #[arg(value_name = "FILE")]
    more: Vec<PathBuf>,
}

impl Check {
    pub(super) fn run(&self, output: &mut Output) -> Result<Outcome, anyhow::Error> {
        let Common { path, settings, .. } = &self.common;
        let settings = &SettingsArgs {
            now: Some(now()),
            ..settings.clone()
        };
        let paths: Vec<_> = std::iter::once(path).chain(&self.more).cloned().collect();
        let checked = open::checked(&paths, settings)?;
        let Checked {
            diagnostics,
            sources,
            ..
        } = &checked;
        let text = render(self.common.format(), diagnostics, sources);
        output.tell(&text)?;
        let summary = summary(diagnostics, sources) + "\n";
        match self.common.format {
            FormatArg::Human => output.tell(&summary)?,
            // Programs read the rest.
            FormatArg::Concise | FormatArg::Json => output.complain(&summary),
        }
        let outcome = judge(diagnostics, self.common.deny_warnings);
        // The process ends now, and gives everything back at once.
        std::mem::forget(checked);
        Ok(outcome)
    }
}

/// Seconds since 1970.
#[expect(
    clippy::disallowed_methods,
    reason = "the only clock of meshc: findings may say what expires, no bundle depends on it"
)]
fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    let seconds = since.unwrap_or_default().as_secs();
    i64::try_from(seconds).unwrap_or(i64::MAX)
}

pub(super) fn judge(diagnostics: &Diagnostics, deny_warnings: bool) -> Outcome {
    let (errors, warnings) = diagnostics.count();
    match errors > 0 || (deny_warnings && warnings > 0) {
        true => Outcome::Findings,
        false => Outcome::Clean,
    }
}
