//! The schema of a body as editors need it: with what the doc comments say about defaults and required fields, and with
//! the kinds that each reference may name.
//!
//! Never used by the compiler, which checks these things itself, in its own words.

use serde_json::{Map, Value, json};

use crate::kinds::KindInfo;
use crate::kinds::target_ref::TargetKind;

use super::remark::Remark;

/// The body of a kind; its types are in `definitions`.
pub(super) fn of(kind: &KindInfo) -> Map<String, Value> {
    let mut schema = (kind.schema)();
    references(kind, &mut schema);
    let root = schema.clone();
    remarks(&root, &mut schema);
    match schema {
        Value::Object(mut body) => {
            body.remove("$schema");
            body.remove("title");
            body
        }
        _ => Map::new(),
    }
}

/// Writes into every mapping below `schema` which fields it must have, and into every field its default.
fn remarks(root: &Value, schema: &mut Value) {
    let mut required = Vec::new();
    let names: Vec<String> = match schema.get("properties").and_then(Value::as_object) {
        Some(properties) => properties.keys().cloned().collect(),
        None => Vec::new(),
    };
    if let Some(Value::Object(properties)) = schema.get_mut("properties") {
        for (name, property) in properties {
            let text = property.get("description").and_then(Value::as_str);
            let remark = Remark::read(text.unwrap_or_default());
            let default = remark.default.as_deref();
            let default = default.and_then(|text| literal(text, &names, root, property));
            let Value::Object(property) = property else {
                continue;
            };
            if remark.required {
                required.push(name.clone());
                property.remove("default");
            } else if let Some(default) = default {
                property.insert("default".to_owned(), default);
            }
        }
    }
    match schema {
        Value::Object(parts) => {
            if !required.is_empty() {
                parts.insert("required".to_owned(), json!(required));
            }
            parts.values_mut().for_each(|part| remarks(root, part));
        }
        Value::Array(parts) => parts.iter_mut().for_each(|part| remarks(root, part)),
        _ => {}
    }
}

/// The value that a default is written as, where it is a value and not the name of another field or a description.
fn literal(text: &str, siblings: &[String], root: &Value, property: &Value) -> Option<Value> {
    let quoted = text
        .strip_prefix('`')
        .and_then(|text| text.strip_suffix('`'));
    let bare = quoted.unwrap_or(text);
    let first = bare.split('.').next().unwrap_or_default();
    let of_root = root.get("properties").and_then(|fields| fields.get(first));
    if of_root.is_some() || siblings.iter().any(|name| name == first) {
        return None;
    }
    let as_json = serde_json::from_str(bare).ok();
    let as_text = quoted.map(|text| json!(text));
    let mut asked = property.clone();
    if let (Some(asked), Some(definitions)) = (asked.as_object_mut(), root.get("definitions")) {
        asked.insert("definitions".to_owned(), definitions.clone());
    }
    let validator = jsonschema::draft7::new(&asked).ok()?;
    let mut values = as_json.into_iter().chain(as_text);
    values.find(|value: &Value| validator.is_valid(value))
}

/// Which kinds the references of a policy may name: the types leave that to the checks.
fn references(kind: &KindInfo, schema: &mut Value) {
    let names =
        |kinds: &[TargetKind]| -> Vec<String> { kinds.iter().map(ToString::to_string).collect() };
    if kind.is_policy {
        let top = [TargetKind::Mesh, TargetKind::Dataplane];
        narrow(schema.pointer_mut("/properties/targetRef"), &names(&top));
    }
    let item = schema.pointer("/properties/to/items/$ref");
    let item = item
        .and_then(Value::as_str)
        .and_then(|item| item.strip_prefix('#'));
    if let (Some(item), false) = (
        item.map(|item| format!("{item}/properties/targetRef")),
        kind.to.is_empty(),
    ) {
        narrow(schema.pointer_mut(&item), &names(kind.to));
    }
    let backend = schema.pointer_mut("/definitions/BackendRef/properties/kind");
    if let Some(Value::Object(backend)) = backend {
        backend.insert("enum".to_owned(), json!(names(crate::kinds::SERVICES)));
    }
}

fn narrow(reference: Option<&mut Value>, kinds: &[String]) {
    if let Some(Value::Array(all)) = reference.and_then(|reference| reference.get_mut("allOf")) {
        all.push(json!({"properties": {"kind": {"enum": kinds}}}));
    }
}
