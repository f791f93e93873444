//! Labels of documents, as a control plane of a zone or of all zones judges them (language 2.5).
//!
//! Never looks at which label is named: only at whether the document passes.

use std::collections::BTreeSet;

use mesh_compiler::model::{Given, Mode, Settings};

use super::cases::{cases, errors, words};
use super::figures::{record, share};
use super::waivers::Waivers;

#[test]
fn labels_are_judged_as_the_corpus_judges_them() {
    let Some(cases) = cases() else {
        return;
    };
    let waivers = Waivers::read();
    let mut used = BTreeSet::new();
    let mut failures = Vec::new();
    let (mut agreed, mut waived, mut all) = (0, 0, 0);
    for case in cases.iter().filter(|case| case.suite == "labels-e2e") {
        let context = case.entry["context"].as_str().unwrap_or_default();
        let zone = match context {
            "zone-k8s" => "kuma-1",
            _ => "kuma-4",
        };
        let settings = Settings {
            zone: zone.to_owned(),
            mode: match context {
                "global" => Mode::Global,
                _ => Mode::Zone,
            },
            given: Given {
                zone: true,
                system_namespace: true,
            },
            ..Settings::default()
        };
        let found = errors(&case.text, &settings);
        all += 1;
        if found.is_empty() == (case.expected == "valid") {
            agreed += 1;
        } else if waivers.excuse(&case.id) {
            waived += 1;
            used.insert(case.id.clone());
        } else {
            failures.push(format!("{} {}{}", case.id, case.expected, words(&found)));
        }
    }
    record("labels", &share(agreed, waived, all));
    failures.extend(waivers.idle(&["labels-e2e"], &used));
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}
