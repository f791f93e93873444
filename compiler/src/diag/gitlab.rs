//! Findings as a Code Quality report of GitLab.
//!
//! Never gives two findings one fingerprint: GitLab shows only one of them.

use serde_json::{Value, json};

use super::report::Finding;

pub(super) fn render(findings: &[Finding<'_>]) -> String {
    let list: Vec<Value> = findings.iter().map(issue).collect();
    format!("{:#}\n", Value::Array(list))
}

fn issue(finding: &Finding<'_>) -> Value {
    // What is an error keeps the bundle from being made.
    let severity = match finding.is_error() {
        true => "critical",
        false => "minor",
    };
    json!({
        "description": finding.message(),
        "check_name": finding.diagnostic.code.0,
        "fingerprint": finding.fingerprint,
        "severity": severity,
        "location": {
            "path": finding.path,
            "lines": { "begin": finding.place.line, "end": finding.place.end_line },
        },
    })
}
