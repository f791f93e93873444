//! `meshc fmt`: documents written in one way, into their files or as a difference.
//!
//! Never decides how a document is written, and never writes a part of a file.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use clap::Args;

use super::open::{self, Opened};
use super::output::Output;
use super::rewrite::{self, Rewritten};
use super::{Outcome, SettingsArgs};
use crate::diag::{Location, counted, is_secret_text, safe};
use crate::format::format;
use crate::source::{Limits, could_be_document, text};

/// The arguments.
#[derive(Debug, Args)]
pub(super) struct Fmt {
    /// The directory that holds the documents, or files; `-` is a document on standard input, printed as it should be.
    #[arg(default_value = ".", value_name = "PATH")]
    paths: Vec<PathBuf>,

    /// The file that `-` stands for: a name to complain about, and nothing else.
    #[arg(long, value_name = "FILE")]
    stdin_path: Option<PathBuf>,

    /// Write nothing; name the files that would change, and exit with 1 where there are any.
    #[arg(long)]
    check: bool,

    /// Write nothing; print what would change, and exit with 1 where something would.
    #[arg(long)]
    diff: bool,
}

impl Fmt {
    pub(super) fn run(&self, output: &mut Output) -> Result<Outcome, anyhow::Error> {
        let stdin = self.stdin_path.as_deref();
        // pre-commit names all files that end like a document.
        let (hidden, paths): (Vec<_>, Vec<_>) =
            self.paths.iter().cloned().partition(|path| is_hidden(path));
        for path in &hidden {
            let path = path.display().to_string();
            output.complain(&format!("{}: left as it is: it is hidden\n", safe(&path)));
        }
        if paths.is_empty() {
            return Ok(Outcome::Clean);
        }
        let opened = open::open_given(&paths, stdin, &SettingsArgs::default(), [])?;
        let mut before = BTreeMap::new();
        let mut after = BTreeMap::new();
        let mut count = 0;
        for (name, text) in texts(&opened, output) {
            count += 1;
            let formatted = format(&text);
            for left in &formatted.left {
                let name = safe(&name);
                output.complain(&format!(
                    "{name}:{}: left as it is: {}\n",
                    left.line, left.why
                ));
            }
            let piped = opened.piped().any(|piped| piped == name);
            if piped && !self.check && !self.diff {
                output.tell(&formatted.text)?;
            } else if formatted.text != text {
                after.insert(name.clone(), formatted.text);
                before.insert(name, text);
            }
        }
        let files = Rewritten {
            before: &before,
            after: &after,
        };
        let changed = counted(after.len(), "file");
        let same = counted(count - after.len(), "file");
        if self.check || self.diff {
            if self.diff {
                let secret = |name: &str| before.get(name).is_some_and(|text| is_secret_text(text));
                rewrite::show(files, secret, output)?;
            } else {
                let names = after.keys().map(|name| format!("{}\n", safe(name)));
                output.tell(&names.collect::<String>())?;
            }
            output.complain(&format!("{changed} would change, {same} would not\n"));
            return Ok(match after.is_empty() {
                true => Outcome::Clean,
                false => Outcome::Findings,
            });
        }
        if opened.piped().next().is_none() {
            rewrite::write(&opened, files)?;
            output.complain(&format!("{changed} changed, {same} not\n"));
        }
        Ok(Outcome::Clean)
    }
}

/// Is it a file that a check of its directory leaves out?
fn is_hidden(path: &Path) -> bool {
    let name = path.file_name().map(OsStr::as_encoded_bytes);
    name.is_some_and(|name| name.starts_with(b".")) && path.is_file()
}

/// What people write: JSON is written by programs. Files that cannot be read are named.
fn texts(opened: &Opened, output: &mut Output) -> Vec<(String, String)> {
    let mut limits = Limits::default();
    let mut entries = opened.world().entries().into_owned();
    entries.sort();
    let mut texts = Vec::new();
    // Of what is read from a pipe, nothing else is asked for.
    let piped: Vec<&str> = opened.piped().collect();
    for entry in entries {
        let wanted = piped.is_empty() || piped.contains(&entry.path.as_str());
        if !wanted || !could_be_document(&entry) || entry.path.ends_with(".json") {
            continue;
        }
        let read = match limits.admit(&entry) {
            Err(refusal) => Err(refusal.diagnostic(Location::of_file(&entry.path)).message),
            Ok(_) => opened.world().read(&entry.path).and_then(text),
        };
        match read {
            Ok(text) => texts.push((entry.path, text)),
            Err(why) => output.complain(&format!("{}: left as it is: {why}\n", safe(&entry.path))),
        }
    }
    texts
}
