//! `meshc completions`: what a shell offers while one types.
//!
//! Never runs anything in the shell: what is printed is fixed when meshc is built.

use clap::{Args, CommandFactory as _};
use clap_complete::{Shell, generate};

use super::output::Output;
use super::{Cli, Outcome};

/// The arguments.
#[derive(Debug, Args)]
pub(super) struct Completions {
    /// The shell.
    #[arg(value_enum)]
    shell: Shell,
}

impl Completions {
    pub(super) fn run(&self, output: &mut Output) -> Result<Outcome, anyhow::Error> {
        let mut text = Vec::new();
        generate(self.shell, &mut Cli::command(), "meshc", &mut text);
        output.bytes(&text)?;
        Ok(Outcome::Clean)
    }
}
