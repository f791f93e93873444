//! Findings as other programs take them: what they are called there, and which of them are told.
//!
//! Never decides what a format looks like, and never puts a line number into a fingerprint: a finding whose lines moved is
//! the same finding.

use std::collections::BTreeMap;

use sha2::{Digest as _, Sha256};

use super::render::{safe, text};
use super::secret::is_secret;
use super::{
    Diagnostic, Diagnostics, Format, Location, Severity, azure, concise, github, gitlab, human,
    json, junit, rdjson, sarif,
};
use crate::edit::{Edit, Editor};
use crate::source::{Place, Sources};

/// Findings that a program is told in one run: GitHub shows no more than these of one analysis.
const MOST: usize = 5_000;

/// Findings that one step of a job may annotate; GitHub takes no more of one job.
const MOST_ANNOTATIONS: usize = 50;

/// Bytes that a fix may put in: what is longer is no suggestion that somebody reads.
const LONGEST_FIX: usize = 4_096;

/// Other places of one finding that a program is told.
const MOST_RELATED: usize = 16;

/// What one run has found, to be written in as many formats as somebody wants.
#[derive(Debug, Clone, Copy)]
pub struct Report<'a> {
    /// What was found, sorted.
    pub diagnostics: &'a Diagnostics,
    /// What was read.
    pub sources: &'a Sources,
    /// What files are called by those who look at the whole work tree.
    pub paths: &'a Paths,
    /// The least severity that fails the run.
    pub fail_on: Severity,
}

/// What files are called from the root of the git work tree, as code hosts want them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Paths {
    /// Before every name that is not in `names`.
    prefix: String,
    names: BTreeMap<String, String>,
}

/// A finding with what every program wants of it.
pub(super) struct Finding<'a> {
    pub(super) diagnostic: &'a Diagnostic,
    /// From the root of the work tree.
    pub(super) path: String,
    pub(super) place: Place,
    /// Equal for the same finding in another commit, different from that of every other finding of this run.
    pub(super) fingerprint: String,
    /// The resource that it is in.
    pub(super) resource: Option<String>,
}

/// What would mend a finding, for one file.
pub(super) struct Mend {
    pub(super) description: String,
    pub(super) edits: Vec<(Place, Edit)>,
}

impl Paths {
    /// The repository is a directory of the work tree.
    #[must_use]
    pub fn under(directory: &str) -> Self {
        let prefix = match directory {
            "" => String::new(),
            directory => format!("{directory}/"),
        };
        Self {
            prefix,
            names: BTreeMap::new(),
        }
    }

    /// Files that have a name each.
    #[must_use]
    pub fn named(names: BTreeMap<String, String>) -> Self {
        Self {
            prefix: String::new(),
            names,
        }
    }

    /// Gives a file a name of its own.
    pub(crate) fn name(&mut self, file: &str, name: &str) {
        self.names.insert(file.to_owned(), name.to_owned());
    }

    /// What a file is called.
    #[must_use]
    pub fn of(&self, file: &str) -> String {
        let name = match self.names.get(file) {
            Some(name) => name.clone(),
            None => format!("{}{file}", self.prefix),
        };
        safe(&name).into_owned()
    }
}

impl<'a> Report<'a> {
    /// The findings as text.
    #[must_use]
    pub fn render(&self, format: Format) -> String {
        let told = |most| self.findings(most);
        match format {
            Format::Human { color } => text(self.diagnostics, self.sources, |one, editor| {
                human::render(one, self.sources, editor, color)
            }),
            Format::Concise => text(self.diagnostics, self.sources, |one, _| {
                concise::render(one, self.sources)
            }),
            Format::Json => json::render(&self.list(MOST), self.sources),
            Format::JsonLines => json::lines(&self.list(MOST), self.sources),
            Format::Sarif => sarif::render(&told(MOST), self),
            Format::Junit => junit::render(&told(MOST), self),
            Format::Gitlab => gitlab::render(&told(MOST)),
            Format::Rdjson => rdjson::render(&told(MOST), self),
            Format::Github => github::render(&told(MOST_ANNOTATIONS), self),
            Format::Azure => azure::render(&told(MOST_ANNOTATIONS), self),
        }
    }

