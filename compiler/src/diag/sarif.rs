//! Findings as SARIF 2.1.0 (OASIS), for code scanning.
//!
//! Never names a rule without its page: whoever sees an alert can read what it means where he sees it.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::report::{Finding, Report};
use super::{CodeInfo, Format};
use crate::diag::render::counted;
use crate::edit::Editor;
use crate::source::Place;

const SCHEMA: &str = "https://json.schemastore.org/sarif-2.1.0.json";

/// Part of what makes a finding the same one in another commit. Another way to compute it gets another name.
const FINGERPRINT: &str = "meshc/v1";

pub(super) fn render(findings: &[Finding<'_>], report: &Report<'_>) -> String {
    // Sorted, so that equal findings give equal bytes.
    let found = findings.iter().filter_map(|finding| {
        let code = finding.diagnostic.code;
        Some((code, code.info()?))
    });
    let rules: BTreeMap<_, _> = found.collect();
    let index: BTreeMap<&str, usize> = rules.keys().map(|code| code.0).zip(0..).collect();
    let mut editor = Editor::new(report.sources);
    let results: Vec<Value> = findings
        .iter()
        .map(|finding| result(finding, &index, report, &mut editor))
        .collect();
    let version = env!("CARGO_PKG_VERSION");
    let driver = json!({
        "name": "meshc",
        "version": version,
        "semanticVersion": version,
        "rules": rules.values().map(|info| rule(info)).collect::<Vec<_>>(),
    });
    let run = json!({
        "tool": { "driver": driver },
        "invocations": [invocation(report)],
        // Columns are counted as people count characters.
        "columnKind": "unicodeCodePoints",
        "results": results,
    });
    let log = json!({ "$schema": SCHEMA, "version": "2.1.0", "runs": [run] });
    format!("{log:#}\n")
}

fn invocation(report: &Report<'_>) -> Value {
    let hidden = report.left_out(Format::Sarif);
    let mut invocation = Map::new();
    invocation.insert("executionSuccessful".to_owned(), json!(true));
    if hidden > 0 {
        let text = format!("{}, not shown", counted(hidden, "more finding"));
        let notice = json!([{ "level": "warning", "message": { "text": text } }]);
        invocation.insert("toolExecutionNotifications".to_owned(), notice);
    }
    Value::Object(invocation)
}

fn rule(info: &CodeInfo) -> Value {
    json!({
        "id": info.code.0,
        "shortDescription": { "text": info.title },
        "help": { "text": info.page, "markdown": info.page },
        "defaultConfiguration": { "level": info.severity.word() },
    })
}

fn result(
    finding: &Finding<'_>,
    index: &BTreeMap<&str, usize>,
    report: &Report<'_>,
    editor: &mut Editor<'_>,
) -> Value {
    let code = finding.diagnostic.code.0;
    let mut place = location(&finding.path, finding.place);
    if let Some(resource) = &finding.resource {
        let logical = json!([{ "fullyQualifiedName": resource, "kind": "resource" }]);
        insert(&mut place, "logicalLocations", logical);
    }
    let mut result = json!({
        "ruleId": code,
        "level": finding.diagnostic.severity.word(),
        "message": { "text": finding.text() },
        "locations": [place],
        "partialFingerprints": { FINGERPRINT: finding.fingerprint },
    });
    if let Some(index) = index.get(code) {
        insert(&mut result, "ruleIndex", json!(index));
    }
    let related: Vec<Value> = report
        .related(finding)
        .map(|(_, path, place, words)| {
            let mut related = location(&path, place);
            insert(&mut related, "message", json!({ "text": words }));
            related
        })
        .collect();
    if !related.is_empty() {
        insert(&mut result, "relatedLocations", Value::Array(related));
    }
    if let Some(mend) = report.mend(finding, editor) {
        let replacements = mend.edits.into_iter().map(|(place, edit)| {
            json!({ "deletedRegion": region(place), "insertedContent": { "text": edit.text } })
        });
        let change = json!({
            "artifactLocation": { "uri": uri(&finding.path) },
            "replacements": replacements.collect::<Vec<_>>(),
        });
        let fix = json!([{
            "description": { "text": mend.description },
            "artifactChanges": [change],
        }]);
        insert(&mut result, "fixes", fix);
    }
    result
}

fn insert(object: &mut Value, key: &str, value: Value) {
    if let Some(object) = object.as_object_mut() {
        object.insert(key.to_owned(), value);
    }
}

fn location(path: &str, place: Place) -> Value {
    json!({
        "physicalLocation": {
            "artifactLocation": { "uri": uri(path), "uriBaseId": "%SRCROOT%" },
            "region": region(place),
        },
    })
}

fn region(place: Place) -> Value {
    json!({
        "startLine": place.line,
        "startColumn": place.column,
        "endLine": place.end_line,
        "endColumn": place.end_column,
    })
}

/// A path as a relative reference (RFC 3986).
fn uri(path: &str) -> String {
    let mut uri = String::with_capacity(path.len());
    for byte in path.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'-' | b'.' | b'_' | b'~' => {
                uri.push(char::from(byte));
            }
            byte => uri.push_str(&format!("%{byte:02X}")),
        }
    }
    uri
}
