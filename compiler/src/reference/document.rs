//! JSON Schemas of whole documents, in both formats, as editors use them.
//!
//! Never used by the compiler itself: it reads the envelope with its own words.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::kinds::{Body, KINDS, KindInfo, Scope};

use super::body;

/// A schema of a document in universal format, for every kind, by its name.
#[must_use]
pub fn schemas() -> BTreeMap<&'static str, Value> {
    let named = |kind: &&KindInfo| (kind.name, document(kind));
    KINDS.iter().map(named).collect()
}

/// A document in universal format.
fn document(kind: &KindInfo) -> Value {
    let mut body = body::of(kind);
    let definitions = body.remove("definitions");
    let mut schema = Map::new();
    schema.insert("$schema".to_owned(), json!(DRAFT));
    schema.insert("title".to_owned(), json!(kind.name));
    schema.extend(universal(kind, body));
    schema.extend(definitions.map(|definitions| ("definitions".to_owned(), definitions)));
    Value::Object(schema)
}

/// The version of JSON Schema that every editor understands.
pub(super) const DRAFT: &str = "http://json-schema.org/draft-07/schema#";

/// The fields of the envelope beside, or around, those of the body.
pub(super) fn universal(kind: &KindInfo, mut body: Map<String, Value>) -> Map<String, Value> {
    let description = body.get("description").cloned();
    let mut properties = envelope(kind);
    let mut required = vec![json!("type"), json!("name")];
    match kind.body {
        Body::Flat => {
            if let Some(Value::Object(fields)) = body.remove("properties") {
                properties.extend(fields);
            }
            if let Some(Value::Array(fields)) = body.remove("required") {
                required.extend(fields);
            }
        }
        Body::Spec => {
            body.remove("description");
            properties.insert("spec".to_owned(), Value::Object(body));
            required.push(json!("spec"));
        }
    }
    closed(description, required, properties)
}

/// The same in Kubernetes format (language 2.3).
pub(super) fn kubernetes(kind: &KindInfo, mut body: Map<String, Value>) -> Map<String, Value> {
    let description = body.remove("description");
    let mut required = vec![json!("apiVersion"), json!("kind"), json!("metadata")];
    if kind.body == Body::Spec {
        required.push(json!("spec"));
    }
    let mut properties = fields(vec![
        (
            "apiVersion",
            json!({"description": "The language.", "const": API_VERSION}),
        ),
        (
            "kind",
            json!({"description": "The kind.", "const": kind.name}),
        ),
        ("metadata", metadata(kind)),
        ("spec", Value::Object(body)),
        ("status", read_only("What the mesh observed.")),
    ]);
    if kind.name == "Dataplane" {
        properties.extend(fields(vec![("mesh", mesh())]));
    }
    closed(description, required, properties)
}

/// Of our kinds on Kubernetes.
pub(super) const API_VERSION: &str = "kuma.io/v1alpha1";

fn closed(
    description: Option<Value>,
    required: Vec<Value>,
    properties: Map<String, Value>,
) -> Map<String, Value> {
    let mut schema = fields(vec![
        ("type", json!("object")),
        ("required", Value::Array(required)),
        ("additionalProperties", json!(false)),
        ("properties", Value::Object(properties)),
    ]);
    schema.extend(description.map(|description| ("description".to_owned(), description)));
    schema
}

/// What ends the description of a field that nobody writes.
pub(crate) const READ_ONLY: &str = "Written by tools.";

fn read_only(what: &str) -> Value {
    json!({"description": format!("{what} {READ_ONLY}")})
}

fn mesh() -> Value {
    json!({"description": "The mesh that it belongs to.", "type": "string", "default": "default"})
}

fn name() -> Value {
    json!({
        "description": "Unique among the resources of this kind and mesh.",
        "type": "string",
        "minLength": 1,
        "maxLength": 253,
    })
}

fn labels(text: &str) -> Value {
    json!({"description": text, "type": "object", "additionalProperties": {"type": "string"}})
}

fn envelope(kind: &KindInfo) -> Map<String, Value> {
    let mesh = match kind.scope {
        Scope::Mesh => mesh(),
        Scope::Global => json!({"description": "It belongs to no mesh.", "const": ""}),
    };
    fields(vec![
        (
            "type",
            json!({"description": "The kind.", "const": kind.name}),
        ),
        ("mesh", mesh),
        ("name", name()),
        ("labels", labels("What policies and services select by.")),
        ("creationTime", read_only("When it was made first.")),
        ("modificationTime", read_only("When it was changed last.")),
        ("kri", read_only("Its name in logs and metrics.")),
        ("status", read_only("What the mesh observed.")),
        ("snis", read_only("The server names of its ports.")),
    ])
}

/// What the cluster writes into it is left open: nobody types it.
fn metadata(kind: &KindInfo) -> Value {
    let mut known = vec![
        ("name", name()),
        (
            "labels",
            labels("What policies and services select by. `kuma.io/mesh` names the mesh."),
        ),
        ("annotations", labels("Notes for other tools.")),
    ];
    if kind.name != "Mesh" {
        let namespace = match kind.system_only {
            true => "The namespace of the control plane, no other.",
            false => "The namespace that it is about, as far as its role says.",
        };
        known.push((
            "namespace",
            json!({"description": namespace, "type": "string"}),
        ));
    }
    json!({"type": "object", "required": ["name"], "properties": fields(known)})
}

fn fields(fields: Vec<(&str, Value)>) -> Map<String, Value> {
    let named = fields.into_iter();
    named.map(|(key, value)| (key.to_owned(), value)).collect()
}