    /// How many findings are left out; those that people read say it themselves.
    #[must_use]
    pub fn left_out(&self, format: Format) -> usize {
        match format {
            Format::Human { .. } | Format::Concise => 0,
            Format::Github | Format::Azure => self.hidden(MOST_ANNOTATIONS),
            _ => self.hidden(MOST),
        }
    }

    fn hidden(&self, most: usize) -> usize {
        self.diagnostics.list.len().saturating_sub(most)
    }

    /// The worst, each severity in the order of places.
    fn list(&self, most: usize) -> Vec<&'a Diagnostic> {
        let mut list: Vec<_> = self.diagnostics.list.iter().collect();
        if list.len() > most {
            list.sort_by_key(|diagnostic| diagnostic.severity);
            list.truncate(most);
        }
        list
    }

    fn findings(&self, most: usize) -> Vec<Finding<'a>> {
        let mut seen = BTreeMap::new();
        let list = self.list(most).into_iter();
        list.map(|diagnostic| self.finding(diagnostic, &mut seen))
            .collect()
    }

    fn finding(
        &self,
        diagnostic: &'a Diagnostic,
        seen: &mut BTreeMap<[u8; 32], usize>,
    ) -> Finding<'a> {
        let at = &diagnostic.at;
        let resource = self.sources.resource(at).map(ToString::to_string);
        let path = self.paths.of(&at.file);
        // A resource is the same one in whatever file it stands. A document that nobody could name is told by its number.
        let number = at.document.to_string();
        let (file, document) = match &resource {
            Some(resource) => ("", resource.as_str()),
            None => (path.as_str(), number.as_str()),
        };
        let pointer = at.pointer.to_string();
        let parts = [diagnostic.code.0, file, document, &pointer];
        let of = Sha256::digest(parts.join("\0"));
        let more = seen.entry(of.into()).or_default();
        // Two findings of one code at one place.
        let of = match *more {
            0 => of,
            more => Sha256::digest([of.as_slice(), &more.to_be_bytes()].concat()),
        };
        *more += 1;
        let fingerprint = of.iter().take(16).map(|byte| format!("{byte:02x}"));
        Finding {
            diagnostic,
            path,
            place: self.sources.place(at),
            fingerprint: fingerprint.collect(),
            resource,
        }
    }

    /// What would mend it, where that may be shown.
    pub(super) fn mend(&self, finding: &Finding<'_>, editor: &mut Editor<'_>) -> Option<Mend> {
        let at = &finding.diagnostic.at;
        let fix = finding.diagnostic.fix.as_ref()?;
        if is_secret(self.sources, at) {
            return None;
        }
        let edits = editor.edits(fix, at)?;
        let file = self.sources.file(&at.file)?;
        let length: usize = edits.iter().map(|edit| edit.text.len()).sum();
        (length <= LONGEST_FIX).then(|| Mend {
            description: safe(&fix.description).into_owned(),
            edits: edits
                .into_iter()
                .map(|edit| (file.place(edit.span), edit))
                .collect(),
        })
    }

    /// Other places, with their paths and what is said of them.
    pub(super) fn related(
        &self,
        finding: &Finding<'a>,
    ) -> impl Iterator<Item = (&'a Location, String, Place, String)> {
        let related = finding.diagnostic.related.iter().take(MOST_RELATED);
        related.map(|(at, words)| {
            let place = self.sources.place(at);
            (at, self.paths.of(&at.file), place, safe(words).into_owned())
        })
    }
}

impl Finding<'_> {
    /// What is wrong, and what helps.
    pub(super) fn text(&self) -> String {
        let message = safe(&self.diagnostic.message);
        match &self.diagnostic.help {
            Some(help) => format!("{message}\nhelp: {}", safe(help)),
            None => message.into_owned(),
        }
    }

    pub(super) fn message(&self) -> String {
        safe(&self.diagnostic.message).into_owned()
    }

    pub(super) fn is_error(&self) -> bool {
        self.diagnostic.severity == Severity::Error
    }
}
