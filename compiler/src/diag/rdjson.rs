//! Findings as reviewdog's diagnostic format, with suggestions where there is a fix.
//!
//! Never counts characters where that format counts bytes: its columns are those of UTF-8.

use serde_json::{Value, json};

use super::report::{Finding, Report};
use crate::edit::Editor;
use crate::source::{Sources, Span};

pub(super) fn render(findings: &[Finding<'_>], report: &Report<'_>) -> String {
    let mut editor = Editor::new(report.sources);
    let diagnostics = findings
        .iter()
        .map(|finding| diagnostic(finding, report, &mut editor));
    let whole = json!({
        "source": { "name": "meshc" },
        "diagnostics": diagnostics.collect::<Vec<_>>(),
    });
    format!("{whole:#}\n")
}

fn diagnostic(finding: &Finding<'_>, report: &Report<'_>, editor: &mut Editor<'_>) -> Value {
    let sources = report.sources;
    let at = &finding.diagnostic.at;
    let span = sources.span(at).unwrap_or_default();
    let related = report.related(finding).map(|(at, path, _, message)| {
        let span = sources.span(at).unwrap_or_default();
        let range = range(sources, &at.file, span);
        json!({ "message": message, "location": { "path": path, "range": range } })
    });
    let related: Vec<Value> = related.collect();
    let mut one = json!({
        "message": finding.text(),
        "location": { "path": finding.path, "range": range(sources, &at.file, span) },
        "severity": if finding.is_error() { "ERROR" } else { "WARNING" },
        "code": { "value": finding.diagnostic.code.0 },
    });
    if let Some(object) = one.as_object_mut() {
        if !related.is_empty() {
            object.insert("related_locations".to_owned(), Value::Array(related));
        }
        if let Some(mend) = report.mend(finding, editor) {
            let edits = mend.edits.into_iter().map(|(_, edit)| {
                json!({ "range": range(sources, &at.file, edit.span), "text": edit.text })
            });
            object.insert("suggestions".to_owned(), edits.collect());
        }
    }
    one
}

fn range(sources: &Sources, file: &str, span: Span) -> Value {
    json!({
        "start": position(sources, file, span.start),
        "end": position(sources, file, span.end),
    })
}

/// From 1, the column in bytes.
fn position(sources: &Sources, file: &str, at: usize) -> Value {
    let place = |file: &crate::source::SourceFile| file.place(Span { start: at, end: at }).line;
    let line = sources.file(file).map_or(1, place);
    let before = sources.text(file).and_then(|text| text.get(..at));
    let before = before.unwrap_or_default();
    let start = before.rfind('\n').map_or(0, |newline| newline + 1);
    json!({ "line": line, "column": before.len() - start + 1 })
}
