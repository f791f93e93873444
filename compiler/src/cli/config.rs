//! `meshc config show`: which settings count for a repository, and who said them.
//!
//! Never reads a document.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::json;

use super::form::FormArg;
use super::output::Output;
use super::{Outcome, SettingsArgs, open};
use crate::config::{Effective, KEYS, Origin, schema};

/// The arguments.
#[derive(Debug, Args)]
pub(super) struct Config {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Every setting with its value and where that is from.
    Show(Show),
    /// The JSON Schema of meshc.toml, for editors.
    Schema,
}

#[derive(Debug, Args)]
struct Show {
    /// The directory that holds the documents, or one of them.
    #[arg(default_value = ".")]
    path: PathBuf,

    /// For people or for programs.
    #[arg(long, value_enum, default_value_t = FormArg::Human)]
    format: FormArg,

    #[command(flatten)]
    settings: SettingsArgs,
}

impl Config {
    pub(super) fn run(&self, output: &mut Output) -> Result<Outcome, anyhow::Error> {
        let text = match &self.action {
            Action::Schema => format!("{:#}\n", schema()),
            Action::Show(show) => {
                let opened = open::open(std::slice::from_ref(&show.path), &show.settings)?;
                match show.format {
                    FormArg::Human => human(&opened.effective),
                    FormArg::Json => as_json(&opened.effective),
                }
            }
        };
        output.tell(&text)?;
        Ok(Outcome::Clean)
    }
}

fn human(effective: &Effective) -> String {
    let lines: Vec<_> = effective
        .lines()
        .map(|(name, value, origin)| {
            let plain = ["true", "false"].contains(&value.as_str())
                || value.starts_with('[')
                || value.parse::<u32>().is_ok();
            let value = if plain { value } else { format!("{value:?}") };
            (format!("{name} = {value}"), origin)
        })
        .collect();
    let width = lines.iter().map(|(line, _)| line.chars().count()).max();
    let width = width.unwrap_or_default();
    let line = |(line, origin): &(String, Origin)| format!("{line:width$}  # {origin}\n");
    lines.iter().map(line).collect()
}

fn as_json(effective: &Effective) -> String {
    let settings = effective.lines().map(|(name, value, origin)| {
        let of_bundle = KEYS.iter().any(|key| key.name == name && key.of_bundle);
        json!({ "name": name, "value": value, "from": origin.to_string(), "ofBundle": of_bundle })
    });
    let settings: Vec<_> = settings.collect();
    let whole = json!({ "file": effective.file, "settings": settings });
    format!("{whole:#}\n")
}
