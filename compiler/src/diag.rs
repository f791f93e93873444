//! What the compiler has to say: the one type for every finding, and where findings collect.
//!
//! Never holds a span or a colour: a diagnostic is located by a JSON pointer, and the span is looked up in the sources
//! when it is rendered.

mod azure;
mod code;
mod concise;
mod fix;
mod github;
mod gitlab;
mod human;
mod json;
mod junit;
mod new_document;
mod rdjson;
mod render;
mod report;
mod sarif;
mod secret;

use std::fmt;

use crate::source::Sources;

pub use code::{CodeInfo, Scope, codes};
pub use fix::{Change, Fix};
pub(crate) use junit::escaped;
pub use new_document::NewDocument;
pub use render::{Format, render, summary};
pub(crate) use render::{counted, safe};
pub use report::{Paths, Report};
pub(crate) use secret::{holds_secret, is_secret_text};

/// How bad it is. An error keeps a bundle from being published.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Nothing is published.
    Error,
    /// Published, but probably not what was meant.
    Warning,
}

/// The name of a kind of finding, `dangling-ref`. The list with severities and pages is `diag/code.rs`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Code(pub &'static str);

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// Which kind of finding.
    pub code: Code,
    /// How bad.
    pub severity: Severity,
    /// One line, lower case, no full stop, user text in backticks: what is wrong. Complete on its own.
    pub message: String,
    /// Where.
    pub at: Location,
    /// Other places that have to do with it, each with a few words.
    pub related: Vec<(Location, String)>,
    /// What to do about it.
    pub help: Option<String>,
    /// What would mend it.
    pub fix: Option<Fix>,
}

/// A place in a repository, before it is known at which line.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Location {
    /// Path from the root of the repository.
    pub file: String,
    /// Which document of the file, counted from 0 over all documents, empty ones included.
    pub document: usize,
    /// Which node of the document; the empty pointer is the document itself.
    pub pointer: Pointer,
    /// Show the key of the mapping entry rather than its value: for what should not be there at all.
    pub key: bool,
}

/// A path of keys and indices through one document (RFC 6901 as text).
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pointer {
    /// From the root.
    pub steps: Vec<Step>,
}

/// One step of a [`Pointer`].
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Step {
    /// Into a mapping.
    Field(String),
    /// Into a sequence, from 0.
    Index(usize),
    /// To the second entry of a mapping with this key: only to say that it is one too many.
    Again(String),
    /// To a comment of the document, counted from 0: the only step of its pointer.
    Comment(usize),
}

impl Diagnostic {
    /// A finding with the severity that its code has by itself.
    #[must_use]
    pub fn new(code: Code, at: Location, message: impl Into<String>) -> Self {
        Self {
            code,
            severity: code.severity(),
            message: message.into(),
            at,
            related: Vec::new(),
            help: None,
            fix: None,
        }
    }

    /// Says what to do about it.
    pub fn help(&mut self, help: impl Into<String>) -> &mut Self {
        self.help = Some(help.into());
        self
    }

    /// Names another place that has to do with it.
    pub fn related(&mut self, at: Location, words: impl Into<String>) -> &mut Self {
        self.related.push((at, words.into()));
        self
    }
}

impl Pointer {
    /// One step further, into a mapping.
    #[must_use]
    pub fn field(&self, name: impl Into<String>) -> Self {
        self.step(Step::Field(name.into()))
    }

    /// One step further, into a sequence.
    #[must_use]
    pub fn index(&self, index: usize) -> Self {
        self.step(Step::Index(index))
    }

    fn step(&self, step: Step) -> Self {
        let mut steps = self.steps.clone();
        steps.push(step);
        Self { steps }
    }

