//! The Test Anything Protocol, version 14.
//!
//! Never writes a description that a reader takes for a directive: `#` and `\` are escaped.

use std::fmt::Write as _;

use super::human::{line, words};
use crate::diag::{Paths, safe};
use crate::intent::Report;

pub(super) fn render(report: &Report, paths: &Paths) -> String {
    let mut text = format!("TAP version 14\n1..{}\n", report.results.len());
    for (index, result) in report.results.iter().enumerate() {
        let word = match result.failures.is_empty() {
            true => "ok",
            false => "not ok",
        };
        let name = format!("{}: {}", result.document.name(), safe(&result.name));
        let name = name.replace('\\', "\\\\").replace('#', "\\#");
        let _ = writeln!(text, "{word} {} - {name}", index.saturating_add(1));
        if result.failures.is_empty() {
            continue;
        }
        let _ = writeln!(text, "  ---");
        let quoted = |words: String| serde_json::Value::from(words);
        let _ = writeln!(text, "  at: {}", quoted(line(&result.at, paths)));
        let _ = writeln!(text, "  failures:");
        for failure in &result.failures {
            let _ = writeln!(text, "    - {}", quoted(words(failure, paths)));
        }
        let _ = writeln!(text, "  ...");
    }
    text
}
