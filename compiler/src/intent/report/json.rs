//! Tests for programs: one object.
//!
//! Never words alone: every line has its file, its number and its resource.

use mesh_bundle::Origin;
use serde_json::{Value, json};

use crate::diag::Paths;
use crate::intent::{Report, TestResult};

pub(super) fn render(report: &Report, paths: &Paths) -> String {
    let place = |at: &Origin| {
        json!({
            "file": paths.of(&at.file),
            "line": at.line,
            "resource": at.resource.to_string(),
        })
    };
    let results = report.results.iter().map(|result| test(result, &place));
    let coverage = report.coverage.as_ref().map(|coverage| {
        let untouched = coverage.untouched.iter();
        let untouched = untouched.map(|rule| json!({"what": rule.what, "at": place(&rule.at)}));
        json!({"rules": coverage.rules, "untouched": untouched.collect::<Vec<_>>()})
    });
    let mutations = report.mutations.as_ref().map(|mutations| {
        let unnoticed = mutations.unnoticed.iter();
        let unnoticed =
            unnoticed.map(|change| json!({"change": change.change, "at": place(&change.at)}));
        json!({"changes": mutations.changes, "unnoticed": unnoticed.collect::<Vec<_>>()})
    });
    let all = json!({
        "tests": report.results.len(),
        "failed": report.failed(),
        "results": results.collect::<Vec<_>>(),
        "coverage": coverage,
        "mutations": mutations,
    });
    let mut text = serde_json::to_string_pretty(&all).unwrap_or_default();
    text.push('\n');
    text
}

fn test(result: &TestResult, place: &impl Fn(&Origin) -> Value) -> Value {
    let failures = result.failures.iter().map(|failure| {
        let because: Vec<Value> = failure.because.iter().map(place).collect();
        json!({"message": failure.message, "because": because})
    });
    json!({
        "document": result.document.to_string(),
        "name": result.name,
        "at": place(&result.at),
        "passed": result.failures.is_empty(),
        "questions": result.questions,
        "failures": failures.collect::<Vec<_>>(),
    })
}
