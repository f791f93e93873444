//! How files look: their size, their name, their first line; and that no test sleeps.
//!
//! Never judges generated code by its size.

use super::assert_tidy;
use super::tree::{File, files, has_word};

/// Longer files are where nobody finds anything.
const MOST_LINES: usize = 400;

/// Names that say nothing about what is inside.
const EMPTY_NAMES: &[&str] = &[
    "common", "handler", "handlers", "helper", "helpers", "manager", "misc", "types", "util",
    "utils",
];

fn complaints(file: &File) -> Vec<String> {
    let mut complaints = Vec::new();
    let mut complain = |text: String| complaints.push(format!("{}: {text}", file.path));
    let lines = file.text.lines().count();
    if lines > MOST_LINES && !is_generated(file) {
        complain(format!("{lines} lines, at most {MOST_LINES}"));
    }
    let stem = stem(&file.path);
    if stem == "mod" {
        complain("`foo.rs` beside `foo/`, not `foo/mod.rs`".to_owned());
    }
    if EMPTY_NAMES.contains(&stem) {
        complain(format!("`{stem}` does not say what is inside"));
    }
    if stem != "tests" && !file.text.starts_with("//! ") && !is_generated(file) {
        complain("the first line must say what the module is for, `//! …`".to_owned());
    }
    complaints
}

fn is_generated(file: &File) -> bool {
    file.text
        .lines()
        .take(3)
        .any(|line| line.contains("@generated"))
}

fn stem(path: &str) -> &str {
    let name = path.rsplit('/').next().unwrap_or(path);
    name.strip_suffix(".rs").unwrap_or(name)
}

/// Waiting for time to pass instead of for the thing itself is what makes tests slow and unsteady.
fn sleeps(file: &File) -> Vec<String> {
    let calls = ["", "_until"].map(|suffix| format!("sl{}{suffix}", "eep"));
    let mut found = Vec::new();
    for (number, line) in file.test_code() {
        for call in &calls {
            if has_word(line, call) && line.contains(&format!("{call}(")) {
                found.push(format!("{}:{number}: a test must not sleep", file.path));
            }
        }
    }
    found
}

#[test]
fn files_are_small_and_say_what_they_are() {
    let files = files(&["rs"]);
    assert_tidy(&files.iter().flat_map(complaints).collect::<Vec<_>>());
}

#[test]
fn no_test_sleeps() {
    let files = files(&["rs"]);
    assert_tidy(&files.iter().flat_map(sleeps).collect::<Vec<_>>());
}

#[test]
fn a_shapeless_file_is_found() {
    let complain = |path: &str, text: &str| complaints(&File::new(path, text)).len();
    assert_eq!(complain("a/src/b.rs", "//! For b.\n"), 0);
    assert_eq!(complain("a/src/b.rs", "use std::fs;\n"), 1);
    assert_eq!(complain("a/src/b/tests.rs", "use super::f;\n"), 0);
    assert_eq!(complain("a/src/b/mod.rs", "//! For b.\n"), 1);
    assert_eq!(complain("a/src/utils.rs", "//! For b.\n"), 1);
    let long = format!("//! For b.\n{}", "fn f() {}\n".repeat(MOST_LINES));
    assert_eq!(complain("a/src/b.rs", &long), 1);
    assert_eq!(complain("a/src/b.rs", &format!("// @generated\n{long}")), 0);
}

#[test]
fn a_nap_is_found() {
    let nap = format!("tokio::time::sl{}(SECOND).await;\n", "eep");
    let found = |path: &str, text: &str| sleeps(&File::new(path, text)).len();
    assert_eq!(found("tests/e2e/a.rs", &nap), 1);
    assert_eq!(found("a/src/b/tests.rs", &nap), 1);
    assert_eq!(found("a/src/b.rs", &nap), 0);
    assert_eq!(found("a/src/b.rs", &format!("#[cfg(test)]\n{nap}")), 1);
    assert_eq!(found("tests/e2e/a.rs", &format!("// {nap}")), 0);
}
