//! Links between the documents lead somewhere.
//!
//! Never follows a link out of the repository.

use std::path::Path;

use super::assert_tidy;
use super::tree::{File, files, top};

/// Targets of `[text](target)` with their lines, outside of fenced blocks.
fn targets(file: &File) -> Vec<(usize, String)> {
    let mut fenced = false;
    let mut found = Vec::new();
    for (number, line) in (1..).zip(file.text.lines()) {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        }
        if fenced {
            continue;
        }
        for rest in line.split("](").skip(1) {
            if let Some((target, _)) = rest.split_once(')') {
                found.push((number, target.to_owned()));
            }
        }
    }
    found
}

fn complaints(file: &File, exists: impl Fn(&Path) -> bool) -> Vec<String> {
    let directory = Path::new(&file.path).parent().unwrap_or(Path::new(""));
    let mut complaints = Vec::new();
    for (number, target) in targets(file) {
        let path = target.split('#').next().unwrap_or_default();
        if path.is_empty() || path.contains("://") || path.starts_with("mailto:") {
            continue;
        }
        if !exists(&directory.join(path)) {
            complaints.push(format!("{}:{number}: `{target}` is not there", file.path));
        }
    }
    complaints
}

#[test]
fn links_lead_somewhere() {
    let top = top();
    let documents = files(&["md"]);
    let complaints = documents
        .iter()
        .filter(|file| !file.path.starts_with("tests/cases/"))
        .flat_map(|file| complaints(file, |path| top.join(path).exists()));
    assert_tidy(&complaints.collect::<Vec<_>>());
}

#[test]
fn a_broken_link_is_found() {
    let text = "[a](gone.md)\n[b](https://b.example)\n```\n[c](gone.md)\n```\n[d](#here)\n";
    let file = File::new("docs/a.md", text);
    assert_eq!(
        complaints(&file, |_| false),
        ["docs/a.md:1: `gone.md` is not there"]
    );
    assert_eq!(complaints(&file, |_| true).len(), 0);
}
