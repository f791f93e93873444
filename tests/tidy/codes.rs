//! Every diagnostic code has its page, and every page its code.
//!
//! Never reads the page for its words; it has to be there, named after the code, with the headings that `meshc explain` shows.

use std::collections::BTreeSet;

use super::assert_tidy;
use super::tree::{File, files};

const HEADINGS: [&str; 4] = ["## What", "## Why", "## Example", "## Instead"];

/// Kebab-case literals of the file in which the codes stand, the product's part of it.
fn codes(file: &File) -> BTreeSet<String> {
    let literals = file
        .code()
        .flat_map(|(_, line)| line.split('"').skip(1).step_by(2));
    literals
        .filter(|literal| is_code(literal))
        .map(str::to_owned)
        .collect()
}

fn is_code(text: &str) -> bool {
    let words: Vec<&str> = text.split('-').collect();
    words.len() > 1
        && words.iter().all(|word| {
            !word.is_empty()
                && word
                    .bytes()
                    .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
        })
        || ["legacy", "unsupported"].contains(&text)
}

fn complaints(codes: &BTreeSet<String>, pages: &[File]) -> Vec<String> {
    let mut complaints = Vec::new();
    let mut told = BTreeSet::new();
    for page in pages {
        let name = page.path.rsplit('/').next().unwrap_or_default();
        let code = name.strip_suffix(".md").unwrap_or(name).to_owned();
        if !codes.contains(&code) {
            complaints.push(format!("{}: no code has this name", page.path));
        }
        for heading in HEADINGS {
            if !page.text.lines().any(|line| line.starts_with(heading)) {
                complaints.push(format!("{}: `{heading}` is missing", page.path));
            }
        }
        told.insert(code);
    }
    let silent = codes.difference(&told);
    complaints.extend(silent.map(|code| format!("compiler/codes/{code}.md is missing")));
    complaints
}

#[test]
fn every_code_has_its_page() {
    let sources = files(&["rs", "md"]);
    let Some(table) = sources
        .iter()
        .find(|file| file.path == "compiler/src/diag/code.rs")
    else {
        // The table of codes comes with the compiler.
        return;
    };
    let codes = codes(table);
    assert!(
        codes.contains("dangling-ref"),
        "no table of codes: {codes:?}"
    );
    let pages = sources
        .iter()
        .filter(|file| file.path.starts_with("compiler/codes/"));
    assert_tidy(&complaints(&codes, &pages.cloned().collect::<Vec<_>>()));
}

#[test]
fn a_code_without_a_page_is_found() {
    let table = File::new("code.rs", "(\"dangling-ref\", A),\n\"Not A Code\"\n");
    let codes = codes(&table);
    assert_eq!(codes, BTreeSet::from(["dangling-ref".to_owned()]));
    assert_eq!(
        complaints(&codes, &[]),
        ["compiler/codes/dangling-ref.md is missing"]
    );
    let page = File::new("compiler/codes/dangling-ref.md", &HEADINGS.join("\n"));
    assert_eq!(complaints(&codes, std::slice::from_ref(&page)).len(), 0);
    assert_eq!(complaints(&BTreeSet::new(), &[page]).len(), 1);
}

/// The labels of the table, as each row begins with its own.
fn labels(table: &str) -> BTreeSet<String> {
    let rows = table.split("row(").skip(1);
    let label = |row: &str| {
        Some(
            row.trim_start()
                .strip_prefix('"')?
                .split_once('"')?
                .0
                .to_owned(),
        )
    };
    rows.filter_map(label).collect()
}

#[test]
fn meshc_knows_every_refusal_of_a_proxy() {
    let table = include_str!("../../proxy/src/refusal.rs");
    let told: BTreeSet<String> = mesh_compiler::inspect::refusals()
        .map(str::to_owned)
        .collect();
    assert_eq!(labels(table), told);
}
