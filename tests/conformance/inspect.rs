//! Kuma's own answers to its inspect API, compared with `meshc inspect --as kuma`.
//!
//! Never starts a process: the library answers.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use mesh_bundle::Duration;
use mesh_compiler::inspect::kuma;
use mesh_compiler::model::{Compat, Mode, Settings};
use mesh_compiler::{MemoryWorld, analyse};
use serde_json::Value;

use super::cases::corpus;
use super::figures::{record, share};
use super::waivers::Waivers;

#[test]
fn answers_of_the_inspect_api() {
    let Some(corpus) = corpus() else {
        return;
    };
    let waivers = Waivers::read();
    let index = std::fs::read_to_string(corpus.join("index.jsonl")).expect("an index");
    let (mut agreed, mut all) = (0, 0);
    let mut excused = BTreeSet::new();
    let mut different = Vec::new();
    for line in index.lines() {
        let entry: Value = serde_json::from_str(line).expect("a line of the index");
        if entry["suite"] != "inspect" {
            continue;
        }
        all += 1;
        let id = entry["id"].as_str().expect("an id");
        match compared(&corpus, &entry) {
            Ok(()) => agreed += 1,
            Err(_) if waivers.excuse(id) => drop(excused.insert(id.to_owned())),
            Err(words) => different.push(format!("{id}: {words}")),
        }
    }
    record("inspect", &share(agreed, excused.len(), all));
    different.extend(waivers.idle(&["inspect"], &excused));
    assert!(different.is_empty(), "{}", different.join("\n"));
}

/// Are status and body the same?
fn compared(corpus: &Path, entry: &Value) -> Result<(), String> {
    let text = |key: &str| entry[key].as_str().expect("a text");
    let case = corpus.join(text("file"));
    let input = std::fs::read(case.join("input.yaml")).expect("an input");
    let golden = std::fs::read(case.join("golden.json")).expect("a golden answer");
    let golden: Value = serde_json::from_slice(&golden).expect("JSON");
    // Which control plane was asked stands in the name of the case only.
    let global = text("id").contains("hostnames-global");
    let settings = Settings {
        mode: if global { Mode::Global } else { Mode::Zone },
        default_policies: false,
        compat: Compat::Kuma,
        ..Settings::default()
    };
    let world = MemoryWorld {
        files: BTreeMap::from([("input.yaml".to_owned(), input)]),
    };
    let answer = kuma::answer(&analyse(&world, &settings), text("query"));
    let answer = answer.map_err(|refused| refused.to_string())?;
    let status = entry["status"].as_u64().expect("a status");
    match (u64::from(answer.status), normal(&answer.body)) == (status, normal(&golden)) {
        true => Ok(()),
        false => Err(format!(
            "\n  ours:   {} {}\n  theirs: {status} {golden}",
            answer.status, answer.body
        )),
    }
}

/// Durations in one form.
fn normal(value: &Value) -> Value {
    match value {
        Value::String(text) => match text.parse::<Duration>() {
            Ok(duration) => Value::String(duration.to_string()),
            Err(_) => value.clone(),
        },
        Value::Array(items) => items.iter().map(normal).collect(),
        Value::Object(fields) => {
            let fields = fields.iter();
            fields
                .map(|(key, value)| (key.clone(), normal(value)))
                .collect()
        }
        value => value.clone(),
    }
}
