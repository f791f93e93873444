//! From a Markdown file to the repositories that it tells of.
//!
//! Never interprets YAML: lines stay as they are, so that a line of a fence is a line of the document.

use std::collections::BTreeMap;

use mesh_compiler::model::{Mode, Settings};

use super::world::{CaseFile, CaseWorld};

/// One repository.
#[derive(Debug, Default)]
pub(super) struct Case {
    /// Its heading.
    pub(super) title: String,
    pub(super) world: CaseWorld,
    /// What it was, where the case is a change.
    pub(super) before: CaseWorld,
    pub(super) settings: Settings,
    /// The files after `meshc check --fix`, where the case tells of it.
    pub(super) fixed: BTreeMap<String, String>,
    /// Only fixes that keep the meaning.
    pub(super) only_safe: bool,
    /// Lines of `expect` fences.
    pub(super) expected: Vec<String>,
}

/// The cases of a file. Text between fences is for readers.
pub(super) fn cases(text: &str) -> Vec<Case> {
    let mut cases: Vec<Case> = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if let Some(title) = line.strip_prefix('#') {
            cases.push(Case {
                title: title.trim_start_matches('#').trim().to_owned(),
                ..Case::default()
            });
            continue;
        }
        let Some(info) = line.strip_prefix("```") else {
            continue;
        };
        let body: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
        let case = cases.last_mut().expect("a heading before the first fence");
        let mut words = info.split_whitespace();
        match words.next() {
            Some("yaml") if info.split_whitespace().nth(1) == Some("fixed") => {
                let mut words = words.skip(1).peekable();
                case.only_safe = words.next_if_eq(&"safe").is_some();
                let (name, file) = file(words, &body);
                case.fixed.insert(name, file.text);
            }
            Some("yaml") if info.split_whitespace().nth(1) == Some("before") => {
                let (name, file) = file(words.skip(1), &body);
                case.before.files.insert(name, file);
            }
            Some("yaml" | "json" | "text" | "toml") => {
                let (name, file) = file(words, &body);
                case.world.files.insert(name, file);
            }
            Some("settings") => settings(&mut case.settings, &body),
            Some("expect") => case
                .expected
                .extend(body.iter().map(|&line| line.to_owned())),
            other => panic!("a fence of kind {other:?}"),
        }
    }
    cases.retain(|case| !case.world.files.is_empty());
    for case in cases
        .iter_mut()
        .filter(|case| !case.before.files.is_empty())
    {
        // What is not told to have been otherwise was as it is.
        for (name, file) in &case.world.files {
            let known = case.before.files.entry(name.clone());
            known.or_insert_with(|| file.clone());
        }
    }
    cases
}

fn file<'a>(words: impl Iterator<Item = &'a str>, body: &[&str]) -> (String, CaseFile) {
    let mut name = "case.yaml".to_owned();
    let mut text: String = body.iter().map(|line| format!("{line}\n")).collect();
    let mut file = CaseFile::default();
    for word in words {
        match word.split_once('=').unwrap_or((word, "")) {
            ("file", value) => name = value.to_owned(),
            ("size", value) => file.size = Some(value.parse().expect("a number")),
            ("repeat", value) => text = text.repeat(value.parse().expect("a number")),
            ("escaped", _) => file.escaped = true,
            ("symlink" | "pipe" | "unreadable", _) => file.special = Some(word.to_owned()),
            other => panic!("an attribute {other:?}"),
        }
    }
    file.text = text;
    (name, file)
}

fn settings(settings: &mut Settings, body: &[&str]) {
    for line in body {
        match line.split_once(": ").expect("`name: value`") {
            ("zone", zone) => settings.zone = zone.to_owned(),
            ("mode", "global") => settings.mode = Mode::Global,
            ("mode", "zone") => settings.mode = Mode::Zone,
            ("system-namespace", name) => settings.system_namespace = name.to_owned(),
            ("default-policies", value) => settings.default_policies = value == "true",
            ("now", seconds) => settings.now = Some(seconds.parse().expect("a number")),
            ("partial", value) => settings.partial = value == "true",
            other => panic!("a setting {other:?}"),
        }
    }
}
