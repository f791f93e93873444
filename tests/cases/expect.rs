//! What a case says that is found.
//!
//! Never guesses: an annotation that cannot be read is a mistake of the case, and fails it.

use std::fmt;

use mesh_compiler::{Compiled, Diagnostic, Severity};

use super::fence::Case;

/// One finding that a case tells of.
#[derive(Debug)]
pub(super) struct Expectation {
    file: String,
    line: u32,
    column: Option<u32>,
    severity: Severity,
    pub(super) code: String,
    /// A part of the message.
    text: String,
    pub(super) help: Option<String>,
}

impl Expectation {
    pub(super) fn fits(&self, finding: &Diagnostic, compiled: &Compiled) -> bool {
        let place = compiled.sources.place(&finding.at);
        self.file == finding.at.file
            && self.line == place.line
            && self.column.is_none_or(|column| column == place.column)
            && self.severity == finding.severity
            && self.code == finding.code.0
            && finding.message.contains(&self.text)
    }
}

impl fmt::Display for Expectation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, line, .. } = self;
        let Self {
            severity,
            code,
            text,
            ..
        } = self;
        write!(f, "{file}:{line}: {severity:?}[{code}] {text}")
    }
}

/// All annotations of a case.
pub(super) fn expectations(case: &Case) -> Vec<Expectation> {
    let mut found = Vec::new();
    for (name, file) in &case.world.files {
        annotations(name, &file.text, &mut found);
    }
    found.extend(case.expected.iter().map(|line| concise(line)));
    found
}

fn annotations(file: &str, text: &str, found: &mut Vec<Expectation>) {
    // The line that annotations on lines of their own are about.
    let mut about = 1;
    for (number, line) in (1..).zip(text.lines()) {
        let start = ["# error: ", "# warning: ", "# help: "]
            .iter()
            .filter_map(|mark| line.find(mark))
            .min();
        let alone = start.is_some_and(|at| line.split_at(at).0.trim().is_empty());
        if !alone {
            about = number;
        }
        let Some(start) = start else {
            continue;
        };
        let annotation = line.split_at(start + 2).1.trim();
        if let Some(help) = annotation.strip_prefix("help: ") {
            let last = found.last_mut().expect("a finding before its help");
            last.help = Some(help.to_owned());
            continue;
        }
        let (severity, rest) = annotation.split_once(": ").expect("a severity");
        let (code, rest) = rest
            .strip_prefix('[')
            .and_then(|rest| rest.split_once(']'))
            .unwrap_or_else(|| panic!("a code in brackets: {line}"));
        let text = rest.trim();
        let quoted = text
            .strip_prefix('"')
            .and_then(|text| text.strip_suffix('"'));
        assert!(text.is_empty() || quoted.is_some(), "quotes: {line}");
        found.push(Expectation {
            file: file.to_owned(),
            line: about,
            column: None,
            severity: severity_of(severity),
            code: code.to_owned(),
            text: quoted.unwrap_or_default().to_owned(),
            help: None,
        });
    }
}

/// `a.yaml:1:4: error[code] a part of the message`.
fn concise(line: &str) -> Expectation {
    let read = || {
        let (place, rest) = line.split_once(": ")?;
        let mut place = place.splitn(3, ':');
        let (file, row, column) = (place.next()?, place.next()?, place.next()?);
        let (severity, rest) = rest.split_once('[')?;
        let (code, text) = rest.split_once(']')?;
        Some(Expectation {
            file: file.to_owned(),
            line: row.parse().ok()?,
            column: Some(column.parse().ok()?),
            severity: severity_of(severity),
            code: code.to_owned(),
            text: text.trim().to_owned(),
            help: None,
        })
    };
    read().unwrap_or_else(|| panic!("`file:line:column: severity[code] text`: {line}"))
}

fn severity_of(word: &str) -> Severity {
    match word {
        "error" => Severity::Error,
        "warning" => Severity::Warning,
        other => panic!("a severity `{other}`"),
    }
}
