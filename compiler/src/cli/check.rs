//! `meshc check`: findings, and with `--fix` what mends them.
//!
//! Never writes anything but the documents that `--fix` mends.

use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use clap::{Args, ValueEnum};

use super::open::Opened;
use super::output::Output;
use super::{Common, Outcome, fix as write, open};
use crate::Checked;
use crate::diag::counted;
use crate::fix::{Level, fix};

/// The arguments.
#[derive(Debug, Args)]
pub(super) struct Check {
    #[command(flatten)]
    common: Common,

    /// More files, where the first path is a file too.
    #[arg(value_name = "FILE")]
    more: Vec<PathBuf>,

    /// Mend what can be mended, and say what is left: `safe` fixes keep the meaning, `unsafe` ones are all.
    #[arg(long, value_enum, value_name = "LEVEL", num_args = 0..=1, require_equals = true, default_missing_value = "safe")]
    fix: Option<LevelArg>,

    /// Print what `--fix` would change, and write nothing.
    #[arg(long)]
    diff: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum LevelArg {
    /// After which every document means the same.
    Safe,
    /// All.
    Unsafe,
}

impl Check {
    pub(super) fn run(&self, output: &mut Output) -> Result<Outcome, anyhow::Error> {
        let Common {
            path,
            settings,
            findings,
        } = &self.common;
        let paths: Vec<_> = std::iter::once(path).chain(&self.more).cloned().collect();
        let mut opened = open::open_with(&paths, settings, findings.said())?;
        opened.settings.now = Some(now());
        if self.fix.is_none() && !self.diff {
            return self.tell(opened.checked(), &opened, output);
        }
        let level = match self.fix {
            Some(LevelArg::Unsafe) => Level::Unsafe,
            Some(LevelArg::Safe) | None => Level::Safe,
        };
        let fixed = fix(opened.world(), &opened.settings, level);
        let count = |verb: &str| {
            let findings = counted(fixed.applied, "finding");
            let files = counted(fixed.files.len(), "file");
            format!("{verb} {findings} in {files}\n")
        };
        if self.diff {
            write::show(&fixed, output)?;
            output.complain(&count("would mend"));
            return Ok(match fixed.files.is_empty() {
                true => Outcome::Clean,
                false => Outcome::Findings,
            });
        }
        write::write(&opened, &fixed)?;
        output.complain(&count("mended"));
        self.tell(fixed.checked, &opened, output)
    }

    fn tell(
        &self,
        mut checked: Checked,
        opened: &Opened,
        output: &mut Output,
    ) -> Result<Outcome, anyhow::Error> {
        let found = (&mut checked.diagnostics, &checked.sources);
        let outcome = self.common.findings.tell(found, opened, output)?;
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
pub(super) fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    let seconds = since.unwrap_or_default().as_secs();
    i64::try_from(seconds).unwrap_or(i64::MAX)
}
