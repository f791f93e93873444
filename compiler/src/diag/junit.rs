//! Findings as a report of tests: a suite for each file, a test for each code that was found in it.
//!
//! Never leaves a file out that was read: a clean one is a test that passed.

use std::collections::BTreeMap;

use super::Severity;
use super::report::{Finding, Report};
use crate::source::{Identity, SourceFile, Span};

/// The name of the test that a clean file passes.
const PASSED: &str = "no problems";

type Found<'f, 'a> = BTreeMap<&'static str, Vec<&'f Finding<'a>>>;

pub(super) fn render(findings: &[Finding<'_>], report: &Report<'_>) -> String {
    let files = report.sources.files().filter(|(_, file)| is_ours(file));
    let mut suites: BTreeMap<String, Found<'_, '_>> = files
        .map(|(path, _)| (report.paths.of(path), BTreeMap::new()))
        .collect();
    for finding in findings {
        let suite = suites.entry(finding.path.clone()).or_default();
        let code = finding.diagnostic.code.0;
        suite.entry(code).or_default().push(finding);
    }
    let mut body = String::new();
    let (mut tests, mut failures) = (0, 0);
    for (path, found) in &suites {
        let failed = found.values().filter(|list| fails(list, report)).count();
        let ran = found.len().max(1);
        (tests, failures) = (tests + ran, failures + failed);
        body.push_str(&format!(
            "  <testsuite name=\"{}\" tests=\"{ran}\" failures=\"{failed}\" errors=\"0\" skipped=\"0\">\n",
            escaped(path)
        ));
        if found.is_empty() {
            let case = case(PASSED, path, 1);
            body.push_str(&format!("    <{case}/>\n"));
        }
        for (code, list) in found {
            body.push_str(&test(path, code, list, report));
        }
        body.push_str("  </testsuite>\n");
    }
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"meshc\" tests=\"{tests}\" failures=\"{failures}\" errors=\"0\">\n{body}</testsuites>\n"
    )
}

fn is_ours(file: &SourceFile) -> bool {
    let mut documents = file.documents.iter();
    documents.any(|document| {
        let empty = document.outline.is_none() && document.span == Span::default();
        !empty && !matches!(document.identity, Identity::Foreign | Identity::Converted)
    })
}

fn fails(list: &[&Finding<'_>], report: &Report<'_>) -> bool {
    let counts = |finding: &&Finding<'_>| finding.diagnostic.severity <= report.fail_on;
    list.iter().any(counts)
}

/// Findings that do not fail the run stand beside a test that passed.
fn test(path: &str, code: &str, list: &[&Finding<'_>], report: &Report<'_>) -> String {
    let lines: String = list
        .iter()
        .map(|finding| {
            let (place, text) = (finding.place, finding.text());
            format!("{path}:{}:{}: {text}\n", place.line, place.column)
        })
        .collect();
    let lines = escaped(&lines);
    let first = list.first();
    let line = first.map_or(1, |finding| finding.place.line);
    let case = case(code, path, line);
    if !fails(list, report) {
        return format!("    <{case}>\n      <system-out>{lines}</system-out>\n    </testcase>\n");
    }
    let worst = list
        .iter()
        .min_by_key(|finding| finding.diagnostic.severity);
    let severity = worst.map_or(Severity::Error, |worst| worst.diagnostic.severity);
    let message = worst.map(|worst| worst.message()).unwrap_or_default();
    format!(
        "    <{case}>\n      <failure type=\"{}\" message=\"{}\">{lines}</failure>\n    </testcase>\n",
        severity.word(),
        escaped(&message),
    )
}

/// The opening tag, but for its brackets.
fn case(name: &str, path: &str, line: u32) -> String {
    let path = escaped(path);
    let name = escaped(name);
    format!("testcase name=\"{name}\" classname=\"{path}\" file=\"{path}\" line=\"{line}\"")
}

/// Control characters have been taken out where the text was made safe, line breaks are ours.
pub(crate) fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            // No document of XML may hold these, not even escaped.
            '\u{fffe}' | '\u{ffff}' => escaped.push('\u{fffd}'),
            c => escaped.push(c),
        }
    }
    escaped
}
