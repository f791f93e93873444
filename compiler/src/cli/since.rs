//! `--since`: of everything that is found, what has to do with files that have changed.
//!
//! Never compiles less: what a change breaks may be anywhere. Never leaves anything out without a word.

use std::collections::BTreeSet;

use anyhow::anyhow;

use super::open::Opened;
use super::worktree;
use crate::diag::{Diagnostic, Diagnostics, Location, Paths, counted, safe};
use crate::world::History;

/// The files that have changed since a branch was left.
pub(super) struct Since {
    revision: String,
    /// As they are called from the top of the work tree.
    files: BTreeSet<String>,
}

impl Since {
    pub(super) fn find(revision: &str, opened: &Opened) -> Result<Self, anyhow::Error> {
        let start = opened.start();
        // Named files may be anywhere in the work tree.
        let top = worktree::top(&start)
            .ok_or_else(|| anyhow!("--since: {} is in no git work tree", start.display()))?;
        let start = if opened.settings.partial { top } else { start };
        let cannot = |why: String| anyhow!("--since {revision}: {why}");
        let history = History::open(&start).map_err(cannot)?;
        let changed = history.changed_since(revision).map_err(cannot)?;
        let paths = opened.paths();
        let mut files: BTreeSet<String> =
            changed.iter().map(|path| safe(path).into_owned()).collect();
        // What somebody is writing right now.
        files.extend(opened.piped().map(|name| paths.of(name)));
        Ok(Self {
            revision: revision.to_owned(),
            files,
        })
    }

    /// Leaves the findings that touch a changed file, and says what is left out.
    pub(super) fn retain(&self, diagnostics: &mut Diagnostics, paths: &Paths) -> Option<String> {
        let touches = |at: &Location| self.files.contains(&paths.of(&at.file));
        let concerns = |finding: &Diagnostic| {
            touches(&finding.at) || finding.related.iter().any(|(at, _)| touches(at))
        };
        let before = diagnostics.count();
        diagnostics.list.retain(concerns);
        let after = diagnostics.count();
        let (errors, warnings) = (before.0 - after.0, before.1 - after.1);
        let left_out = match (errors, warnings) {
            (0, 0) => return None,
            (0, warnings) => counted(warnings, "warning"),
            (errors, 0) => counted(errors, "error"),
            (errors, warnings) => {
                let errors = counted(errors, "error");
                format!("{errors} and {}", counted(warnings, "warning"))
            }
        };
        Some(format!(
            "left out: {left_out}, in files that have not changed since {}\n",
            self.revision
        ))
    }
}