    /// As people and the conformance corpus write it: `spec.to[0].default`, keys that the user chose as
    /// `labels["kuma.io/zone"]`.
    #[must_use]
    pub fn dotted(&self) -> String {
        let plain = |name: &str| {
            !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
        };
        let mut text = String::new();
        let mut in_map = false;
        for step in &self.steps {
            match step {
                Step::Index(index) => text.push_str(&format!("[{index}]")),
                Step::Comment(_) => {}
                Step::Field(name) | Step::Again(name) if in_map || !plain(name) => {
                    text.push_str(&format!("[{name:?}]"));
                }
                Step::Field(name) | Step::Again(name) if text.is_empty() => text.push_str(name),
                Step::Field(name) | Step::Again(name) => {
                    text.push('.');
                    text.push_str(name);
                }
            }
            in_map = matches!(step, Step::Field(name) if MAPS.contains(&name.as_str()));
        }
        text
    }
}

/// Nobody mends more findings than this in one go.
pub(crate) const ENOUGH: usize = 10_000;

/// Fields whose keys are the user's own.
const MAPS: [&str; 4] = ["annotations", "labels", "matchLabels", "tags"];

/// RFC 6901: `/spec/to/0`.
impl fmt::Display for Pointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.steps.iter().try_for_each(|step| match step {
            Step::Field(name) | Step::Again(name) => {
                write!(f, "/{}", name.replace('~', "~0").replace('/', "~1"))
            }
            Step::Index(index) => write!(f, "/{index}"),
            Step::Comment(_) => Ok(()),
        })
    }
}

/// Findings as they are made; sorted by place before they are shown.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Diagnostics {
    /// In the order of discovery.
    pub list: Vec<Diagnostic>,
    /// How many more there are that comments suppress.
    pub suppressed: usize,
}

impl Diagnostics {
    /// Records a finding, and gives it back for help and related places to be added.
    pub fn push(&mut self, diagnostic: Diagnostic) -> &mut Diagnostic {
        self.list.push_mut(diagnostic)
    }

    /// In the order of places: file, document, line; one finding at one place only once.
    pub fn sort(&mut self, sources: &Sources) {
        self.list.sort_by_cached_key(|diagnostic| {
            let at = &diagnostic.at;
            let span = sources.span(at).unwrap_or_default();
            (
                at.file.clone(),
                span,
                diagnostic.code,
                diagnostic.message.clone(),
                at.document,
            )
        });
        self.list.dedup();
        // What is written once and read several times is wrong once.
        let place = |finding: &Diagnostic| (finding.at.file.clone(), sources.span(&finding.at));
        self.list.dedup_by(|next, kept| {
            let same = next.code == kept.code && next.message == kept.message;
            same && next.severity == kept.severity && place(next) == place(kept)
        });
    }

    /// Where documents are read leniently: nothing that is wrong with them is an error.
    pub(crate) fn forgive(&mut self) {
        for finding in &mut self.list {
            finding.severity = Severity::Warning;
        }
    }

    /// Where the documents are not a whole repository: what needs the rest of it is no error, and what is a warning even
    /// then is not told at all.
    pub(crate) fn judge_alone(&mut self) {
        let whole = |finding: &Diagnostic| finding.code.needs_repository();
        self.list
            .retain(|finding| !whole(finding) || finding.severity == Severity::Error);
        for finding in self.list.iter_mut().filter(|finding| whole(finding)) {
            finding.severity = Severity::Warning;
        }
    }

    /// Nobody mends this many in one go, and finding more takes time and memory.
    pub(crate) fn are_enough(&self) -> bool {
        self.list.len() > ENOUGH && self.has_errors()
    }

    /// How many errors and how many warnings.
    #[must_use]
    pub fn count(&self) -> (usize, usize) {
        let is_error = |diagnostic: &&Diagnostic| diagnostic.severity == Severity::Error;
        let errors = self.list.iter().filter(is_error).count();
        (errors, self.list.len() - errors)
    }

    /// Is there anything that keeps the bundle from being published?
    #[must_use]
    pub fn has_errors(&self) -> bool {
        self.list
            .iter()
            .any(|diagnostic| diagnostic.severity == Severity::Error)
    }
}
