//! `meshc snapshot`: what a repository compiles to, as texts that stand beside it and are reviewed with it.
//!
//! Never writes in a pipeline: what nobody has looked at is no snapshot. Never touches a file that is none of its own.

mod review;
mod store;

use std::collections::BTreeMap;
use std::io::IsTerminal as _;
use std::path::PathBuf;

use anyhow::{bail, ensure};
use clap::{Args, Subcommand};
use similar::TextDiff;

use super::output::Output;
use super::{Outcome, SettingsArgs, open};
use crate::config::key;
use crate::diag::counted;
use crate::inspect;

use store::Store;

/// The arguments.
#[derive(Debug, Args)]
pub(super) struct Snapshot {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Compare with what is committed; exit with 1 where it is stale, missing or left over. Outside of pipelines, what would
    /// be written is put beside it (`*.snap.new`).
    Check(Place),
    /// Look at each difference, and accept, reject or skip it. Needs a terminal.
    Review(Place),
    /// Write all snapshots as they are now, and remove those of nothing.
    Accept(Place),
    /// Remove what `check` has put beside the snapshots.
    Reject(Place),
}

#[derive(Debug, Args)]
struct Place {
    /// The directory that holds the documents.
    #[arg(default_value = ".")]
    path: PathBuf,

    /// The directory of the snapshots, from that of the documents [default: `snapshots`].
    #[arg(long, value_name = "DIRECTORY")]
    snapshots: Option<String>,

    #[command(flatten)]
    settings: SettingsArgs,
}

/// Snapshots, and what they should be by name.
struct Held {
    store: Store,
    wanted: BTreeMap<String, String>,
}

/// A snapshot that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Difference {
    /// Below the directory of snapshots.
    name: String,
    /// What is there; `None`: it is missing.
    old: Option<String>,
    /// What should be; `None`: it belongs to nothing.
    new: Option<String>,
}

impl Snapshot {
    pub(super) fn run(&self, output: &mut Output) -> Result<Outcome, anyhow::Error> {
        match &self.action {
            Action::Check(place) => place.check(output),
            Action::Review(place) => place.review(output),
            Action::Accept(place) => place.accept(output),
            Action::Reject(place) => place.reject(output),
        }
    }
}

impl Place {
    /// Where snapshots are, and what they should be; `None`: the repository has errors, which have been told.
    fn opened(&self, output: &mut Output) -> Result<Option<Held>, anyhow::Error> {
        let more = [("snapshots", self.snapshots.clone())];
        let opened = open::open_with(std::slice::from_ref(&self.path), &self.settings, more)?;
        let Some(key) = key("snapshots") else {
            bail!("there is no setting `snapshots`");
        };
        ensure!(
            !opened.settings.partial,
            "snapshots are of a directory, not of files"
        );
        let (directory, _) = opened.effective.get(key);
        let store = Store::at(self.path.join(directory));
        let Some(analysis) = opened.sound(output) else {
            return Ok(None);
        };
        let wanted = inspect::snapshots(&analysis)?;
        Ok(Some(Held { store, wanted }))
    }

    fn check(&self, output: &mut Output) -> Result<Outcome, anyhow::Error> {
        let Some(Held { store, wanted }) = self.opened(output)? else {
            return Ok(Outcome::Findings);
        };
        let differences = store.differences(&wanted)?;
        for difference in &differences {
            output.tell(&difference.shown())?;
        }
        if in_pipeline().is_none() {
            store.put_beside(&differences)?;
        }
        let count =
            |wanted: fn(&Difference) -> bool| differences.iter().filter(|one| wanted(one)).count();
        let parts = [
            (count(|one| one.old.is_some() && one.new.is_some()), "stale"),
            (count(|one| one.old.is_none()), "missing"),
            (count(|one| one.new.is_none()), "of nothing that is there"),
        ];
        if differences.is_empty() {
            let text = counted(wanted.len(), "snapshot");
            output.complain(&format!("{text}, all as they should be\n"));
            return Ok(Outcome::Clean);
        }
        let parts = parts.iter().filter(|(count, _)| *count > 0);
        let parts = parts.map(|(count, what)| format!("{} {what}", counted(*count, "snapshot")));
        let parts: Vec<String> = parts.collect();
        output.complain(&format!(
            "{}: look at them with `meshc snapshot review`, or take them all with `meshc snapshot accept`, and commit them\n",
            parts.join(", ")
        ));
        Ok(Outcome::Findings)
    }

    fn accept(&self, output: &mut Output) -> Result<Outcome, anyhow::Error> {
        refuse_in_pipeline("accept")?;
        let Some(Held { store, wanted }) = self.opened(output)? else {
            return Ok(Outcome::Findings);
        };
        for difference in store.differences(&wanted)? {
            output.complain(&store.accept(&difference)?);
        }
        store.clear()?;
        Ok(Outcome::Clean)
    }

    fn reject(&self, output: &mut Output) -> Result<Outcome, anyhow::Error> {
        refuse_in_pipeline("reject")?;
        let Some(Held { store, .. }) = self.opened(output)? else {
            return Ok(Outcome::Findings);
        };
        let gone = store.clear()?;
        output.complain(&format!("removed {}\n", counted(gone, "pending snapshot")));
        Ok(Outcome::Clean)
    }

    fn review(&self, output: &mut Output) -> Result<Outcome, anyhow::Error> {
        refuse_in_pipeline("review")?;
        ensure!(
            std::io::stdin().is_terminal() && std::io::stdout().is_terminal(),
            "a review needs a terminal: `meshc snapshot check` prints the differences, `meshc snapshot accept` takes them"
        );
        let Some(Held { store, wanted }) = self.opened(output)? else {
            return Ok(Outcome::Findings);
        };
        let differences = store.differences(&wanted)?;
        let mut answers = std::io::stdin().lock();
        let left = review::review(&store, &differences, &mut answers, output)?;
        Ok(match left {
            0 => Outcome::Clean,
            _ => Outcome::Findings,
        })
    }
}

impl Difference {
    /// As a unified diff.
    fn shown(&self) -> String {
        let old = self.old.as_deref().unwrap_or_default();
        let new = self.new.as_deref().unwrap_or_default();
        let name = |text: &Option<String>| match text {
            Some(_) => self.name.as_str(),
            None => "/dev/null",
        };
        let diff = TextDiff::from_lines(old, new);
        let mut diff = diff.unified_diff();
        diff.header(name(&self.old), name(&self.new)).to_string()
    }
}

fn refuse_in_pipeline(action: &str) -> Result<(), anyhow::Error> {
    match in_pipeline() {
        None => Ok(()),
        Some(variable) => bail!(
            "`meshc snapshot {action}` writes nothing in a pipeline ({variable} is set): run it where somebody looks at the result, and commit that"
        ),
    }
}

/// What says that nobody is looking.
#[expect(
    clippy::disallowed_methods,
    reason = "pipelines say what they are in the environment, and in nothing else"
)]
fn in_pipeline() -> Option<&'static str> {
    let says = |name: &&str| {
        let value = std::env::var_os(name);
        value.is_some_and(|value| !["", "0", "false"].iter().any(|no| value == *no))
    };
    ["CI", "TF_BUILD"].into_iter().find(|name| says(name))
}
