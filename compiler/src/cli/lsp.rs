//! `meshc lsp`: answers editors while somebody writes.
//!
//! Never writes anything but the protocol to standard output: what goes wrong is told on standard error.

use std::io::{BufReader, Write as _, stdin, stdout};
use std::path::PathBuf;

use clap::Args;

use super::check::now;
use super::output::Output;
use super::{Outcome, SettingsArgs, worktree};
use crate::lsp::{Ended, Options, serve};

/// The arguments.
#[derive(Debug, Args)]
pub(super) struct Lsp {
    /// The directory that holds the documents, from each folder that the editor has opened.
    #[arg(default_value = ".")]
    directory: PathBuf,

    /// Speak over standard input and output. There is no other way; editors say so out of habit.
    #[arg(long, hide = true)]
    stdio: bool,

    #[command(flatten)]
    settings: SettingsArgs,
}

impl Lsp {
    pub(super) fn run(&self, _: &mut Output) -> Result<Outcome, anyhow::Error> {
        let options = Options {
            directory: self.directory.clone(),
            said: self.settings.said([])?,
            now,
            top: worktree::top,
            log,
        };
        // As the protocol has it, an end that was not announced is exit code 1.
        Ok(match serve(BufReader::new(stdin()), stdout(), &options)? {
            Ended::Orderly => Outcome::Clean,
            Ended::Abrupt => Outcome::Findings,
        })
    }
}

fn log(message: &str) {
    // Nobody is left to tell when this fails.
    let _ = writeln!(std::io::stderr().lock(), "meshc lsp: {message}");
}
