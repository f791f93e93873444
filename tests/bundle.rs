//! `schemas/bundle.schema.json`: the JSON Schema of what `meshc build` writes, made of the types of the crate `bundle` as
//! their source says them.
//!
//! Never a second description of a bundle: what serde is told is what is read here. The crate itself carries nothing for it.

mod schema;
mod source;
mod strict;

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

use crate::{cases, golden, schemas};

fn top() -> &'static Path {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().expect("tests/ is in the top")
}

fn made() -> Value {
    schema::of(&source::read(&top().join("bundle/src")), "Bundle")
}

#[test]
fn generated_schema_of_a_bundle_is_current() {
    let text = serde_json::to_string_pretty(&made()).expect("JSON") + "\n";
    let made = BTreeMap::from([("bundle.schema.json".to_owned(), text)]);
    schemas::hold(&top().join("schemas"), &made, "bundle.schema.json");
}

#[test]
fn every_bundle_fits_its_schema() {
    let validator = jsonschema::draft7::new(&made()).expect("a schema");
    let mut wrong = Vec::new();
    let mut seen = 0;
    let examples = golden::all().into_iter();
    for (name, compiled) in examples.chain(cases::compiled()) {
        let bytes = compiled.bundle.encode().expect("a bundle");
        let bundle: Value = serde_json::from_slice(&bytes).expect("JSON");
        seen += usize::from(!compiled.bundle.resources.is_empty());
        let errors = validator.iter_errors(&bundle);
        wrong.extend(errors.map(|error| format!("{name}: {}: {error}", error.instance_path())));
    }
    assert!(seen > 30, "{seen} bundles");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_is_no_bundle_does_not_fit() {
    let validator = jsonschema::draft7::new(&made()).expect("a schema");
    let (_, compiled) = golden::all().into_iter().next().expect("an example");
    let bytes = compiled.bundle.encode().expect("a bundle");
    let bundle: Value = serde_json::from_slice(&bytes).expect("JSON");
    let changed = |change: fn(&mut Value)| {
        let mut bundle = bundle.clone();
        change(&mut bundle);
        validator.is_valid(&bundle)
    };
    assert!(changed(|_| {}));
    assert!(!changed(|bundle| bundle["more"] = Value::Null));
    assert!(!changed(|bundle| bundle["format"] = "1".into()));
    assert!(!changed(|bundle| {
        let resources = bundle["resources"].as_object_mut().expect("resources");
        let first = resources.values_mut().next().expect("a resource");
        first["type"] = "sidecar".into();
    }));
}
