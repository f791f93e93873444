//! The JSON Schema of `meshc.toml`, for editors.
//!
//! Never says more than the reader: both are made of one table.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::gates::TRAILER;
use super::key::{KEYS, Values};
use super::lint::Level;
use super::rollout::{Rollout, Traffic};
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
    properties.insert("gates".to_owned(), gates());
    properties.insert("tokens".to_owned(), tokens());
    properties.insert("rollout".to_owned(), rollout());
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

fn gates() -> Value {
    let number = |most: u32, text: &str| json!({ "type": "integer", "minimum": 0, "maximum": most, "description": text });
    let names = |text: &str| json!({ "type": "array", "items": { "type": "string", "minLength": 1 }, "description": text });
    let owner = json!({
        "type": "object",
        "additionalProperties": false,
        "minProperties": 1,
        "properties": {
            "identities": names("Patterns of workloads or whole SPIFFE IDs; without it, any."),
            "services": names("Patterns of services, `name:port` or whole KRIs; without it, any."),
        },
    });
    json!({
        "type": "object",
        "description": "What a change may do without somebody being asked; `meshc diff` fails where it does more. The gates that count are those before the change.",
        "additionalProperties": false,
        "properties": {
            "max-proxies": number(u32::MAX, "More proxies than this may not get another configuration by one change."),
            "max-proxies-percent": number(100, "The same as a share of all proxies."),
            "allow-new-external": {
                "type": "boolean",
                "default": true,
                "description": "May a change open a destination outside of the mesh?",
            },
            "max-removed-edges-percent": number(100, "Where a larger share of the edges goes, a commit has to say why."),
            "removal-trailer": {
                "type": "string",
                "pattern": "^[A-Za-z0-9-]+$",
                "default": TRAILER,
                "description": "With this trailer in its message.",
            },
            "tests": {
                "type": "boolean",
                "default": false,
                "description": "Do the tests of the kind `MeshTest` have to hold before meshd gives a commit to anybody? Pipelines ask them by `meshc test`.",
            },
            "owners": {
                "type": "object",
                "description": "By directory, from the one of meshc.toml: whom the changes in it may affect. The nearest directory counts.",
                "additionalProperties": owner,
            },
        },
    })
}

fn tokens() -> Value {
    json!({
        "type": "object",
        "description": "Join tokens of meshd.",
        "additionalProperties": false,
        "properties": {
            "revoked": {
                "type": "array",
                "uniqueItems": true,
                "items": { "type": "string", "pattern": "^[0-9a-f]{32}$" },
                "description": "Identifiers of join tokens that are good no more, nor what proxies were given for them. meshd heeds it.",
            },
        },
    })
}

fn rollout() -> Value {
    let number = |most: u32, default: u32, text: &str| json!({ "type": "integer", "minimum": 0, "maximum": most, "default": default, "description": text });
    let time = |default: Duration, text: &str| {
        let default = mesh_bundle::Duration::from(default).to_string();
        json!({ "type": "string", "pattern": "^[0-9]", "default": default, "description": text })
    };
    let wave = json!({
        "type": "object",
        "additionalProperties": false,
        "required": ["name"],
        "oneOf": [{ "required": ["labels"] }, { "required": ["share-percent"] }],
        "properties": {
            "name": { "type": "string", "pattern": "^[A-Za-z0-9_-]{1,63}$", "description": "For people." },
            "labels": { "type": "object", "minProperties": 1, "additionalProperties": { "type": "string" }, "description": "Dataplanes with all of these labels." },
            "share-percent": { "type": "integer", "minimum": 1, "maximum": 100, "description": "So many of a hundred Dataplanes: the same ones for every commit." },
        },
    });
    let assumed = Rollout::default();
    let share =
        |text: &str| json!({ "type": "number", "minimum": 0, "maximum": 100, "description": text });
    let traffic = json!({
        "type": "object",
        "description": "What the traffic of those who have a commit may show, against their own before they had it. What is not said is not looked at.",
        "additionalProperties": false,
        "properties": {
            "min-requests": number(u32::MAX, Traffic::default().min_requests, "Fewer requests say nothing."),
            "max-added-failures-percent": share("So many more of a hundred requests may be answered with 5xx, and gRPC calls and connections fail."),
            "max-added-denials-percent": share("So many more of a hundred may be denied by a permission."),
            "max-added-latency-percent": { "type": "integer", "minimum": 0, "maximum": 10_000, "description": "So much longer, of a hundred, may it be until 99 of 100 requests are answered." },
        },
    });
    json!({
        "type": "object",
        "description": "How meshd brings a commit to the proxies; without it, to all at once.",
        "additionalProperties": false,
        "properties": {
            "waves": { "type": "array", "maxItems": 20, "items": wave, "description": "Cohorts that are given a commit before the others, one after the other. All others are the last wave, `fleet`." },
            "traffic": traffic,
            "bake": time(assumed.bake, "For how long a wave is watched after it has acknowledged."),
            "deadline": time(assumed.deadline, "By when a wave must have acknowledged."),
            "acknowledged-percent": number(100, assumed.acknowledged_percent, "This share of the connected proxies of a wave must have acknowledged."),
            "max-rejects": number(u32::MAX, assumed.max_rejects, "More proxies may not refuse it."),
        },
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
