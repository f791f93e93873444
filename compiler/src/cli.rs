//! `meshc` as people call it: arguments in, text and an exit code out.
//!
//! Never decides anything about a document: that is the compiler. Exit codes: 0 clean, 1 findings, 2 meshc could not do its
//! work.

mod build;
mod check;
mod explain;
mod file;
mod findings;
mod fix;
mod inspect;
mod open;
mod output;
mod worktree;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::model::{Compat, Given, Mode, Settings};
use findings::FindingsArgs;
use output::Output;

/// Checks and compiles repositories of mesh configuration.
#[derive(Debug, Parser)]
#[command(name = "meshc", version, propagate_version = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Say what is wrong with a repository of mesh documents.
    Check(check::Check),
    /// Compile a repository to a bundle.
    Build(build::Build),
    /// Show what proxies will do, and which line says so.
    Inspect(inspect::Inspect),
    /// Say what a code such as `dangling-ref` means, and what to do about it.
    Explain(explain::Explain),
}

/// What is compiled, and how findings are shown.
#[derive(Debug, Args)]
struct Common {
    /// The directory that holds the documents; or one file, which is then judged on its own.
    #[arg(default_value = ".")]
    path: PathBuf,

    #[command(flatten)]
    findings: FindingsArgs,

    #[command(flatten)]
    settings: SettingsArgs,
}

#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Settings that a bundle depends on")]
struct SettingsArgs {
    /// Name of the local zone [default: `default`].
    #[arg(long, value_name = "ZONE")]
    zone: Option<String>,

    /// Whether the repository speaks for one zone or for many.
    #[arg(long, value_enum, default_value_t = ModeArg::Zone)]
    mode: ModeArg,

    /// Kubernetes namespace whose policies are for the whole mesh [default: `kuma-system`].
    #[arg(long, value_name = "NAMESPACE")]
    system_namespace: Option<String>,

    /// Leave out the policies that every mesh has by default.
    #[arg(long)]
    no_default_policies: bool,

    /// When it is, for what expires; no bundle depends on it.
    #[arg(skip)]
    now: Option<i64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ModeArg {
    /// Every resource is of the local zone.
    Zone,
    /// Resources without a zone label are of all zones.
    Global,
}

/// How it went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Clean,
    Findings,
}

/// Runs `meshc`.
#[must_use]
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => {
            // Nobody is left to tell when this fails.
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    let mut output = Output::default();
    let outcome = match &cli.command {
        Command::Check(check) => check.run(&mut output),
        Command::Build(build) => build.run(&mut output),
        Command::Inspect(inspect) => inspect.run(&mut output),
        Command::Explain(explain) => explain.run(&mut output),
    };
    match outcome {
        _ if output.closed() => ExitCode::SUCCESS,
        Ok(Outcome::Clean) => ExitCode::SUCCESS,
        Ok(Outcome::Findings) => ExitCode::from(1),
        Err(trouble) => {
            output.complain(&format!("error: {trouble:#}\n"));
            ExitCode::from(2)
        }
    }
}

impl SettingsArgs {
    fn settings(&self) -> Result<Settings, anyhow::Error> {
        let label = |text: &str| {
            let edge = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
            !text.is_empty()
                && text.len() <= 63
                && text.chars().all(|c| edge(c) || c == '-')
                && text.starts_with(edge)
                && text.ends_with(edge)
        };
        let named = [
            ("--zone", &self.zone),
            ("--system-namespace", &self.system_namespace),
        ];
        for (flag, value) in named {
            let value = value.as_deref().unwrap_or("default");
            anyhow::ensure!(
                label(value),
                "`{value}` is no name for {flag}: use lower case letters, digits and `-`"
            );
        }
        let assumed = Settings::default();
        Ok(Settings {
            given: Given {
                zone: self.zone.is_some(),
                system_namespace: self.system_namespace.is_some(),
            },
            zone: self.zone.clone().unwrap_or(assumed.zone),
            mode: match self.mode {
                ModeArg::Zone => Mode::Zone,
                ModeArg::Global => Mode::Global,
            },
            system_namespace: self
                .system_namespace
                .clone()
                .unwrap_or(assumed.system_namespace),
            default_policies: !self.no_default_policies,
            partial: false,
            with_shadow: false,
            now: self.now,
            compat: Compat::Off,
        })
    }
}
