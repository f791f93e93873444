//! Findings as text: which of them are shown, in which format.
//!
//! Never lets the text of a document act on a terminal, and never prints more than fits: what a repository holds may be
//! hostile.

use std::borrow::Cow;

use super::{Diagnostic, Diagnostics, Paths, Report, Severity};
use crate::edit::Editor;
use crate::source::Sources;

/// How findings are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// For people: with an excerpt of the document.
    Human {
        /// With escape sequences for colours.
        color: bool,
    },
    /// One line each, `file:line:column: error[code] message`.
    Concise,
    /// A JSON array.
    Json,
    /// One JSON object a line, as in the array.
    JsonLines,
    /// SARIF 2.1.0, for code scanning.
    Sarif,
    /// A report of tests in XML: a suite for each file, a test for each code.
    Junit,
    /// Workflow commands, which GitHub shows beside the lines.
    Github,
    /// A Code Quality report of GitLab.
    Gitlab,
    /// Logging commands of Azure Pipelines.
    Azure,
    /// Reviewdog's diagnostic format, with suggestions.
    Rdjson,
}

/// Findings that are shown in one run.
const MOST: usize = 50;

/// Bytes that are shown in one run.
const MOST_BYTES: usize = 64 * 1024 - 512;

/// Characters of one message.
const LONGEST: usize = 500;

/// The findings as text, each file by its name in the repository.
#[must_use]
pub fn render(format: Format, diagnostics: &Diagnostics, sources: &Sources) -> String {
    let report = Report {
        diagnostics,
        sources,
        paths: &Paths::default(),
        fail_on: Severity::Error,
    };
    report.render(format)
}

/// As many as a person reads, the most important of them where they are too many.
pub(super) fn text(
    diagnostics: &Diagnostics,
    sources: &Sources,
    one: impl Fn(&Diagnostic, &mut Editor<'_>) -> String,
) -> String {
    let mut editor = Editor::new(sources);
    let mut text = String::new();
    let mut count = 0;
    for diagnostic in choose(diagnostics) {
        let one = one(diagnostic, &mut editor);
        if text.len() + one.len() > MOST_BYTES {
            break;
        }
        text.push_str(&one);
        count += 1;
    }
    let hidden = diagnostics.list.len() - count;
    if hidden > 0 {
        text.push_str(&format!("… and {hidden} more, not shown\n"));
    }
    text
}

/// `2 errors, 1 warning in 12 documents`.
#[must_use]
pub fn summary(diagnostics: &Diagnostics, sources: &Sources) -> String {
    let (errors, warnings) = diagnostics.count();
    let documents = counted(sources.documents(), "document");
    let found = match (errors, warnings) {
        (0, 0) => "no problems".to_owned(),
        (0, warnings) => counted(warnings, "warning"),
        (errors, 0) => counted(errors, "error"),
        (errors, warnings) => {
            format!(
                "{}, {}",
                counted(errors, "error"),
                counted(warnings, "warning")
            )
        }
    };
    // A wrong directory has no problems either: that must not look like a good one.
    if sources.documents() == 0 && diagnostics.list.is_empty() {
        return "there is no document here, so nothing was checked: one is in a file that ends in .yaml, .yml or .json".to_owned();
    }
    match diagnostics.suppressed {
        0 => format!("{found} in {documents}"),
        suppressed => format!("{found} in {documents}, {suppressed} suppressed"),
    }
}

/// `1 error`, `2 errors`.
pub(crate) fn counted(count: usize, noun: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {noun}{plural}")
}

/// All, or errors before warnings where there are too many; in the order of places.
fn choose(diagnostics: &Diagnostics) -> Vec<&Diagnostic> {
    let list = &diagnostics.list;
    let is_error = |diagnostic: &&Diagnostic| diagnostic.severity == Severity::Error;
    let errors = list.iter().filter(is_error).count().min(MOST);
    let (mut errors_left, mut warnings_left) = (errors, MOST - errors);
    list.iter()
        .filter(|diagnostic| {
            let left = match diagnostic.severity {
                Severity::Error => &mut errors_left,
                Severity::Warning => &mut warnings_left,
            };
            let chosen = *left > 0;
            *left = left.saturating_sub(1);
            chosen
        })
        .collect()
}

/// Text of a document, safe to show: control characters and those that turn the direction of text are written as
/// escapes, and a long text is cut.
pub(crate) fn safe(text: &str) -> Cow<'_, str> {
    let acts = |c: char| {
        c.is_control()
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
    };
    let long = text.len() > LONGEST;
    if !long && !text.contains(acts) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::new();
    for c in text.chars().take(LONGEST) {
        match acts(c) {
            true => safe.extend(c.escape_default()),
            false => safe.push(c),
        }
    }
    if text.chars().nth(LONGEST).is_some() {
        safe.push('…');
    }
    Cow::Owned(safe)
}

impl Severity {
    /// As people read it: `error`.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }
}

#[cfg(test)]
mod tests;
