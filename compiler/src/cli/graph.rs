//! `meshc graph`: who may call whom.
//!
//! Never draws a repository with errors: no proxy will ever have it.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::open::AtArgs;
use super::output::Output;
use super::{Outcome, SettingsArgs, file, open};
use crate::flow::Flows;
use crate::graph::{Graph as Drawn, GraphFormat};

/// The arguments.
#[derive(Debug, Args)]
pub(super) struct Graph {
    /// The directory that holds the documents.
    #[arg(default_value = ".")]
    path: PathBuf,

    /// Only what has to do with a workload or a service of this name.
    #[arg(long, value_name = "NAME")]
    about: Option<String>,

    /// How it is written.
    #[arg(long, value_enum, default_value_t = FormatArg::Mermaid)]
    format: FormatArg,

    /// The file to write. Without it, the graph is printed.
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,

    #[command(flatten)]
    at: AtArgs,

    #[command(flatten)]
    settings: SettingsArgs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum FormatArg {
    /// A picture for browsers.
    Svg,
    /// For Graphviz.
    Dot,
    /// For Markdown of code hosts.
    Mermaid,
    /// For programs.
    Json,
}

impl Graph {
    pub(super) fn run(&self, output: &mut Output) -> Result<Outcome, anyhow::Error> {
        let opened = open::open_at(&self.path, &self.at, &self.settings, [])?;
        let Some(analysis) = opened.sound(output) else {
            return Ok(Outcome::Findings);
        };
        let flows = Flows::new(&analysis.compiled.bundle);
        let graph = Drawn::new(&flows, self.about.as_deref())?;
        let text = graph.render(match self.format {
            FormatArg::Svg => GraphFormat::Svg,
            FormatArg::Dot => GraphFormat::Dot,
            FormatArg::Mermaid => GraphFormat::Mermaid,
            FormatArg::Json => GraphFormat::Json,
        });
        for port in graph.sampled() {
            output.complain(&format!(
                "the routes to {port} tell too many requests apart: only some were asked\n"
            ));
        }
        match &self.output {
            Some(path) => file::write(path, text.as_bytes())?,
            None => output.tell(&text)?,
        }
        Ok(Outcome::Clean)
    }
}
