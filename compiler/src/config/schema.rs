//! The JSON Schema of `meshc.toml`, for editors.
//!
//! Never says more than the reader: both are made of one table.

use serde_json::{Map, Value, json};

use super::key::{KEYS, Values};
use super::lint::Level;
use crate::diag::{Severity, codes};

/// Draft-07: what editors of TOML read.
#[must_use]
pub fn schema() -> Value {
    let mut properties: Map<String, Value> = KEYS
        .iter()
        .map(|key| {
            let bundle = match key.of_bundle {
                true => " The bundle depends on it; meshd heeds it too.",
                false => "",
            };
            let mut one = match &key.values {
                Values::Label => json!({
                    "type": "string",
                    "pattern": "^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$",
                    "default": key.default,
                }),
                Values::Word(words) => json!({ "enum": words, "default": key.default }),
                Values::Switch => json!({ "type": "boolean", "default": key.default == "true" }),
            };
            let text = format!(
                "{}{bundle} In the environment: {}.",
                key.about, key.variable
            );
            if let Some(one) = one.as_object_mut() {
                one.insert("description".to_owned(), json!(text));
            }
            (key.name.to_owned(), one)
        })
        .collect();
    properties.insert("lint".to_owned(), lint());
    json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "meshc.toml: settings of meshc, and of meshd where a bundle depends on them",
        "type": "object",
        "additionalProperties": false,
        "properties": properties,
    })
}

fn lint() -> Value {
    let levels = levels();
    let mut all = levels.clone();
    let files = json!({
        "type": "object",
        "description": "Levels for the files that a pattern fits, from the directory of meshc.toml; the last pattern that fits counts.",
        "additionalProperties": {
            "type": "object",
            "additionalProperties": false,
            "properties": levels,
        },
    });
    all.insert("per-file".to_owned(), files);
    json!({
        "type": "object",
        "description": "What warnings weigh. An error is always one.",
        "additionalProperties": false,
        "properties": all,
    })
}

fn levels() -> Map<String, Value> {
    let level = |severity| {
        let possible = Level::ALL.into_iter();
        let possible =
            possible.filter(move |level| severity == Severity::Warning || *level == Level::Error);
        possible.map(Level::word).collect::<Vec<_>>()
    };
    let one = |info: &crate::diag::CodeInfo| {
        let schema = json!({ "description": info.title, "enum": level(info.severity) });
        (info.code.0.to_owned(), schema)
    };
    codes().iter().map(one).collect()
}
