//! The pages of `docs/guide/kinds/`: one for each kind, made of its doc comments, with an example that compiles.
//!
//! Never writes, except with `MESH_GENERATE=1`, as `cargo xtask gen` sets it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::{Path, PathBuf};

use mesh_compiler::diag::{CodeInfo, codes};
use mesh_compiler::model::Settings;
use mesh_compiler::reference::KindReference;
use mesh_compiler::{Code, Compiled, Diagnostic, MemoryWorld, Severity, compile, reference};

use crate::schemas::hold;
use crate::{cases, golden};

/// What any document may have wrong, whatever its kind: said once, on the page that lists the kinds.
const GENERAL: [Code; 14] = [
    Code::DUPLICATE_KEY,
    Code::DUPLICATE_RESOURCE,
    Code::EXCEEDS_LIMIT,
    Code::INVALID_LABEL,
    Code::INVALID_NAME,
    Code::INVALID_VALUE,
    Code::MISSING_FIELD,
    Code::READ_ONLY_FIELD,
    Code::RESERVED_LABEL,
    Code::UNKNOWN_FIELD,
    Code::UNKNOWN_MESH,
    Code::UNSUPPORTED,
    Code::WRONG_SCOPE,
    Code::WRONG_TYPE,
];

/// What may be said of every line that decides something, by tests that do not ask about it.
const UNASKED: [Code; 2] = [Code::UNNOTICED_CHANGE, Code::UNTESTED_RULE];

fn top() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// From `docs/guide/kinds/` to the page of a code.
fn link(code: &CodeInfo) -> String {
    format!("../../../compiler/codes/{}.md", code.code.0)
}

/// The codes of findings about each kind, by the short name of the kind: those that the cases show.
fn shown() -> BTreeMap<String, BTreeSet<&'static str>> {
    let mut shown: BTreeMap<String, BTreeSet<&'static str>> = BTreeMap::new();
    for (_, compiled) in cases::compiled() {
        for finding in &compiled.diagnostics.list {
            if let Some(kri) = compiled.sources.resource(&finding.at) {
                let codes = shown.entry(kri.kind().to_owned()).or_default();
                codes.insert(finding.code.0);
            }
        }
    }
    shown
}

fn pages() -> BTreeMap<String, String> {
    let shown = shown();
    let kinds = reference();
    let mut pages = BTreeMap::from([("README.md".to_owned(), index(&kinds))]);
    for kind in &kinds {
        let about = shown.get(kind.short);
        let concerns = |info: &&CodeInfo| {
            !GENERAL.contains(&info.code)
                && !UNASKED.contains(&info.code)
                && about.is_some_and(|codes| codes.contains(info.code.0))
        };
        let codes: Vec<&CodeInfo> = codes().iter().filter(concerns).collect();
        pages.insert(format!("{}.md", kind.slug()), kind.page(&codes, link));
    }
    pages
}

fn index(kinds: &[KindReference]) -> String {
    let mut page = "# Kinds\n\nEvery kind of the language, from the comments of its type in `compiler/src/kinds/`; `cargo xtask gen` writes these pages. \
        The examples are written for the repository in [examples/shop](../../../examples/shop/README.md).\n\n\
        | kind | what it is for |\n|---|---|\n"
        .to_owned();
    for kind in kinds {
        let first = kind.purpose.split(". ").next().unwrap_or_default();
        let first = first.trim_end_matches('.');
        let _ = writeln!(page, "| [{}]({}.md) | {first} |", kind.name, kind.slug());
    }
    page += "\nAn editor that knows JSON Schema completes and checks all of them: see [editors](../editors.md).\n\n\
        ## Findings about any document\n\n";
    for info in codes().iter().filter(|info| GENERAL.contains(&info.code)) {
        let _ = writeln!(
            page,
            "* [`{}`]({}): {}",
            info.code.0,
            link(info),
            info.title
        );
    }
    page
}

#[test]
fn generated_pages_of_the_kinds_are_current() {
    hold(&top().join("docs/guide/kinds"), &pages(), ".md");
}

/// The shop with one more file.
fn shop_with(text: &str) -> Compiled {
    let mut world = MemoryWorld::default();
    golden::walk(&top().join("examples/shop"), "", &mut world);
    world
        .files
        .insert("example.yaml".to_owned(), text.as_bytes().to_vec());
    compile(&world, &Settings::default())
}

/// What an example must not say. A kind may be refused as long as this version does not act on it; and it may be one that
/// no repository should hold.
fn is_wrong(kind: &KindReference, finding: &Diagnostic) -> bool {
    let of_another_version = match finding.code {
        Code::UNSUPPORTED => true,
        Code::NOT_IMPLEMENTED => finding.severity == Severity::Warning,
        _ => false,
    };
    let discouraged = match kind.name {
        "Secret" | "GlobalSecret" => finding.code == Code::INLINE_SECRET,
        "Workload" => finding.code == Code::READ_ONLY_FIELD,
        _ => false,
    };
    !of_another_version && !discouraged
}

#[test]
fn every_example_compiles_in_the_shop() {
    let mut wrong = Vec::new();
    for kind in reference() {
        let compiled = shop_with(kind.example);
        for finding in &compiled.diagnostics.list {
            if is_wrong(&kind, finding) {
                let line = compiled.sources.line(&finding.at);
                let (file, code) = (&finding.at.file, finding.code.0);
                wrong.push(format!(
                    "{}: {file}:{line}: [{code}] {}",
                    kind.name, finding.message
                ));
            }
        }
        let shown = compiled.sources.files().any(|(path, file)| {
            let mut read = file.documents.iter();
            path == "example.yaml" && read.any(|document| document.outline.is_some())
        });
        assert!(shown, "{}: no example", kind.name);
        let first = format!("\ntype: {}\n", kind.name);
        let begins = kind.example.starts_with("# ") && kind.example.contains(&first);
        assert!(begins, "{}: no comment, or of another kind", kind.name);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_field_is_described() {
    let mut silent = Vec::new();
    for kind in reference() {
        assert!(!kind.purpose.is_empty(), "{}: what is it for?", kind.name);
        for field in kind.fields.iter().filter(|field| field.text.is_empty()) {
            silent.push(format!("{}: {}", kind.name, field.path));
        }
    }
    assert!(silent.is_empty(), "no doc comment:\n{}", silent.join("\n"));
}
