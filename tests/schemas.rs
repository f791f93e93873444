//! The JSON Schemas of the kinds, made of their types, are what is committed in `schemas/kinds/`.
//!
//! Never writes, except with `MESH_GENERATE=1`, as `cargo xtask gen` sets it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../schemas/kinds")
}

#[test]
fn generated_schemas_are_current() {
    let write = std::env::var_os("MESH_GENERATE").is_some();
    let mut names = BTreeSet::new();
    let mut stale = Vec::new();
    for (kind, schema) in mesh_compiler::schemas() {
        let name = format!("{kind}.schema.json");
        let path = directory().join(&name);
        let text = serde_json::to_string_pretty(&schema).expect("JSON") + "\n";
        if write {
            std::fs::create_dir_all(directory()).expect("schemas/kinds");
            std::fs::write(&path, &text).expect("written");
        }
        if std::fs::read_to_string(&path).is_ok_and(|found| found == text) {
            names.insert(name);
        } else {
            stale.push(name);
        }
    }
    for entry in std::fs::read_dir(directory()).expect("schemas/kinds") {
        let name = entry.expect("an entry").file_name();
        let name = name.to_string_lossy().into_owned();
        if !names.contains(&name) && !stale.contains(&name) {
            stale.push(format!("{name} (of no kind)"));
        }
    }
    assert!(stale.is_empty(), "run `cargo xtask gen`: {stale:?}");
}
