//! `meshc rules`: every code with what it weighs and whether it can be mended.
//!
//! Never reads a repository.

use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use super::Outcome;
use super::output::Output;
use crate::diag::{CodeInfo, codes};

/// The arguments.
#[derive(Debug, Args)]
pub(super) struct Rules {
    /// For people, programs or documents.
    #[arg(long, value_enum, default_value_t = FormArg::Human)]
    format: FormArg,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum FormArg {
    /// A table.
    Human,
    /// JSON, with the page of each.
    Json,
    /// A table of Markdown.
    Markdown,
}

impl Rules {
    pub(super) fn run(&self, output: &mut Output) -> Result<Outcome, anyhow::Error> {
        let rows = codes().iter();
        let text: String = match self.format {
            FormArg::Human => rows.map(human).collect(),
            FormArg::Markdown => {
                let head = "| code | severity | fix | what it is about |\n|---|---|---|---|\n";
                std::iter::once(head.to_owned())
                    .chain(rows.map(markdown))
                    .collect()
            }
            FormArg::Json => format!("{:#}\n", rows.map(object).collect::<Value>()),
        };
        output.tell(&text)?;
        Ok(Outcome::Clean)
    }
}

fn human(info: &CodeInfo) -> String {
    let fix = if info.is_fixable() { "fix" } else { "" };
    let severity = info.severity.word();
    format!("{:28}{severity:9}{fix:5}{}\n", info.code.0, info.title)
}

fn markdown(info: &CodeInfo) -> String {
    let fix = if info.is_fixable() { "yes" } else { "" };
    let severity = info.severity.word();
    format!(
        "| `{}` | {severity} | {fix} | {} |\n",
        info.code.0, info.title
    )
}

fn object(info: &CodeInfo) -> Value {
    json!({
        "code": info.code.0,
        "severity": info.severity.word(),
        "fixable": info.is_fixable(),
        "scope": info.scope.word(),
        "title": info.title,
        "page": info.page,
    })
}
