//! The commits that were written to one file, one after the other; the last whole one counts.
//!
//! Never rewrites ten thousand files for one that changed, and never grows beyond twice of what a commit takes, or a MiB
//! more.

use super::Snapshot;
use super::record::{Change, Record};
use crate::state::{StateDir, StateFailure};

/// What a file may hold beside its first line, however short that is.
const SLACK: u64 = 1 << 20;

/// One such file, and what stands in it.
#[derive(Debug)]
pub(crate) struct Journal {
    file: &'static str,
    pub(super) last: Option<Snapshot>,
    /// Bytes of its first line.
    first: u64,
    /// Bytes that count.
    length: u64,
}

impl Journal {
    /// A file of which nothing counts.
    pub(crate) fn empty(file: &'static str) -> Self {
        Self {
            file,
            last: None,
            first: 0,
            length: 0,
        }
    }

    /// What stands in a file. What is damaged, or was being written when meshd was killed, does not count, nor what comes
    /// after it.
    ///
    /// # Errors
    /// Nothing of it counts; in words.
    pub(crate) fn open(state: &StateDir, file: &'static str) -> Result<Self, String> {
        let mut journal = Self::empty(file);
        let Some(bytes) = state.read(file).map_err(|error| error.to_string())? else {
            return Ok(journal);
        };
        let mut damage = bytes.is_empty().then(|| "it is empty".to_owned());
        for line in bytes.split_inclusive(|byte| *byte == b'\n') {
            let read = Change::read(line);
            if let Err(why) = read.and_then(|change| journal.apply(change, line.len())) {
                damage = Some(why);
                break;
            }
        }
        match (damage, &journal.last) {
            (Some(why), None) => Err(format!("`{file}` is damaged: {why}")),
            (Some(why), Some(last)) => {
                let revision = &last.revision;
                tracing::warn!(file, why, revision, "what was written last cannot be used");
                Ok(journal)
            }
            (None, _) => Ok(journal),
        }
    }

    /// The commit that counts.
    pub(crate) fn last(&self) -> Option<&Snapshot> {
        self.last.as_ref()
    }

    /// Adds a commit, as what it changes where that is less than all of it. It is on the disk when this returns.
    ///
    /// # Errors
    /// It cannot be written; the one before still counts.
    pub(crate) fn write(&mut self, state: &StateDir, next: Snapshot) -> Result<(), StateFailure> {
        if let Some(last) = &self.last {
            let line = Record::change(&last.files, &next).line();
            let room = self.first.saturating_mul(2).max(self.first + SLACK);
            if self.length + line.len() as u64 <= room
                && state.append(self.file, self.length, &line).is_ok()
            {
                self.count(line.len(), next);
                return Ok(());
            }
        }
        let line = Record::whole(&next).line();
        state.write(self.file, &line)?;
        *self = Self::empty(self.file);
        self.count(line.len(), next);
        Ok(())
    }

    fn apply(&mut self, change: Change, length: usize) -> Result<(), String> {
        if !change.whole && self.last.is_none() {
            return Err("what it changes is not there".to_owned());
        }
        let before = self.last.take().filter(|_| !change.whole);
        let before = before.map(|before| before.files).unwrap_or_default();
        let snapshot = Snapshot {
            revision: change.revision,
            digest: change.digest,
            files: before.with(change.files),
        };
        self.count(length, snapshot);
        Ok(())
    }

    fn count(&mut self, length: usize, snapshot: Snapshot) {
        let length = length as u64;
        if self.length == 0 {
            self.first = length;
        }
        self.length += length;
        self.last = Some(snapshot);
    }
}
