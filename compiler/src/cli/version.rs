//! `meshc version`: what this program is, and what it makes.
//!
//! Never says anything of the machine.

use clap::Args;
use mesh_bundle::FORMAT;
use serde_json::json;

use super::Outcome;
use super::form::FormArg;
use super::output::Output;

/// The arguments.
#[derive(Debug, Args)]
pub(super) struct Version {
    /// For people or for programs.
    #[arg(long, value_enum, default_value_t = FormArg::Human)]
    format: FormArg,
}

impl Version {
    pub(super) fn run(&self, output: &mut Output) -> Result<Outcome, anyhow::Error> {
        let version = env!("CARGO_PKG_VERSION");
        let text = match self.format {
            FormArg::Human => format!("meshc {version}\nbundle format {FORMAT}\n"),
            FormArg::Json => {
                let whole = json!({ "meshc": version, "bundleFormat": FORMAT });
                format!("{whole:#}\n")
            }
        };
        output.tell(&text)?;
        Ok(Outcome::Clean)
    }
}
