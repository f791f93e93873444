//! The index of the corpus, and its files.
//!
//! Never judges.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use mesh_compiler::model::Settings;
use mesh_compiler::{Compiled, Diagnostic, MemoryWorld, Severity, compile};
use serde_json::Value;

/// One line of the index, with the text that it is about.
pub(super) struct Case {
    pub(super) id: String,
    pub(super) suite: String,
    pub(super) format: String,
    pub(super) kind: String,
    pub(super) text: String,
    pub(super) expected: Value,
    /// Places that the schema of others complains about: we may too.
    pub(super) tolerated: BTreeSet<String>,
    /// Fields that others drop.
    pub(super) dropped: BTreeSet<String>,
    /// The whole line.
    pub(super) entry: Value,
}

/// Where the corpus is; `None`, said aloud, where it is not.
pub(super) fn corpus() -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/corpus");
    let named = std::env::var_os("MESH_CORPUS").map(PathBuf::from);
    let mut places = named.into_iter().chain([beside]);
    let found = places.find(|place| place.join("index.jsonl").is_file());
    if found.is_none() {
        // Past the capture of the test runner: a skipped test must be seen.
        let words =
            "SKIPPED: there is no corpus beside the repository, and MESH_CORPUS names none\n";
        std::io::stderr()
            .write_all(words.as_bytes())
            .expect("stderr");
    }
    found
}

/// The cases that are one document.
pub(super) fn cases() -> Option<Vec<Case>> {
    let corpus = corpus()?;
    let read =
        |file: &str| std::fs::read_to_string(corpus.join(file)).expect("a file of the corpus");
    let text = |entry: &Value, key: &str| entry[key].as_str().unwrap_or_default().to_owned();
    let mut cases = Vec::new();
    for line in read("index.jsonl").lines() {
        let entry: Value = serde_json::from_str(line).expect("a line of the index");
        let suite = text(&entry, "suite");
        if !["docs", "e2e", "validators", "labels-e2e"].contains(&suite.as_str()) {
            continue;
        }
        let errors = entry["schema_errors"].as_array();
        let fields = errors
            .into_iter()
            .flatten()
            .filter_map(|error| error["field"].as_str());
        let unknown = entry["unknown_fields"].as_array().into_iter().flatten();
        let unknown = unknown.filter_map(Value::as_str).map(str::to_owned);
        cases.push(Case {
            id: text(&entry, "id"),
            suite,
            format: text(&entry, "format"),
            kind: text(&entry, "kind"),
            text: read(&text(&entry, "file")),
            expected: entry["expected"].clone(),
            tolerated: fields.map(str::to_owned).collect(),
            dropped: unknown.collect(),
            entry,
        });
    }
    Some(cases)
}

/// Every case as the compiler sees it, judged on its own, with its name; none where there is no corpus.
pub(crate) fn compiled() -> Vec<(String, Compiled)> {
    let cases = cases().unwrap_or_default().into_iter();
    cases
        .map(|case| (case.id, alone(&case.text, &Settings::default())))
        .collect()
}

fn alone(text: &str, settings: &Settings) -> Compiled {
    let world = MemoryWorld {
        files: BTreeMap::from([("case.yaml".to_owned(), text.as_bytes().to_vec())]),
    };
    let settings = Settings {
        partial: true,
        ..settings.clone()
    };
    compile(&world, &settings)
}

/// The errors of a document that is judged on its own.
pub(super) fn errors(text: &str, settings: &Settings) -> Vec<Diagnostic> {
    let mut found = alone(text, settings).diagnostics.list;
    found.retain(|found| found.severity == Severity::Error);
    found
}

/// Diagnostics as a report shows them.
pub(super) fn words(found: &[Diagnostic]) -> String {
    let words = found.iter().map(|found| {
        format!(
            "\n  {} [{}] {}",
            found.at.pointer.dotted(),
            found.code.0,
            found.message
        )
    });
    words.collect()
}
