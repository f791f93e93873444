//! Findings as editors show them, file by file.
//!
//! Never finds anything itself, and never leaves a finding out that `meshc check` has.

use std::collections::BTreeMap;

use gen_lsp_types::{
    Code, Diagnostic, DiagnosticRelatedInformation, DiagnosticSeverity, DiagnosticTag, Location,
    Message, Position, PublishDiagnosticsParams, Range,
};

use super::folder::Folder;
use super::position::{Encoding, Lines};
use crate::config::Flaw;
use crate::diag::{self, Severity, safe};
use crate::source::{Sources, Span};

/// Of one file: no editor shows more, and a client is told all of them at each keystroke.
const MOST: usize = 1_000;

/// Other places of one finding.
const MOST_RELATED: usize = 16;

/// Who says so.
const SOURCE: &str = "meshc";

/// Turns places into ranges; each text is looked at once.
pub(super) struct Ranges<'a> {
    sources: &'a Sources,
    encoding: Encoding,
    lines: BTreeMap<String, (&'a str, Lines)>,
}

impl<'a> Ranges<'a> {
    pub(super) fn new(sources: &'a Sources, encoding: Encoding) -> Self {
        Self {
            sources,
            encoding,
            lines: BTreeMap::new(),
        }
    }

    /// Where a place is in its file; the beginning of the file where nothing is known of it.
    pub(super) fn of(&mut self, at: &diag::Location) -> Range {
        let span = self.sources.span(at).unwrap_or_default();
        self.of_span(&at.file, span)
    }

    /// Where some bytes of a file are.
    pub(super) fn of_span(&mut self, file: &str, span: Span) -> Range {
        if let Some((text, lines)) = self.lines.get(file) {
            return lines.range(text, span, self.encoding);
        }
        let text = self.sources.text(file).unwrap_or_default();
        let lines = Lines::of(text);
        let range = lines.range(text, span, self.encoding);
        self.lines.insert(file.to_owned(), (text, lines));
        range
    }
}

/// What the client has to be told after the newest texts were compiled; and what it has been told then.
pub(super) fn news(folder: &mut Folder, encoding: Encoding) -> Vec<PublishDiagnosticsParams> {
    let found = found(folder, encoding);
    let before = std::mem::take(&mut folder.told);
    let open = folder.buffers.values().chain(&folder.settings);
    let versions: BTreeMap<&str, i32> = open
        .map(|buffer| (buffer.uri.as_str(), buffer.version))
        .collect();
    let mut news = Vec::new();
    let mut told = BTreeMap::new();
    let mut tell = |uri: &str, version, diagnostics: &[Diagnostic]| {
        news.push(PublishDiagnosticsParams {
            uri: uri.into(),
            version,
            diagnostics: diagnostics.to_vec(),
        });
    };
    // Of an open document every version is told, be it that nothing is wrong with it.
    let silent = versions.keys().filter(|uri| !found.contains_key(**uri));
    let silent = silent.map(|uri| ((*uri).to_owned(), Vec::new()));
    let silent: Vec<_> = silent.collect();
    for (uri, diagnostics) in found.into_iter().chain(silent) {
        let version = versions.get(uri.as_str()).copied();
        let state = (version, diagnostics);
        if before.get(&uri) != Some(&state) {
            tell(&uri, version, &state.1);
        }
        told.insert(uri, state);
    }
    for (uri, (_, diagnostics)) in before {
        if !told.contains_key(&uri) && !diagnostics.is_empty() {
            tell(&uri, None, &[]);
        }
    }
    folder.told = told;
    news
}

fn found(folder: &Folder, encoding: Encoding) -> BTreeMap<String, Vec<Diagnostic>> {
    let mut found: BTreeMap<String, Vec<Diagnostic>> = BTreeMap::new();
    if let Some(meaning) = folder.current() {
        let compiled = &meaning.analysis.compiled;
        let mut ranges = Ranges::new(&compiled.sources, encoding);
        for finding in &compiled.diagnostics.list {
            let of_file = found.entry(folder.uri(&finding.at.file)).or_default();
            if of_file.len() < MOST {
                of_file.push(diagnostic(finding, folder, &mut ranges));
            }
        }
    }
    for flaw in &folder.flaws {
        let of_file = found.entry(folder.settings_uri(&flaw.path)).or_default();
        of_file.push(flawed(flaw));
    }
    found
}

/// A finding as editors show it.
pub(super) fn diagnostic(
    finding: &diag::Diagnostic,
    folder: &Folder,
    ranges: &mut Ranges<'_>,
) -> Diagnostic {
    // What the compiler has made itself is in no file.
    let written = |at: &diag::Location| ranges.sources.text(&at.file).is_some();
    let related = finding.related.iter().filter(|(at, _)| written(at));
    let related: Vec<_> = related.take(MOST_RELATED).collect();
    let related = related.into_iter();
    let related = related.map(|(at, words)| DiagnosticRelatedInformation {
        location: Location {
            uri: folder.uri(&at.file).into(),
            range: ranges.of(at),
        },
        message: safe(words).into_owned(),
    });
    let related: Vec<_> = related.collect();
    Diagnostic {
        range: ranges.of(&finding.at),
        severity: Some(severity(finding.severity)),
        code: Some(Code::String(finding.code.0.to_owned())),
        source: Some(SOURCE.to_owned()),
        message: Message::String(message(&finding.message, finding.help.as_deref())),
        tags: tag(finding.code).map(|tag| vec![tag]),
        related_information: (!related.is_empty()).then_some(related),
        ..Diagnostic::default()
    }
}

/// What is wrong with the settings.
fn flawed(flaw: &Flaw) -> Diagnostic {
    let (line, column) = flaw.place.unwrap_or((1, 1));
    let start = Position {
        line: line.saturating_sub(1),
        character: column.saturating_sub(1),
    };
    Diagnostic {
        // To the end of the line.
        range: Range {
            start,
            end: Position {
                line: start.line,
                character: start.character.saturating_add(1_000),
            },
        },
        severity: Some(DiagnosticSeverity::Error),
        source: Some(SOURCE.to_owned()),
        message: Message::String(message(&flaw.message, flaw.help.as_deref())),
        ..Diagnostic::default()
    }
}

fn message(words: &str, help: Option<&str>) -> String {
    match help {
        Some(help) => format!("{}\nhelp: {}", safe(words), safe(help)),
        None => safe(words).into_owned(),
    }
}

fn severity(severity: Severity) -> DiagnosticSeverity {
    match severity {
        Severity::Error => DiagnosticSeverity::Error,
        Severity::Warning => DiagnosticSeverity::Warning,
    }
}

fn tag(code: diag::Code) -> Option<DiagnosticTag> {
    match code {
        diag::Code::LEGACY => Some(DiagnosticTag::Deprecated),
        diag::Code::UNUSED_RESOURCE | diag::Code::UNUSED_SUPPRESSION => {
            Some(DiagnosticTag::Unnecessary)
        }
        _ => None,
    }
}
