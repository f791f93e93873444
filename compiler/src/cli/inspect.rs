//! `meshc inspect`: what proxies will do, and which line says so.
//!
//! Never shows a configuration of a repository with errors: no proxy will ever have it.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::output::Output;
use super::{Outcome, SettingsArgs, open};
use crate::Compiled;
use crate::diag::{Format, render, summary};
use crate::inspect::{self, Form};

/// The arguments.
#[derive(Debug, Args)]
pub(super) struct Inspect {
    /// The directory that holds the documents.
    #[arg(default_value = ".")]
    path: PathBuf,

    /// A proxy, by the name of its Dataplane or by its KRI. Without it, all proxies are listed.
    proxy: Option<String>,

    /// Show what would change for the proxy if shadow policies (`kuma.io/effect: shadow`) counted.
    #[arg(long, requires = "proxy")]
    with_shadow: bool,

    /// For people or for programs.
    #[arg(long, value_enum, default_value_t = FormArg::Human)]
    format: FormArg,

    #[command(flatten)]
    settings: SettingsArgs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum FormArg {
    /// A page.
    Human,
    /// JSON.
    Json,
}

impl Inspect {
    pub(super) fn run(&self, output: &mut Output) -> Result<Outcome, anyhow::Error> {
        let Some(compiled) = self.sound(&self.settings, output)? else {
            return Ok(Outcome::Findings);
        };
        let form = match self.format {
            FormArg::Human => Form::Human,
            FormArg::Json => Form::Json,
        };
        let text = match &self.proxy {
            Some(proxy) if self.with_shadow => {
                let settings = SettingsArgs {
                    with_shadow: true,
                    ..self.settings.clone()
                };
                let Some(shadowed) = self.sound(&settings, output)? else {
                    return Ok(Outcome::Findings);
                };
                inspect::with_shadow(&compiled, &shadowed, proxy, form)?
            }
            Some(proxy) => inspect::proxy(&compiled, proxy, form)?,
            None => inspect::proxies(&compiled, form)?,
        };
        output.tell(&text)?;
        Ok(Outcome::Clean)
    }

    /// The repository, where nothing is wrong with it.
    fn sound(
        &self,
        settings: &SettingsArgs,
        output: &mut Output,
    ) -> Result<Option<Compiled>, anyhow::Error> {
        let compiled = open::compiled(&self.path, settings)?;
        if !compiled.diagnostics.has_errors() {
            return Ok(Some(compiled));
        }
        let (findings, sources) = (&compiled.diagnostics, &compiled.sources);
        output.complain(&render(Format::Human { color: false }, findings, sources));
        output.complain(&(summary(findings, sources) + "\n"));
        Ok(None)
    }
}
