//! One JSON Schema for every document, of whatever kind and in either format: what an editor is pointed at.
//!
//! Never judges documents of other tools: a file may hold a Deployment beside a policy.

use serde_json::{Map, Value, json};

use crate::kinds::{KINDS, KindInfo};

use super::body;
use super::document::{API_VERSION, DRAFT, kubernetes, universal};
use super::remark::Remark;

/// The schema, draft-07: a document says its kind, and the schema of that kind holds for it.
#[must_use]
pub fn union() -> Value {
    let mut definitions = Map::new();
    let (mut by_type, mut by_kind) = (Vec::new(), Vec::new());
    for kind in KINDS {
        let name = kind.name;
        let body = shared(kind, &mut definitions);
        let formats = [
            (name.to_owned(), universal(kind, body.clone())),
            (format!("Kubernetes.{name}"), kubernetes(kind, body)),
        ];
        definitions.extend(formats.map(|(name, schema)| (name, Value::Object(schema))));
        by_type.push(branch("type", name, name));
        by_kind.push(branch("kind", name, &format!("Kubernetes.{name}")));
    }
    let kinds: Vec<&str> = KINDS.iter().map(|kind| kind.name).collect();
    let purposes: Vec<String> = KINDS.iter().map(|kind| purpose(kind)).collect();
    let kind = |description: &str| json!({"description": description, "type": "string", "enum": kinds, "enumDescriptions": purposes});
    json!({
        "$schema": DRAFT,
        "title": "A document of the mesh",
        "definitions": definitions,
        "if": {"required": ["apiVersion"]},
        "then": {
            "if": {"properties": {"apiVersion": {"pattern": "^kuma\\.io/"}}},
            "then": {
                "required": ["kind"],
                "properties": {"apiVersion": {"const": API_VERSION}, "kind": kind("The kind.")},
                "allOf": by_kind,
            },
        },
        "else": {
            "required": ["type"],
            "properties": {"type": kind("The kind. On Kubernetes: `apiVersion` and `kind` instead.")},
            "allOf": by_type,
        },
    })
}

/// Where a field says this kind, its schema holds.
fn branch(field: &str, kind: &str, definition: &str) -> Value {
    let said = json!({field: {"const": kind}});
    json!({
        "if": {"required": [field], "properties": said},
        "then": {"$ref": format!("#/definitions/{definition}")},
    })
}

fn purpose(kind: &KindInfo) -> String {
    let schema = (kind.schema)();
    let text = schema.get("description").and_then(Value::as_str);
    Remark::read(text.unwrap_or_default()).text
}

/// The body of a kind, its types moved to the `definitions` of all under names that no other kind has.
fn shared(kind: &KindInfo, definitions: &mut Map<String, Value>) -> Map<String, Value> {
    let mut body = Value::Object(body::of(kind));
    rename(kind.name, &mut body);
    let Value::Object(mut body) = body else {
        return Map::new();
    };
    if let Some(Value::Object(types)) = body.remove("definitions") {
        let named = types.into_iter();
        definitions.extend(named.map(|(name, schema)| (format!("{}.{name}", kind.name), schema)));
    }
    body
}

fn rename(kind: &str, schema: &mut Value) {
    match schema {
        Value::Object(parts) => {
            for (key, part) in parts {
                let target = part.as_str().filter(|_| key == "$ref");
                match target.and_then(|target| target.strip_prefix("#/definitions/")) {
                    Some(name) => *part = json!(format!("#/definitions/{kind}.{name}")),
                    None => rename(kind, part),
                }
            }
        }
        Value::Array(parts) => parts.iter_mut().for_each(|part| rename(kind, part)),
        _ => {}
    }
}
