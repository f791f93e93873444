//! What would change for a proxy if its shadow policies counted (language 4.12).
//!
//! Never computes an effective value: it compares two compilations of the same files.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::page::Page;

/// One effective value that would be another. `None`: there is none.
#[derive(Debug, PartialEq)]
struct Change {
    /// Names and numbers, from the outside in.
    place: Vec<String>,
    before: Option<Told>,
    after: Option<Told>,
}

/// A value as people read it, and what set it.
#[derive(Debug, PartialEq)]
struct Told {
    value: String,
    origin: String,
}

/// For people: each value that would change, with the lines that say so. `before` and `after` are what
/// [`json::configuration`](super::json::configuration) makes.
pub(super) fn page(proxy: &str, before: &Value, after: &Value) -> String {
    let mut changes = Vec::new();
    compare(&mut Vec::new(), Some(before), Some(after), &mut changes);
    let mut page = Page::default();
    if changes.is_empty() {
        page.line(0, &format!("nothing would change for {proxy}"));
        return page.finish();
    }
    page.line(0, &format!("with the shadow policies of {proxy}"));
    let mut title = String::new();
    for change in &changes {
        let (resource, place) = change.place.split_at(change.place.len().min(2));
        let resource = resource.join(" ");
        if resource != title {
            page.gap();
            page.line(0, &resource);
            title = resource;
        }
        page.line(1, &place.join("/"));
        for (sign, told) in [("-", &change.before), ("+", &change.after)] {
            if let Some(told) = told {
                page.noted(2, &format!("{sign} {}", told.value), told.origin.as_str());
            }
        }
    }
    page.finish()
}

fn compare(
    place: &mut Vec<String>,
    before: Option<&Value>,
    after: Option<&Value>,
    changes: &mut Vec<Change>,
) {
    if before.map(bare) == after.map(bare) {
        return;
    }
    // What is not there at all is told value by value too, each with its line.
    let nothing = json!({});
    let whole = |value: &Value| match value {
        Value::Object(object) => !is_leaf(object) && !object.contains_key(ORIGIN),
        _ => false,
    };
    let (before, after) = match (before, after) {
        (None | Some(Value::Null), Some(new)) if whole(new) => (Some(&nothing), after),
        (Some(old), None | Some(Value::Null)) if whole(old) => (before, Some(&nothing)),
        both => both,
    };
    match (before, after) {
        (Some(Value::Object(old)), Some(Value::Object(new))) if !is_leaf(old) && !is_leaf(new) => {
            let names: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
            for name in names.into_iter().filter(|name| *name != ORIGIN) {
                place.push(name.clone());
                compare(place, old.get(name), new.get(name), changes);
                place.pop();
            }
        }
        (Some(Value::Array(old)), Some(Value::Array(new))) if old.len() == new.len() => {
            for (index, (old, new)) in old.iter().zip(new).enumerate() {
                place.push((index + 1).to_string());
                compare(place, Some(old), Some(new), changes);
                place.pop();
            }
        }
        (Some(Value::Array(old)), Some(Value::Array(new))) => {
            let missing = |value: &&Value, from: &[Value]| {
                !from.iter().any(|other| bare(other) == bare(value))
            };
            let gone = old.iter().filter(|value| missing(value, new));
            let come = new.iter().filter(|value| missing(value, old));
            changes.extend(gone.map(|value| change(place, Some(value), None)));
            changes.extend(come.map(|value| change(place, None, Some(value))));
        }
        (before, after) => changes.push(change(place, before, after)),
    }
}

const ORIGIN: &str = "origin";

/// A value with what set it is one thing, whatever it is made of.
fn is_leaf(object: &Map<String, Value>) -> bool {
    object.contains_key("value") && object.keys().all(|key| key == "value" || key == ORIGIN)
}

/// Without what set anything.
fn bare(value: &Value) -> Value {
    match value {
        Value::Object(object) => {
            let kept = object.iter().filter(|(name, _)| *name != ORIGIN);
            Value::Object(
                kept.map(|(name, value)| (name.clone(), bare(value)))
                    .collect(),
            )
        }
        Value::Array(list) => Value::Array(list.iter().map(bare).collect()),
        leaf => leaf.clone(),
    }
}

fn change(place: &[String], before: Option<&Value>, after: Option<&Value>) -> Change {
    let told = |value: Option<&Value>| value.filter(|value| !value.is_null()).map(told);
    Change {
        place: place.to_vec(),
        before: told(before),
        after: told(after),
    }
}

fn told(value: &Value) -> Told {
    let origin = value.get(ORIGIN);
    let text = |name: &str| origin.and_then(|origin| origin.get(name)?.as_str());
    let line = origin.and_then(|origin| origin.get("line")?.as_u64());
    let plain = match value.as_object().filter(|object| is_leaf(object)) {
        Some(leaf) => leaf.get("value").map(bare).unwrap_or_default(),
        None => bare(value),
    };
    Told {
        value: match plain {
            Value::String(text) => text,
            other => other.to_string(),
        },
        origin: match (text("file"), line) {
            (Some(file), None | Some(0)) => file.to_owned(),
            (Some(file), Some(line)) => format!("{file}:{line}"),
            (None, _) => String::new(),
        },
    }
}

/// For programs: a patch (RFC 6902) that makes the one of the other.
pub(super) fn patch(before: &Value, after: &Value) -> Value {
    let mut steps = Vec::new();
    operations("", before, after, &mut steps);
    Value::Array(steps)
}

fn operations(at: &str, before: &Value, after: &Value, steps: &mut Vec<Value>) {
    if before == after {
        return;
    }
    let below = |name: &str| format!("{at}/{}", name.replace('~', "~0").replace('/', "~1"));
    match (before, after) {
        (Value::Object(old), Value::Object(new)) => {
            let names: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
            for name in names {
                let path = below(name);
                match (old.get(name), new.get(name)) {
                    (Some(old), Some(new)) => operations(&path, old, new, steps),
                    (Some(_), None) => steps.push(json!({"op": "remove", "path": path})),
                    (None, Some(new)) => {
                        steps.push(json!({"op": "add", "path": path, "value": new}));
                    }
                    (None, None) => {}
                }
            }
        }
        (Value::Array(old), Value::Array(new)) if old.len() == new.len() => {
            for (index, (old, new)) in old.iter().zip(new).enumerate() {
                operations(&below(&index.to_string()), old, new, steps);
            }
        }
        (_, after) => steps.push(json!({"op": "replace", "path": at, "value": after})),
    }
}
