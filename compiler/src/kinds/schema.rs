//! JSON Schemas of the kinds, made of their types.
//!
//! Never says what a semantic check says: required members and relations between fields are not in the schema.

use schemars::generate::SchemaSettings;
use schemars::transform::transform_subschemas;
use schemars::{JsonSchema, Schema};
use serde_json::{Value, json};

/// JSON Schema (draft-07) of a type.
pub(super) fn of<T: JsonSchema>() -> Value {
    let generator = SchemaSettings::draft07().into_generator();
    let mut schema = generator.into_root_schema_for::<T>();
    plain(&mut schema);
    schema.to_value()
}

/// Rewrites what `Option` and documented enums become, so that an error is reported inside of what it is about:
/// `anyOf [x, null]` to `x`, and `oneOf [const a, const b]` to `enum [a, b]`.
fn plain(schema: &mut Schema) {
    without_null(schema);
    words(schema);
    transform_subschemas(&mut plain, schema);
}

fn without_null(schema: &mut Schema) {
    if let Some(Value::Array(types)) = schema.get_mut("type") {
        types.retain(|name| name != "null");
        if let [single] = types.as_slice() {
            let single = single.clone();
            schema.insert("type".to_owned(), single);
        }
    }
    if let Some(Value::Array(listed)) = schema.get_mut("enum") {
        listed.retain(|word| !word.is_null());
    }
    let Some(Value::Array(mut any)) = schema.remove("anyOf") else {
        return;
    };
    any.retain(|one| one.get("type").is_none_or(|name| name != "null"));
    let key = if any.len() == 1 { "allOf" } else { "anyOf" };
    schema.insert(key.to_owned(), Value::Array(any));
}

fn words(schema: &mut Schema) {
    let Some(Value::Array(one_of)) = schema.get("oneOf") else {
        return;
    };
    let mut listed = Vec::new();
    for one in one_of {
        match (one.get("const"), one.get("enum")) {
            (Some(word), _) => listed.push(word.clone()),
            (None, Some(Value::Array(words))) => listed.extend(words.iter().cloned()),
            _ => return,
        }
    }
    schema.remove("oneOf");
    schema.insert("type".to_owned(), json!("string"));
    schema.insert("enum".to_owned(), Value::Array(listed));
}
