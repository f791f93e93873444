//! The compiled output of every example, compared with what is committed in `snapshots/`.
//!
//! Never accepts a change by itself: `cargo insta review` shows it, and a reviewer reads it.

use std::path::{Path, PathBuf};

use mesh_compiler::inspect::{self, Form};
use mesh_compiler::model::Settings;
use mesh_compiler::{Compiled, MemoryWorld, compile};

fn top() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().expect("tests/ is in the top").to_path_buf()
}

fn directories(of: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(of).expect("a readable directory");
    let mut found: Vec<PathBuf> = entries
        .map(|entry| entry.expect("a readable entry").path())
        .filter(|path| path.is_dir())
        .collect();
    found.sort();
    found
}

/// Every file below a directory, by its path from there.
pub(crate) fn walk(directory: &Path, prefix: &str, world: &mut MemoryWorld) {
    for entry in std::fs::read_dir(directory).expect("a readable directory") {
        let entry = entry.expect("a readable entry");
        let path = format!("{prefix}{}", entry.file_name().to_string_lossy());
        if entry.path().is_dir() {
            walk(&entry.path(), &format!("{path}/"), world);
        } else {
            let bytes = std::fs::read(entry.path()).expect("a readable file");
            world.files.insert(path, bytes);
        }
    }
}

fn compiled(example: &Path) -> Compiled {
    let mut world = MemoryWorld::default();
    walk(example, "", &mut world);
    let compiled = compile(&world, &Settings::default());
    let findings: Vec<String> = compiled
        .diagnostics
        .list
        .iter()
        .map(|finding| {
            let line = compiled.sources.line(&finding.at);
            format!(
                "{}:{line}: [{}] {}",
                finding.at.file, finding.code.0, finding.message
            )
        })
        .collect();
    assert!(
        findings.is_empty(),
        "an example must be clean:\n{}",
        findings.join("\n")
    );
    compiled
}

/// Every example as the compiler sees it, with its name.
pub(crate) fn all() -> Vec<(String, Compiled)> {
    let examples = directories(&top().join("examples")).into_iter();
    examples
        .map(|example| (example.display().to_string(), compiled(&example)))
        .collect()
}

/// `snapshots/<example>/<name>.snap`, without what insta would add to it.
fn snapshot(example: &str, name: &str, text: &str) {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(top().join("snapshots").join(example));
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!(name, text));
}

#[test]
fn examples_compile_to_what_is_committed() {
    let examples = directories(&top().join("examples"));
    assert!(!examples.is_empty(), "there are no examples");
    for example in examples {
        let name = example
            .file_name()
            .expect("a name")
            .to_string_lossy()
            .into_owned();
        let compiled = compiled(&example);
        snapshot(&name, "bundle", &inspect::bundle(&compiled));
        for proxy in compiled.bundle.proxies.keys() {
            let text = inspect::proxy(&compiled, proxy.name(), Form::Human)
                .expect("a proxy of the bundle");
            snapshot(&name, proxy.name(), &text);
        }
    }
}

/// A snapshot of something that is no more would be read for nothing.
#[test]
fn no_snapshot_is_left_over() {
    for directory in directories(&top().join("snapshots")) {
        let name = directory
            .file_name()
            .expect("a name")
            .to_string_lossy()
            .into_owned();
        let compiled = compiled(&top().join("examples").join(&name));
        for entry in std::fs::read_dir(&directory).expect("a readable directory") {
            let file = entry.expect("a readable entry").file_name();
            let file = file.to_string_lossy().into_owned();
            let stem = file.trim_end_matches(".new").trim_end_matches(".snap");
            let proxies = &compiled.bundle.proxies;
            assert!(
                stem == "bundle" || proxies.keys().any(|proxy| proxy.name() == stem),
                "snapshots/{name}/{file} belongs to nothing"
            );
        }
    }
}
