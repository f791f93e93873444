//! One document at a time through schema, types and checks, as far as these tables need it.

mod filters;
mod identity;
mod later;
mod policies;
mod resources;
mod routes;
mod telemetry;

use std::collections::{BTreeMap, BTreeSet};

use jsonschema::error::ValidationErrorKind;
use mesh_bundle::Kri;
use mesh_bundle::kri::Parts;

use crate::diag::{Location, Severity};
use crate::model::Format;

use super::*;
use crate::diag::{Code, Diagnostic, Diagnostics, Pointer, Step};

/// What is found in one document, as `path [code]`, errors and warnings apart.
#[derive(Debug, Default)]
struct Findings {
    errors: BTreeSet<String>,
    warnings: BTreeSet<String>,
    list: Vec<Diagnostic>,
}

impl Findings {
    fn words(&self) -> Vec<String> {
        let words = self.list.iter().map(|found| {
            format!(
                "{} [{}] {}",
                found.at.pointer.dotted(),
                found.code.0,
                found.message
            )
        });
        words.collect()
    }
}

/// Reads the first document of a text; the text of an envelope is assumed to be right.
fn findings(text: &str) -> Findings {
    let mut diagnostics = Diagnostics::default();
    let root = crate::source::trees(text).into_iter().flatten().next();
    if let Some(Value::Object(mut fields)) = root.map(|root| root.to_json()) {
        let kubernetes = fields.contains_key("kind");
        let name = fields.get(if kubernetes { "kind" } else { "type" });
        let name = name.and_then(Value::as_str).unwrap().to_owned();
        let kind = find(&name).unwrap_or_else(|| panic!("no kind {name}"));
        let (raw, at) = if kubernetes || kind.body == Body::Spec {
            let spec = fields
                .remove("spec")
                .unwrap_or(Value::Object(serde_json::Map::new()));
            (spec, Pointer::default().field("spec"))
        } else {
            fields.retain(|key, _| !ENVELOPE.contains(&key.as_str()));
            (Value::Object(fields), Pointer::default())
        };
        let meta = Meta {
            kri: Kri::new(Parts {
                kind: kind.short,
                mesh: "default",
                name: "x",
                ..Parts::default()
            }),
            format: Format::Universal,
            labels: BTreeMap::new(),
            created: None,
            at: Location::of_file("x.yaml"),
            body: at,
            virtual_document: false,
        };
        let refused = judge(kind, &meta, &raw, &mut diagnostics);
        let _ = read(kind, meta, raw, &refused, &mut diagnostics);
    }
    let mut findings = Findings::default();
    for found in &diagnostics.list {
        let text = format!("{} [{}]", found.at.pointer.dotted(), found.code.0);
        match found.severity {
            Severity::Error => findings.errors.insert(text),
            Severity::Warning => findings.warnings.insert(text),
        };
    }
    findings.list = diagnostics.list;
    findings
}

/// The schema stage in short: the places that it refuses.
fn judge(kind: &KindInfo, meta: &Meta, raw: &Value, diagnostics: &mut Diagnostics) -> Vec<Pointer> {
    let validator = jsonschema::draft7::new(&(kind.schema)()).unwrap();
    let body = read::without_nulls(raw);
    let mut refused = Vec::new();
    for error in validator.iter_errors(&body) {
        let steps = error.instance_path().as_str().split('/').skip(1);
        let steps = steps.map(|step| match step.parse() {
            Ok(index) => Step::Index(index),
            Err(_) => Step::Field(step.replace("~1", "/").replace("~0", "~")),
        });
        let at = Pointer {
            steps: steps.collect(),
        };
        if let ValidationErrorKind::AdditionalProperties { unexpected } = error.kind() {
            for name in unexpected {
                let at = meta.within(&at.field(name.clone()));
                diagnostics.push(Diagnostic::new(Code::UNKNOWN_FIELD, at, "no such field"));
            }
            continue;
        }
        let code = match error.kind() {
            ValidationErrorKind::Type { .. } => Code::WRONG_TYPE,
            _ => Code::INVALID_VALUE,
        };
        diagnostics.push(Diagnostic::new(code, meta.within(&at), error.to_string()));
        refused.push(at);
    }
    refused
}

/// A document of a kind with this body finds these errors, each `path [code]`, and these warnings.
fn check(kind: &str, body: &str, errors: &[&str], warnings: &[&str]) {
    let flat = find(kind).is_some_and(|kind| kind.body == Body::Flat);
    let body = if flat {
        body.to_owned()
    } else {
        let indented: Vec<String> = body.lines().map(|line| format!("  {line}")).collect();
        format!("spec:\n{}", indented.join("\n"))
    };
    let text = format!("type: {kind}\nname: x\n{body}\n");
    let found = findings(&text);
    let set = |list: &[&str]| {
        list.iter()
            .map(|one| (*one).to_owned())
            .collect::<BTreeSet<_>>()
    };
    assert_eq!(found.errors, set(errors), "{text}\n{:#?}", found.words());
    assert_eq!(
        found.warnings,
        set(warnings),
        "{text}\n{:#?}",
        found.words()
    );
    for found in &found.list {
        let words = found
            .message
            .chars()
            .next()
            .is_some_and(|c| !c.is_uppercase() || c == '`');
        assert!(
            words && !found.message.ends_with('.') && !found.message.contains('\n'),
            "{}",
            found.message
        );
    }
}

/// Like [`check`], with what all places begin with.
fn check_under(kind: &str, place: &str, body: &str, errors: &[&str], warnings: &[&str]) {
    let under = |list: &[&str]| -> Vec<String> {
        list.iter().map(|rest| format!("{place}{rest}")).collect()
    };
    let (errors, warnings) = (under(errors), under(warnings));
    let errors: Vec<&str> = errors.iter().map(String::as_str).collect();
    let warnings: Vec<&str> = warnings.iter().map(String::as_str).collect();
    check(kind, body, &errors, &warnings);
}
