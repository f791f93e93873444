//! `meshc check`: findings, and with `--fix` what mends them; of a repository, some files, or what an editor holds; once, or
//! after each change.
//!
//! Never writes anything but the documents that `--fix` mends.

use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{anyhow, ensure};
use clap::{Args, ValueEnum};

use super::open::{AtArgs, Opened};
use super::output::Output;
use super::rewrite::{self, Rewritten};
use super::since::Since;
use super::watch::{self, Watch};
use super::{Common, Outcome, file, open};
use crate::diag::{counted, holds_secret};
use crate::fix::{Level, fix};
use crate::fleet::Fleet;
use crate::{Compiler, compile};

/// The arguments.
#[derive(Debug, Args)]
pub(super) struct Check {
    #[command(flatten)]
    at: AtArgs,

    /// The file of the repository that `-` stands for, whether it is there or not: the rest is read from the directory.
    #[arg(long, value_name = "FILE", conflicts_with = "at")]
    stdin_path: Option<PathBuf>,

    /// Tell only what touches files that have changed since the branch left this revision; everything is compiled.
    #[arg(long, value_name = "REVISION", conflicts_with = "at")]
    since: Option<String>,

    /// What `meshd fleet` has printed: a change that takes from live proxies an authority that they need is refused.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["watch", "fix", "diff", "stdin_path"])]
    fleet: Option<PathBuf>,

    /// Check again whenever a file changes, until Ctrl-C.
    #[arg(long, conflicts_with_all = ["fix", "diff", "stdin_path", "at"])]
    watch: bool,

    /// Mend what can be mended, and say what is left: `safe` fixes keep the meaning, `unsafe` ones are all.
    #[arg(long, value_enum, value_name = "LEVEL", num_args = 0..=1, require_equals = true, default_missing_value = "safe", conflicts_with = "at")]
    fix: Option<LevelArg>,

    /// Print what `--fix` would change, and write nothing.
    #[arg(long)]
    diff: bool,

    #[command(flatten)]
    common: Common,

    /// More files, where the first path is a file too; `-` is a document on standard input.
    #[arg(value_name = "FILE", index = 2, conflicts_with = "at")]
    more: Vec<PathBuf>,
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
        if self.watch {
            return self.watch(output);
        }
        let opened = self.open()?;
        if let Some(file) = &self.fleet {
            return self.among(file, &opened, output);
        }
        if self.fix.is_none() && !self.diff {
            let mut checked = opened.checked();
            let found = (&mut checked.diagnostics, &checked.sources);
            let outcome = self.common.findings.tell(found, &opened, output)?;
            // The process ends now, and gives everything back at once.
            std::mem::forget(checked);
            return Ok(outcome);
        }
        self.mend(&opened, output)
    }

    /// With what live proxies need, where the repository is sound: only what can be published takes anything from them.
    fn among(
        &self,
        file: &Path,
        opened: &Opened,
        output: &mut Output,
    ) -> Result<Outcome, anyhow::Error> {
        let text = file::read(file)?;
        let fleet = Fleet::read(&text).map_err(|why| anyhow!("{}: {why}", file.display()))?;
        let mut compiled = compile(opened.world(), &opened.settings);
        if !compiled.diagnostics.has_errors() {
            let (bundle, sources) = (&compiled.bundle, &compiled.sources);
            for finding in fleet.findings(bundle, sources, opened.settings.now).list {
                compiled.diagnostics.push(finding);
            }
            compiled.diagnostics.sort(&compiled.sources);
        }
        let found = (&mut compiled.diagnostics, &compiled.sources);
        self.common.findings.tell(found, opened, output)
    }

    fn paths(&self) -> Vec<PathBuf> {
        let paths = std::iter::once(&self.common.path).chain(&self.more);
        paths.cloned().collect()
    }

    fn open(&self) -> Result<Opened, anyhow::Error> {
        let Common {
            settings, findings, ..
        } = &self.common;
        let (paths, stdin) = (self.paths(), self.stdin_path.as_deref());
        let mut opened = match self.at.is_said() {
            true => open::open_at(&self.common.path, &self.at, settings, findings.said())?,
            false => open::open_given(&paths, stdin, settings, findings.said())?,
        };
        opened.settings.now = Some(now());
        if let Some(revision) = &self.since {
            opened.since = Some(Since::find(revision, &opened)?);
        }
        Ok(opened)
    }

    fn mend(&self, opened: &Opened, output: &mut Output) -> Result<Outcome, anyhow::Error> {
        ensure!(
            self.diff || opened.piped().next().is_none(),
            "what is read from standard input cannot be written: `--diff` shows what `--fix` would change"
        );
        let level = match self.fix {
            Some(LevelArg::Unsafe) => Level::Unsafe,
            Some(LevelArg::Safe) | None => Level::Safe,
        };
        let mut fixed = fix(opened.world(), &opened.settings, level);
        let count = |verb: &str| {
            let findings = counted(fixed.applied, "finding");
            let files = counted(fixed.files.len(), "file");
            format!("{verb} {findings} in {files}\n")
        };
        let files = Rewritten {
            before: &fixed.before,
            after: &fixed.files,
        };
        if self.diff {
            let secret = |name: &str| holds_secret(&fixed.checked.sources, name);
            rewrite::show(files, secret, output)?;
            output.complain(&count("would mend"));
            return Ok(match fixed.files.is_empty() {
                true => Outcome::Clean,
                false => Outcome::Findings,
            });
        }
        rewrite::write(opened, files)?;
        output.complain(&count("mended"));
        let found = (&mut fixed.checked.diagnostics, &fixed.checked.sources);
        self.common.findings.tell(found, opened, output)
    }

    /// One page after the other. Only what cannot be read at the beginning ends it.
    fn watch(&self, output: &mut Output) -> Result<Outcome, anyhow::Error> {
        let findings = &self.common.findings;
        let paths = self.paths();
        ensure!(
            !paths.iter().any(|path| path == Path::new("-")),
            "standard input cannot be watched"
        );
        self.open()?;
        let mut watch = Watch::start(&paths, &findings.files())?;
        if let Some(why) = watch.trouble() {
            output.complain(&format!(
                "the system does not tell of changes ({why}): files are looked at every second. On Linux, \
                 fs.inotify.max_user_instances says how many may be told\n"
            ));
        }
        // What is known of files that have not changed.
        let mut compiler = Compiler::default();
        let mut people = true;
        loop {
            let told = self.open().and_then(|opened| {
                people = matches!(opened.effective.format(), "human" | "concise");
                let mut compiled = compiler.compile(opened.world(), &opened.settings);
                let found = (&mut compiled.diagnostics, &compiled.sources);
                findings.tell(found, &opened, output)
            });
            if let Err(trouble) = told {
                output.complain(&format!("error: {trouble:#}\n"));
            }
            if output.closed() {
                return Ok(Outcome::Clean);
            }
            output.complain("watching for changes; Ctrl-C ends it\n");
            watch.changed()?;
            match people {
                true => output.tell(watch::separator())?,
                // Programs read the rest.
                false => output.complain(watch::separator()),
            }
        }
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
