//! Which warnings a repository wants, and how much they weigh there.
//!
//! Never makes less of an error: what keeps a bundle from being made does so whatever a file says. Never changes what
//! meshd publishes: this is for those who judge a change before it is merged.

use std::collections::BTreeMap;

use globset::GlobMatcher;

use crate::diag::{Code, Diagnostics, Severity};

/// How much a warning weighs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// It is not told.
    Off,
    /// As it is.
    Warning,
    /// It fails the run.
    Error,
}

/// What the table `[lint]` says.
#[derive(Debug, Clone, Default)]
pub struct Lint {
    /// Everywhere.
    pub(super) codes: BTreeMap<Code, Level>,
    /// For the files that a pattern fits, in the order of the file: the last one that says something counts.
    pub(super) files: Vec<(GlobMatcher, BTreeMap<Code, Level>)>,
    /// Patterns are from here, a directory from the top of the repository that ends in `/`, or nothing.
    pub(super) directory: String,
}

impl Level {
    /// As it is written.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }

    pub(super) const ALL: [Self; 3] = [Self::Off, Self::Warning, Self::Error];
}

impl Lint {
    /// Weighs warnings. `name` is what a file is called from the top of the repository. Those that are off count as
    /// suppressed.
    pub fn apply(&self, diagnostics: &mut Diagnostics, name: impl Fn(&str) -> String) {
        if self.codes.is_empty() && self.files.is_empty() {
            return;
        }
        let before = diagnostics.list.len();
        diagnostics.list.retain_mut(|finding| {
            if finding.severity == Severity::Error {
                return true;
            }
            match self.level(finding.code, &name(&finding.at.file)) {
                Level::Off => return false,
                Level::Warning => {}
                Level::Error => finding.severity = Severity::Error,
            }
            true
        });
        diagnostics.suppressed += before - diagnostics.list.len();
    }

    fn level(&self, code: Code, file: &str) -> Level {
        let inside = file.strip_prefix(&self.directory);
        let fits = |matcher: &GlobMatcher| inside.is_some_and(|file| matcher.is_match(file));
        let special = self.files.iter().rev();
        let special = special
            .filter(|(matcher, _)| fits(matcher))
            .find_map(|(_, codes)| codes.get(&code));
        *special
            .or_else(|| self.codes.get(&code))
            .unwrap_or(&Level::Warning)
    }

    /// Every line of it, as `meshc config show` prints it: the key, and what it is set to.
    pub(super) fn lines(&self) -> impl Iterator<Item = (String, &'static str)> {
        let everywhere = self.codes.iter();
        let everywhere = everywhere.map(|(code, level)| (format!("lint.{}", code.0), level.word()));
        let files = self.files.iter().flat_map(|(matcher, codes)| {
            let pattern = matcher.glob().glob();
            codes.iter().map(move |(code, level)| {
                (
                    format!("lint.per-file.{pattern:?}.{}", code.0),
                    level.word(),
                )
            })
        });
        everywhere.chain(files)
    }
}
