//! `meshd run`: the one command that stays.
//!
//! Never does anything but read its arguments: `app` does the rest.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use mesh_compiler::config::Flags;

use super::at_least_a_second;
use crate::app::{self, Config, Failure};
use crate::log::LogFormat;
use crate::settings::{Reference, Settings, Source};

/// Arguments of `meshd run`.
#[derive(Debug, Args)]
pub struct Run {
    /// Settings of meshd: several ways to name a commit, credentials and more
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Path of a repository, or a file:// or https:// URL
    #[arg(long, value_name = "PATH-OR-URL", required_unless_present = "config")]
    repo: Option<String>,
    /// Branch, tag or full reference name
    #[arg(long = "ref", value_name = "NAME", default_value = "main")]
    reference: String,
    /// Directory inside the repository that holds the documents
    #[arg(long, value_name = "DIR")]
    path: Option<String>,
    /// PEM file of certificate authorities for https://, beside those of the system
    #[arg(long, value_name = "FILE")]
    repo_ca: Option<PathBuf>,
    /// Serve a commit too that does not build on the last good one, such as a branch that was forced back
    #[arg(long)]
    allow_rewind: bool,
    /// Where keys and the last good commit are kept; made where it is missing
    #[arg(long, value_name = "DIR")]
    state_dir: PathBuf,
    /// Address for proxies
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:5680")]
    listen: SocketAddr,
    /// Address for health and metrics, and for everything else to whoever has the token
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:5681")]
    admin: SocketAddr,
    /// File with the token that requests to /v1 at the admin address must bring; without it they are refused there
    #[arg(long, value_name = "FILE")]
    admin_token: Option<PathBuf>,
    /// Time between two looks at the repository
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = at_least_a_second)]
    poll: Duration,
    /// How log lines look
    #[arg(long, value_name = "FORMAT", value_enum, default_value = "text")]
    log_format: LogFormat,
    // With the same values, `meshc build` makes the same bundle.
    #[command(flatten)]
    said: Flags,
}

impl Run {
    pub(super) fn run(self) -> Result<ExitCode, Failure> {
        crate::log::start(self.log_format);
        let settings = self.settings()?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .map_err(|error| Failure::System(error.to_string()))?;
        let outcome = runtime.block_on(app::run(Config {
            settings,
            state: self.state_dir,
            listen: self.listen,
            admin: self.admin,
            admin_token: self.admin_token,
            said: self.said.said(),
        }));
        // A fetch that hangs is not waited for.
        runtime.shutdown_background();
        outcome.map(|()| ExitCode::SUCCESS)
    }

    /// Of the file, with the one repository of the command line.
    fn settings(&self) -> Result<Settings, Failure> {
        let mut settings = match &self.config {
            Some(path) => Settings::read(path).map_err(|flaw| Failure::System(flaw.to_string()))?,
            None => Settings::default(),
        };
        let refuse = |why: &str| Err(Failure::System(why.to_owned()));
        match &self.repo {
            Some(_) if !settings.sources.is_empty() => {
                refuse("name repositories in the file of settings or with --repo, not both")
            }
            None if settings.sources.is_empty() => {
                refuse("the file of settings names no repository: add `[[source]]`, or say --repo")
            }
            None => Ok(settings),
            Some(repository) => {
                let reference = Reference::Named(self.reference.clone());
                let mut source = Source::named(repository, reference);
                source.path.clone_from(&self.path);
                source.ca.clone_from(&self.repo_ca);
                source.poll = self.poll;
                source.allow_rewind = self.allow_rewind;
                settings.sources.push(source);
                Ok(settings)
            }
        }
    }
}
