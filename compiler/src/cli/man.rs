//! `meshc man`: manual pages.
//!
//! Never says anything that `--help` does not: both are made of the same arguments.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::{Args, Command};
use clap_mangen::Man as Page;

use super::output::Output;
use super::{Outcome, file, help};

/// The arguments.
#[derive(Debug, Args)]
pub(super) struct Man {
    /// Write a page for meshc and each of its verbs into this directory. Without it, the page of meshc is printed.
    directory: Option<PathBuf>,
}

impl Man {
    pub(super) fn run(&self, output: &mut Output) -> Result<Outcome, anyhow::Error> {
        let mut command = help::command();
        command.build();
        let Some(directory) = &self.directory else {
            output.bytes(&page(&command, "meshc")?)?;
            return Ok(Outcome::Clean);
        };
        std::fs::create_dir_all(directory)
            .with_context(|| format!("cannot make {}", directory.display()))?;
        let mut waiting = vec![(command, "meshc".to_owned())];
        while let Some((command, name)) = waiting.pop() {
            let path = directory.join(format!("{name}.1"));
            file::write(&path, &page(&command, &name)?)?;
            let verbs = command.get_subcommands();
            let verbs = verbs.filter(|verb| verb.get_name() != "help" && !verb.is_hide_set());
            let verbs = verbs.map(|verb| (verb.clone(), format!("{name}-{}", verb.get_name())));
            waiting.extend(verbs);
        }
        Ok(Outcome::Clean)
    }
}

fn page(command: &Command, name: &str) -> Result<Vec<u8>, std::io::Error> {
    let mut text = Vec::new();
    let title = name.to_uppercase();
    Page::new(command.clone().display_name(name.to_owned()))
        .title(title)
        .render(&mut text)?;
    Ok(text)
}
