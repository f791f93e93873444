//! `meshc blame-edge`: which commit opened the way from one workload to another, or closed it.
//!
//! Never looks at the work tree: what is not committed has no author.

use std::path::PathBuf;

use anyhow::anyhow;
use clap::Args;

use super::form::FormArg;
use super::output::Output;
use super::{Outcome, SettingsArgs, explain};
use crate::blame::{self, blame};
use crate::inspect::Question;
use crate::world::History;

/// The arguments.
#[derive(Debug, Args)]
pub(super) struct BlameEdge {
    /// Who sends: a workload, a Dataplane, a service, a SPIFFE ID or a KRI.
    from: String,

    /// Where to: a service, its port (`api:http`) or hostname, a workload, a Dataplane or a KRI.
    to: String,

    /// A request: `GET /orders`. Without it, `GET /`, or a connection.
    #[arg(value_name = "METHOD PATH", num_args = 0..=2)]
    request: Vec<String>,

    /// The name or number of the port, where the service has several.
    #[arg(long)]
    port: Option<String>,

    /// Only this mesh.
    #[arg(long, value_name = "NAME")]
    mesh: Option<String>,

    /// The revision that is asked about; those before it are looked at along their first parents.
    #[arg(long, value_name = "REVISION", default_value = "HEAD")]
    at: String,

    /// How many revisions are looked at.
    #[arg(long, value_name = "NUMBER", default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..))]
    max_count: u32,

    /// The directory that holds the documents.
    #[arg(short = 'C', long, value_name = "DIRECTORY", default_value = ".")]
    path: PathBuf,

    /// For people or for programs.
    #[arg(long, value_enum, default_value_t = FormArg::Human)]
    format: FormArg,

    #[command(flatten)]
    settings: SettingsArgs,
}

impl BlameEdge {
    pub(super) fn run(&self, output: &mut Output) -> Result<Outcome, anyhow::Error> {
        let question = Question {
            from: self.from.clone(),
            to: self.to.clone(),
            port: self.port.clone(),
            mesh: self.mesh.clone(),
            request: explain::asked(&self.request, &[])?,
        };
        let history = History::open(&self.path).map_err(|why| anyhow!(why))?;
        let most = usize::try_from(self.max_count).unwrap_or(usize::MAX);
        let found = blame(&history, (&self.at, most), &question, |world| {
            let effective = self.settings.effective(world, []);
            Ok(effective.map_err(|why| format!("{why:#}"))?.settings())
        })?;
        let text = match self.format {
            FormArg::Human => blame::human(&found, &question),
            FormArg::Json => format!("{:#}\n", blame::json(&found, &question)),
        };
        output.tell(&text)?;
        // Open or closed, the question is answered.
        Ok(Outcome::Clean)
    }
}
