//! YAML that nobody here wrote, from `../shared/corpus`: whatever it says, the compiler answers.
//!
//! Never committed: where the folder is absent, the tests say so and judge nothing. `MESH_CORPUS` names another place.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use mesh_compiler::model::{Mode, Settings};
use mesh_compiler::{Compiled, MemoryWorld, compile};
use serde_json::Value;

fn corpus() -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/corpus");
    let path = std::env::var_os("MESH_CORPUS").map_or(beside, PathBuf::from);
    if path.is_dir() {
        return Some(path);
    }
    println!("SKIPPED: there is no corpus at {}", path.display());
    None
}

/// Every YAML file below a directory, sorted.
fn files(top: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![top.to_path_buf()];
    while let Some(directory) = open.pop() {
        for entry in std::fs::read_dir(directory).expect("a directory") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|e| e == "yaml" || e == "yml") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

fn compiled(bytes: &[u8], settings: &Settings) -> Compiled {
    let world = MemoryWorld {
        files: BTreeMap::from([("a.yaml".to_owned(), bytes.to_vec())]),
    };
    compile(&world, settings)
}

#[test]
fn every_file_is_answered_whole_and_cut() {
    let Some(corpus) = corpus() else {
        return;
    };
    let files = files(&corpus);
    assert!(files.len() > 100, "{} files", files.len());
    for path in files {
        let bytes = std::fs::read(&path).expect("bytes");
        compiled(&bytes, &Settings::default());
        // Cut in the middle of lines, words and characters.
        for part in 1..8 {
            let end = bytes.len() * part / 8 + part % 3;
            compiled(&bytes[..end.min(bytes.len())], &Settings::default());
        }
    }
}

#[test]
fn labels_are_judged_as_the_corpus_judges_them() {
    let Some(corpus) = corpus() else {
        return;
    };
    let index = std::fs::read_to_string(corpus.join("index.jsonl")).expect("index.jsonl");
    let mut different = Vec::new();
    let mut judged = 0;
    for line in index.lines() {
        let case: Value = serde_json::from_str(line).expect("JSON");
        // Kinds that are not implemented are refused before their labels are read.
        if case["suite"] != "labels-e2e" || case["kind"] != "MeshTimeout" {
            continue;
        }
        let bytes =
            std::fs::read(corpus.join(case["file"].as_str().expect("a file"))).expect("bytes");
        let global = case["context"] == "global";
        let settings = Settings {
            zone: if case["context"] == "zone-k8s" {
                "kuma-1"
            } else {
                "kuma-4"
            }
            .to_owned(),
            mode: if global { Mode::Global } else { Mode::Zone },
            partial: true,
            ..Settings::default()
        };
        let compiled = compiled(&bytes, &settings);
        let waived = WAIVED.iter().any(|(id, _)| case["id"] == *id);
        let refused = compiled.diagnostics.has_errors();
        judged += 1;
        if refused != (case["expected"] != "valid") && !waived {
            different.push(format!("{}: {:?}", case["id"], compiled.diagnostics.list));
        }
    }
    assert!(judged > 20, "{judged} cases");
    assert!(different.is_empty(), "{}", different.join("\n"));
}

/// Where our language differs on purpose.
const WAIVED: [(&str, &str); 4] = [
    (
        "labels-e2e/global/meshtimeout-mesh-other",
        "a label that contradicts the mesh is an error in every mode",
    ),
    (
        "labels-e2e/zone-uni/meshtimeout-no-labels",
        "the origin is computed, never required",
    ),
    (
        "labels-e2e/zone-k8s/meshtimeout-no-labels",
        "the origin is computed, never required",
    ),
    (
        "labels-e2e/zone-k8s/meshtimeout-mesh-other",
        "whether the mesh exists is a question to the whole repository",
    ),
];
