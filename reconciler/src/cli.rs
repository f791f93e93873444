//! The command line of meshd: one file for each command.
//!
//! Never takes a secret as an argument: arguments are shown to everybody on the host.

mod ask;
mod ca;
mod events;
mod fleet;
mod history;
mod revoke;
mod rollout;
mod run;
mod status;
mod suspension;
mod token;

use std::fs::{OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand};
use zeroize::Zeroizing;

use crate::app::Failure;

pub use ca::Ca;
pub use events::{Events, Reconcile};
pub use fleet::Fleet;
pub use history::{Diff, History};
pub use revoke::Revoke;
pub use rollout::Rollout;
pub use run::Run;
pub use status::Status;
pub use suspension::{Resume, Rollback, Suspend};
pub use token::{Token, TokenKey, Tokens};

/// Follows a git repository, compiles it, and delivers it to the proxies of the mesh.
#[derive(Debug, Parser)]
#[command(name = "meshd", version, arg_required_else_help = true)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What meshd can do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Follow a repository and serve the proxies
    Run(Run),
    /// Show what is served and who holds it, or wait until a commit is everywhere
    Status(Status),
    /// Show what an operator should hear of, the newest first
    Events(Events),
    /// Show which authorities live proxies need, for `meshc check --fleet`
    Fleet(Fleet),
    /// Show every bundle that was published, the newest first, and what became of it
    History(History),
    /// Show what two bundles differ in: who reaches what, and which settings
    Diff(Diff),
    /// Look at the repository now instead of at the next poll
    Reconcile(Reconcile),
    /// Follow git no more, until `resume`
    Suspend(Suspend),
    /// Follow git again
    Resume(Resume),
    /// Give everybody an earlier bundle, and follow git no more until `resume`
    Rollback(Rollback),
    /// Hold a commit that is on its way in waves, let it go on, or take it back
    #[command(subcommand)]
    Rollout(Rollout),
    /// Make a join token for a new proxy
    Token(Token),
    /// List the join tokens that are not used up or expired
    Tokens(Tokens),
    /// Show the certificate authorities that meshd holds the keys of, or let a root that is kept elsewhere vouch for one
    Ca(Ca),
    /// Write down the key of join tokens, to make them elsewhere
    TokenKey(TokenKey),
    /// End a join token, or the certificates of a proxy that meshd knows it by
    Revoke(Revoke),
}

impl Cli {
    /// Does what the command line says. The exit code is 0, or 1 where the answer is no.
    ///
    /// # Errors
    /// See [`Failure`].
    pub fn run(self) -> Result<ExitCode, Failure> {
        match self.command {
            Command::Run(run) => run.run(),
            Command::Status(status) => status.show(),
            Command::Events(events) => events.show(),
            Command::Fleet(fleet) => fleet.show(),
            Command::History(history) => history.show(),
            Command::Diff(diff) => diff.show(),
            Command::Reconcile(reconcile) => reconcile.ask(),
            Command::Suspend(suspend) => suspend.tell(),
            Command::Resume(resume) => resume.tell(),
            Command::Rollback(rollback) => rollback.tell(),
            Command::Rollout(rollout) => rollout.steer(),
            Command::Token(token) => token.create(),
            Command::Tokens(tokens) => tokens.list(),
            Command::Ca(ca) => ca.work(),
            Command::TokenKey(key) => key.export(),
            Command::Revoke(revoke) => revoke.revoke(),
        }
    }
}

fn print(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::System(error.to_string()))
        }
        _ => Ok(()),
    }
}

/// Whoever closed it does not want to know.
fn print_error(text: &str) {
    let _ = io::stderr().lock().write_all(text.as_bytes());
}

/// Writes a secret into a file that its owner alone may read.
fn written(path: &Path, text: &Zeroizing<String>) -> Result<(), Failure> {
    let failed = |error| Failure::System(format!("writing `{}`: {error}", path.display()));
    write_private(path, text).map_err(failed)
}

fn write_private(path: &Path, text: &Zeroizing<String>) -> io::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)?;
    file.set_permissions(Permissions::from_mode(0o600))?;
    file.write_all(text.trim_end().as_bytes())?;
    file.write_all(b"\n")
}

fn at_least_a_second(text: &str) -> Result<Duration, String> {
    let time: mesh_bundle::Duration = text.parse().map_err(|error| format!("{error}"))?;
    let time = time.as_std();
    (time >= Duration::from_secs(1))
        .then_some(time)
        .ok_or_else(|| "at least 1s".to_owned())
}
