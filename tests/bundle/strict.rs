//! Whether what is read of a bundle is understood to the last key: what a proxy does not know it must not half obey.
//!
//! Never trusts an attribute: serde takes `deny_unknown_fields` without a word in places where it does nothing.

use std::collections::BTreeSet;

use mesh_bundle::Bundle;
use mesh_bundle::resource::Resource;
use serde_json::Value;

use super::source::{Content, Kind, Shape, read};
use super::top;
use crate::{cases, conformance, golden};

/// What is wrong with a type, as far as its source says so.
fn complaints(name: &str, kind: &Kind) -> Vec<String> {
    let told = &kind.told;
    let denies = told.flag("deny_unknown_fields");
    let of_text = told.word("try_from").is_some() || told.flag("transparent");
    let named = |content: &Content| matches!(content, Content::Named(_));
    let mut found = Vec::new();
    match &kind.shape {
        Shape::Struct(content) if named(content) && !of_text && !denies => {
            found.push(format!("`{name}` takes any field"));
        }
        Shape::Struct(_) => {}
        Shape::Enum(variants) => {
            let tagged = told.word("tag").is_some();
            let inside = tagged && told.word("content").is_none();
            let holds = variants.iter().any(|variant| named(&variant.fields));
            let apart = tagged && !inside;
            if (apart || holds) && !denies {
                found.push(format!("`{name}` takes any field"));
            }
            let nothing = |content: &Content| matches!(content, Content::Nothing);
            let bare = variants.iter().filter(|variant| nothing(&variant.fields));
            found.extend(bare.filter(|_| inside).map(|variant| {
                let variant = &variant.name;
                format!("`{name}::{variant}` takes any field: write `{variant} {{}}`")
            }));
        }
    }
    found
}

#[test]
fn every_type_refuses_a_field_that_it_does_not_know() {
    let kinds = read(&top().join("bundle/src"));
    assert!(kinds.len() > 80, "{} types", kinds.len());
    let all = kinds
        .iter()
        .flat_map(|(name, kinds)| kinds.iter().map(move |kind| complaints(name, kind)));
    let found: Vec<String> = all.flatten().collect();
    assert!(found.is_empty(), "{}", found.join("\n"));
}

/// The places of all mappings in a value.
fn mappings(value: &Value, at: &str, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            found.push(at.to_owned());
            for (key, value) in fields {
                let key = key.replace('~', "~0").replace('/', "~1");
                mappings(value, &format!("{at}/{key}"), found);
            }
        }
        Value::Array(items) => {
            for (index, value) in items.iter().enumerate() {
                mappings(value, &format!("{at}/{index}"), found);
            }
        }
        _ => {}
    }
}

/// The mappings of a value that take a key which nobody knows.
fn lenient(value: &Value, is_read: impl Fn(&Value) -> bool) -> (usize, Vec<String>) {
    assert!(is_read(value), "{value}");
    let mut places = Vec::new();
    mappings(value, "", &mut places);
    let takes = |place: &&String| {
        let mut more = value.clone();
        more.pointer_mut(place).expect("a mapping")["nobodyKnows"] = Value::Null;
        is_read(&more)
    };
    let found = places.iter().filter(takes).cloned().collect();
    (places.len(), found)
}

#[test]
fn a_key_that_nobody_knows_is_refused_wherever_it_stands() {
    let all = golden::all().into_iter().chain(cases::compiled());
    let all = all.chain(conformance::cases::compiled());
    let is_resource = |value: &Value| Resource::decode(value.to_string().as_bytes()).is_ok();
    let is_bundle = |value: &Value| serde_json::from_value::<Bundle>(value.clone()).is_ok();
    let mut seen = BTreeSet::new();
    let mut places = 0;
    let mut wrong = Vec::new();
    for (name, compiled) in all {
        let mut bundle = serde_json::to_value(&compiled.bundle).expect("JSON");
        let resources = bundle["resources"].take();
        for (digest, resource) in resources.as_object().into_iter().flatten() {
            if seen.insert(digest.clone()) {
                let (more, found) = lenient(resource, is_resource);
                places += more;
                let kind = resource["type"].as_str().unwrap_or_default();
                wrong.extend(found.iter().map(|at| format!("{name}: {kind}{at}")));
            }
        }
        // What else a bundle holds is much the same in all of them.
        let issues = bundle["issuers"]
            .as_object()
            .is_some_and(|all| !all.is_empty());
        if issues {
            bundle["resources"] = Value::Object(serde_json::Map::new());
            let (more, found) = lenient(&bundle, is_bundle);
            places += more;
            wrong.extend(found.iter().map(|at| format!("{name}: {at}")));
        }
    }
    assert!(places > 500, "{places} places");
    wrong.truncate(20);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
