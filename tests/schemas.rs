//! The JSON Schemas in `schemas/` are what the types of the compiler make of them, and editors that obey them say what the
//! compiler says.
//!
//! Never writes, except with `MESH_GENERATE=1`, as `cargo xtask gen` sets it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use jsonschema::Validator;
use mesh_compiler::model::Settings;
use mesh_compiler::source::Identity;
use mesh_compiler::{Code, Compiled, Location, MemoryWorld, Pointer, Severity, compile};
use serde_json::Value;

use crate::{cases, conformance};

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../schemas")
}

/// Compares what is committed with what is made, or writes it; `stray` are files that nothing makes.
pub(crate) fn hold(directory: &Path, made: &BTreeMap<String, String>, kind: &str) {
    let write = std::env::var_os("MESH_GENERATE").is_some();
    let mut stale = Vec::new();
    for (name, text) in made {
        let path = directory.join(name);
        if write {
            std::fs::create_dir_all(directory).expect("a directory");
            std::fs::write(&path, text).expect("written");
        }
        if !std::fs::read_to_string(&path).is_ok_and(|found| found == *text) {
            stale.push(name.clone());
        }
    }
    for entry in std::fs::read_dir(directory).expect("a directory") {
        let name = entry.expect("an entry").file_name();
        let name = name.to_string_lossy().into_owned();
        if name.ends_with(kind) && !made.contains_key(&name) {
            stale.push(format!("{name} (of nothing)"));
        }
    }
    assert!(stale.is_empty(), "run `cargo xtask gen`: {stale:?}");
}

fn pretty(schema: &Value) -> String {
    serde_json::to_string_pretty(schema).expect("JSON") + "\n"
}

#[test]
fn generated_schemas_are_current() {
    let kinds = mesh_compiler::schemas().into_iter();
    let kinds = kinds.map(|(kind, schema)| (format!("{kind}.schema.json"), pretty(&schema)));
    hold(&directory().join("kinds"), &kinds.collect(), ".json");
    let union = (
        "mesh.schema.json".to_owned(),
        pretty(&mesh_compiler::union()),
    );
    hold(&directory(), &BTreeMap::from([union]), "mesh.schema.json");
    let settings = pretty(&mesh_compiler::config::schema());
    let settings = BTreeMap::from([("meshc.schema.json".to_owned(), settings)]);
    hold(&directory(), &settings, "meshc.schema.json");
    let settings = pretty(&mesh_reconciler::settings::schema());
    let settings = BTreeMap::from([("meshd.schema.json".to_owned(), settings)]);
    hold(&directory(), &settings, "meshd.schema.json");
}

fn validator() -> Validator {
    let union = mesh_compiler::union();
    assert!(jsonschema::draft7::meta::is_valid(&union));
    jsonschema::draft7::new(&union).expect("a schema")
}

/// The documents of our kinds in a repository, with the findings about each.
fn documents(compiled: &Compiled) -> Vec<(Location, Value, Vec<&mesh_compiler::Diagnostic>)> {
    let mut found = Vec::new();
    for (path, file) in compiled.sources.files() {
        for (document, root) in file.documents.iter().zip(compiled.sources.trees(path)) {
            let ours = matches!(document.identity, Identity::Resource { .. });
            let Some(root) = root.filter(|_| ours) else {
                continue;
            };
            let at = Location {
                document: document.index,
                ..Location::of_file(path)
            };
            let about = compiled.diagnostics.list.iter();
            let about = about.filter(|f| f.at.file == at.file && f.at.document == at.document);
            let about = about.collect();
            found.push((at, root.to_json(), about));
        }
    }
    found
}

/// What an editor would say of a document.
fn complaints(validator: &Validator, document: &Value) -> Vec<String> {
    let errors = validator.iter_errors(document);
    errors
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect()
}

/// Every repository that is at hand, with a name.
fn repositories() -> Vec<(String, Compiled)> {
    let mut all = cases::compiled();
    for kind in mesh_compiler::reference() {
        let file = ("example.yaml".to_owned(), kind.example.as_bytes().to_vec());
        let world = MemoryWorld {
            files: BTreeMap::from([file]),
        };
        let settings = Settings {
            partial: true,
            ..Settings::default()
        };
        all.push((
            format!("{}: the example", kind.name),
            compile(&world, &settings),
        ));
    }
    all.extend(conformance::cases::compiled());
    all
}

#[test]
fn an_editor_finds_nothing_wrong_where_the_compiler_does_not() {
    let validator = validator();
    let mut wrong = Vec::new();
    let mut seen = 0;
    for (name, compiled) in repositories() {
        for (at, document, findings) in documents(&compiled) {
            let refused = |f: &&mesh_compiler::Diagnostic| {
                f.severity == Severity::Error && f.code != Code::UNSUPPORTED
            };
            if findings.iter().any(refused) || has_null(&document) {
                continue;
            }
            seen += 1;
            for complaint in complaints(&validator, &document) {
                wrong.push(format!("{name}: {}[{}]{complaint}", at.file, at.document));
            }
        }
    }
    assert!(seen > 200, "{seen} documents");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A null is an absent field to the compiler; an editor may well ask what it is for.
fn has_null(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.iter().any(has_null),
        Value::Object(fields) => fields.values().any(has_null),
        _ => false,
    }
}

#[test]
fn an_editor_finds_what_the_compiler_finds_in_one_document() {
    let validator = validator();
    let mut missed = Vec::new();
    let mut seen = 0;
    for (name, compiled) in repositories() {
        for (at, document, findings) in documents(&compiled) {
            // What Kubernetes itself writes into `metadata` is left to it.
            let inside = |f: &&&mesh_compiler::Diagnostic| {
                !f.at
                    .pointer
                    .steps
                    .starts_with(&Pointer::default().field("metadata").steps)
            };
            let unknown = findings
                .iter()
                .filter(inside)
                .any(|f| f.code == Code::UNKNOWN_FIELD);
            if unknown {
                seen += 1;
                if complaints(&validator, &document).is_empty() {
                    missed.push(format!("{name}: {}[{}]", at.file, at.document));
                }
            }
        }
    }
    assert!(seen > 3, "{seen} documents");
    assert!(missed.is_empty(), "{}", missed.join("\n"));
}

#[test]
fn documents_of_other_tools_are_left_alone() {
    let validator = validator();
    for document in [
        serde_json::json!({"apiVersion": "apps/v1", "kind": "Deployment", "spec": {"replicas": 1}}),
        serde_json::json!({"apiVersion": "v1", "kind": "Secret", "type": "Opaque"}),
    ] {
        assert_eq!(complaints(&validator, &document), [""; 0]);
    }
}
