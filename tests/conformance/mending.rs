//! Documents of the corpus after `meshc check --fix=unsafe`: what has a fix is gone, and nothing is broken.
//!
//! Never judges what is left to people: of a form without a fix only its help can be wrong.

use std::collections::BTreeMap;

use mesh_compiler::diag::Code;
use mesh_compiler::edit::Editor;
use mesh_compiler::fix::{Fixed, Level, fix};
use mesh_compiler::model::Settings;
use mesh_compiler::{Diagnostic, MemoryWorld, Severity};

use super::cases::{Case, cases, errors, words};
use super::figures::record;

fn mended(text: &str, level: Level) -> Fixed {
    let world = MemoryWorld {
        files: BTreeMap::from([("case.yaml".to_owned(), text.as_bytes().to_vec())]),
    };
    let settings = Settings {
        partial: true,
        ..Settings::default()
    };
    fix(&world, &settings, level)
}

/// What is wrong with one document after it was mended.
fn complaint(case: &Case, level: Level) -> Option<String> {
    let fixed = mended(&case.text, level);
    let text = fixed.files.get("case.yaml").unwrap_or(&case.text);
    let left = &fixed.checked.diagnostics.list;
    let mut editor = Editor::new(&fixed.checked.sources);
    let could = |found: &&Diagnostic| {
        let fix = found.fix.as_ref().filter(|_| found.code == Code::LEGACY);
        let allowed = fix.filter(|fix| fix.safe || level == Level::Unsafe);
        allowed.is_some_and(|fix| editor.edits(fix, &found.at).is_some())
    };
    let forgotten: Vec<Diagnostic> = left.iter().filter(could).cloned().collect();
    if !forgotten.is_empty() {
        return Some(format!("could be mended:{}", words(&forgotten)));
    }
    let before = errors(&case.text, &Settings::default());
    let known = |found: &&Diagnostic| {
        let same = |was: &Diagnostic| was.code == found.code && was.message == found.message;
        found.severity != Severity::Error || before.iter().any(same)
    };
    let broken: Vec<Diagnostic> = left.iter().filter(|found| !known(found)).cloned().collect();
    if !broken.is_empty() {
        return Some(format!("is broken:{}", words(&broken)));
    }
    let again = mended(text, level);
    (again.applied > 0).then(|| format!("is mended twice:\n{:?}", again.files))
}

#[test]
fn older_forms_are_mended_and_nothing_is_broken() {
    let Some(all) = cases() else {
        return;
    };
    let legacy: Vec<Case> = all
        .into_iter()
        .filter(|case| case.expected == "legacy")
        .collect();
    assert!(legacy.len() > 50, "{} cases", legacy.len());
    let mut complaints = Vec::new();
    let mut whole = 0;
    for case in &legacy {
        for level in [Level::Safe, Level::Unsafe] {
            if let Some(found) = complaint(case, level) {
                complaints.push(format!("{} {level:?}: {found}", case.id));
            }
        }
        let fixed = mended(&case.text, Level::Unsafe);
        let mut left = fixed.checked.diagnostics.list.iter();
        whole += usize::from(!left.any(|found| found.severity == Severity::Error));
    }
    record(
        "mending",
        &format!(
            "{whole} of {} legacy documents without an error after --fix=unsafe",
            legacy.len()
        ),
    );
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}
