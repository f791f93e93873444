//! A commit as files: what meshd starts with when git is away.
//!
//! Never holds a compiled bundle: the documents are compiled again, by whatever version reads them.

mod journal;
mod record;

use mesh_bundle::Digest;

use crate::candidate::Files;
use crate::sources;
use crate::state::{StateDir, StateFailure};

pub(crate) use journal::Journal;
use record::Record;

/// The last commit that everybody was given.
pub(crate) const GOOD: &str = "published.log";
/// The commit that is being rolled out.
pub(crate) const NEXT: &str = "next.log";

/// What shows that meshd has served before: the file of a last good commit, wherever it may lie.
pub(crate) fn served(state: &StateDir) -> Option<String> {
    let sources = state.list(sources::DIRECTORY).unwrap_or_default();
    let files = sources.iter().map(|name| sources::below(name) + "/" + GOOD);
    let mut files = files.chain([GOOD.to_owned()]);
    files.find(|file| state.path(file).exists())
}

/// One commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Snapshot {
    pub(crate) revision: String,
    /// Of the bundle that these files were compiled to when they were published.
    pub(crate) digest: Digest,
    /// What the compiler read.
    pub(crate) files: Files,
}

impl Snapshot {
    /// All of it.
    pub(crate) fn write(&self, state: &StateDir, file: &str) -> Result<(), StateFailure> {
        state.write(file, &Record::whole(self).line())
    }

    /// What was written last; `None` where nothing was. A damaged file is an error in words, for the log: git still has
    /// everything.
    pub(crate) fn read(state: &StateDir, file: &'static str) -> Result<Option<Self>, String> {
        let journal = Journal::open(state, file)?;
        Ok(journal.last)
    }
}

#[cfg(test)]
mod tests;
