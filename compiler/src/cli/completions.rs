//! `meshc completions`: what a shell offers while one types.
//!
//! Never runs anything in the shell: what is printed is fixed when meshc is built.

use clap::{Args, CommandFactory as _, ValueEnum as _};
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
        if self.shell == Shell::Fish {
            text = fish(&String::from_utf8_lossy(&text)).into_bytes();
        }
        output.bytes(&text)?;
        Ok(Outcome::Clean)
    }
}

/// With what the generator for fish leaves out: values that stand alone, and the verbs after `help`, which it takes for a
/// verb that is there already.
fn fish(text: &str) -> String {
    const HELP: &str = "complete -c meshc -n \"__fish_meshc_using_subcommand help; and not ";
    let mut whole = String::new();
    for line in text.lines() {
        match line.starts_with(HELP) {
            true => whole.push_str(&line.replacen(" help\"", "\"", 1)),
            false => whole.push_str(line),
        }
        whole.push('\n');
    }
    let shells = Shell::value_variants().iter().map(ToString::to_string);
    let shells: Vec<String> = shells.collect();
    whole.push_str(&format!(
        "complete -c meshc -n \"__fish_meshc_using_subcommand completions\" -f -a \"{}\"\n",
        shells.join(" ")
    ));
    whole
}
