//! Tests for people: a line for each, and under those that fail what does not hold, with its lines.
//!
//! Never shows more than a screen of one test.

use std::fmt::Write as _;

use crate::diag::{Paths, counted, safe};
use crate::intent::{Failure, Report, TestResult};

pub(super) fn render(report: &Report, paths: &Paths) -> String {
    let mut text = String::new();
    for result in &report.results {
        test(&mut text, result, paths);
    }
    if let Some(coverage) = &report.coverage {
        let untouched = coverage.untouched.len();
        let rules = counted(coverage.rules, "rule");
        let _ = writeln!(
            text,
            "\ncoverage: {untouched} of {rules} are touched by no test"
        );
        for rule in &coverage.untouched {
            let _ = writeln!(text, "  {}: {}", line(&rule.at, paths), rule.what);
        }
    }
    if let Some(mutations) = &report.mutations {
        let unnoticed = mutations.unnoticed.len();
        let changes = counted(mutations.changes, "change");
        let _ = writeln!(
            text,
            "\nmutations: {unnoticed} of {changes} are noticed by no test{}",
            match report.failed() {
                0 => "",
                _ => "; those that fail already notice nothing",
            }
        );
        for change in &mutations.unnoticed {
            let _ = writeln!(text, "  {}: {}", line(&change.at, paths), change.change);
        }
    }
    text
}

fn test(text: &mut String, result: &TestResult, paths: &Paths) {
    let word = match result.failures.is_empty() {
        true => "ok  ",
        false => "FAIL",
    };
    let document = &result.document.name();
    let _ = writeln!(text, "{word} {}: {}", safe(document), safe(&result.name));
    if result.failures.is_empty() {
        return;
    }
    let _ = writeln!(text, "     at {}", line(&result.at, paths));
    for failure in &result.failures {
        let _ = writeln!(text, "     {}", words(failure, paths));
    }
}

/// A failure in one line.
pub(super) fn words(failure: &Failure, paths: &Paths) -> String {
    let lines: Vec<String> = failure.because.iter().map(|at| line(at, paths)).collect();
    let message = safe(&failure.message);
    match lines.is_empty() {
        true => message.into_owned(),
        false => format!("{message} ({})", lines.join(", ")),
    }
}

/// A line as others can find it.
pub(super) fn line(at: &mesh_bundle::Origin, paths: &Paths) -> String {
    match at.line {
        0 => at.file.clone(),
        line => format!("{}:{line}", safe(&paths.of(&at.file))),
    }
}
