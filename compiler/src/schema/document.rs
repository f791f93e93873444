//! JSON Schemas of whole documents, as editors use them.
//!
//! Never used by the compiler itself: it reads the envelope with its own words.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::kinds::{Body, KINDS, KindInfo, Scope};

/// A schema of a document in universal format, for every kind, by its name.
#[must_use]
pub fn schemas() -> BTreeMap<&'static str, Value> {
    let named = |kind: &&KindInfo| (kind.name, document(kind));
    KINDS.iter().map(named).collect()
}

fn document(kind: &KindInfo) -> Value {
    let mut body = match (kind.schema)() {
        Value::Object(body) => body,
        _ => Map::new(),
    };
    body.remove("$schema");
    body.remove("title");
    let definitions = body.remove("definitions");
    let description = body.get("description").cloned();
    let mut properties = envelope(kind);
    let mut required = vec!["type", "name"];
    match kind.body {
        Body::Flat => {
            if let Some(Value::Object(fields)) = body.remove("properties") {
                properties.extend(fields);
            }
        }
        Body::Spec => {
            body.remove("description");
            properties.insert("spec".to_owned(), Value::Object(body));
            required.push("spec");
        }
    }
    let mut schema = Map::new();
    let mut set = |key: &str, value: Value| schema.insert(key.to_owned(), value);
    set("$schema", json!("http://json-schema.org/draft-07/schema#"));
    set("title", json!(kind.name));
    if let Some(description) = description {
        set("description", description);
    }
    set("type", json!("object"));
    set("required", json!(required));
    set("additionalProperties", json!(false));
    set("properties", Value::Object(properties));
    if let Some(definitions) = definitions {
        set("definitions", definitions);
    }
    Value::Object(schema)
}

fn envelope(kind: &KindInfo) -> Map<String, Value> {
    let read_only = |what: &str| json!({"description": format!("{what} Written by tools.")});
    let mut fields = vec![
        (
            "type",
            json!({"description": "The kind.", "const": kind.name}),
        ),
        (
            "name",
            json!({"description": "Unique among the resources of this kind and mesh.", "type": "string", "minLength": 1, "maxLength": 253}),
        ),
        (
            "labels",
            json!({"description": "What policies and services select by.", "type": "object", "additionalProperties": {"type": "string"}}),
        ),
        ("creationTime", read_only("When it was made first.")),
        ("modificationTime", read_only("When it was changed last.")),
        ("kri", read_only("Its name in logs and metrics.")),
        ("status", read_only("What the mesh observed.")),
    ];
    if kind.scope == Scope::Mesh {
        let mesh = json!({"description": "The mesh that it belongs to.", "type": "string", "default": "default"});
        fields.push(("mesh", mesh));
    }
    fields
        .into_iter()
        .map(|(key, value)| (key.to_owned(), value))
        .collect()
}
