//! That `fmt` never changes what a document means, whatever people or nobody would write.

use std::path::{Path, PathBuf};

use proptest::prelude::*;
use proptest::sample::{Index, select};

use crate::check;
use crate::diag::Code;
use crate::format::{Why, format};
use crate::model::Settings;
use crate::source::{FileLimits, parse, trees};
use crate::world::MemoryWorld;

/// Every document of the examples, the templates, and the corpus where there is one.
#[expect(
    clippy::disallowed_methods,
    reason = "the corpus is where whoever runs the tests says"
)]
fn corpus() -> Vec<String> {
    let top = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut open = vec![top.join("examples"), top.join("compiler/templates")];
    open.extend(std::env::var_os("MESH_CORPUS").map(PathBuf::from));
    let mut texts = Vec::new();
    while let Some(directory) = open.pop() {
        let mut listed: Vec<PathBuf> = std::fs::read_dir(&directory)
            .expect("a directory")
            .map(|entry| entry.expect("an entry").path())
            .collect();
        listed.sort();
        for path in listed {
            if path.is_dir() {
                open.push(path);
            } else if path
                .extension()
                .is_some_and(|extension| extension == "yaml")
            {
                texts.extend(std::fs::read_to_string(&path).ok());
            }
        }
    }
    texts
}

fn meaning(text: &str) -> Vec<serde_json::Value> {
    let trees = trees(text).into_iter().flatten();
    trees.map(|tree| tree.to_json()).collect()
}

/// Every comment of every document.
fn comments_of(text: &str) -> Vec<String> {
    let documents = parse::all("", text, &mut FileLimits::default());
    let spans = documents.iter().flat_map(|document| &document.comments);
    let comments = spans.filter_map(|span| text.get(span.start..span.end));
    let mut comments: Vec<String> = comments.map(|text| text.trim_end().to_owned()).collect();
    comments.sort();
    comments
}

/// What is found in it, and how much of it comments suppress.
fn findings(text: &str) -> (Vec<Code>, usize) {
    let files = [("a.yaml".to_owned(), text.as_bytes().to_vec())].into();
    let checked = check(&MemoryWorld { files }, &Settings::default());
    let codes = checked.diagnostics.list.iter().map(|finding| finding.code);
    let mut codes: Vec<_> = codes.collect();
    codes.sort();
    (codes, checked.diagnostics.suppressed)
}

#[track_caller]
fn holds(text: &str) {
    let formatted = format(text);
    assert_eq!(
        meaning(&formatted.text),
        meaning(text),
        "{text}\n====\n{}",
        formatted.text
    );
    let comments = comments_of(&formatted.text);
    assert_eq!(
        comments,
        comments_of(text),
        "{text}\n====\n{}",
        formatted.text
    );
    // Whatever the parser takes for one, in files that it cannot read too.
    let marks = |text: &str| text.matches('#').count();
    assert_eq!(
        marks(&formatted.text),
        marks(text),
        "{text}\n====\n{}",
        formatted.text
    );
    let again = format(&formatted.text);
    assert_eq!(again.text, formatted.text, "{text}");
}

#[test]
fn every_document_that_we_have_means_the_same_afterwards() {
    let texts = corpus();
    assert!(texts.len() > 10, "{}", texts.len());
    let mut doubts = 0;
    for text in &texts {
        holds(text);
        assert_eq!(findings(&format(text).text), findings(text), "{text}");
        let left = format(text).left;
        doubts += left.iter().filter(|left| left.why == Why::Doubt).count();
    }
    assert_eq!(doubts, 0, "nothing that people wrote is in doubt");
}

/// What somebody could do to a text without meaning anything by it, or meaning something odd.
#[derive(Debug, Clone)]
enum Slip {
    Blank,
    Trailing,
    Comment(&'static str),
    Note,
    Deeper,
    Quote(char),
    Insert(&'static str),
    Drop,
}

fn slip() -> impl Strategy<Value = Slip> {
    let odd = [
        "&a ", "*a", "!!str ", "? ", "|\n", ">+\n", "---\n", "...\n", "'", "\"", "{", "}", "[",
        "]", ", ", "- ", ": ", "#", "\t", "\r\n", "é", "{{ x }}",
    ];
    prop_oneof![
        Just(Slip::Blank),
        Just(Slip::Trailing),
        select(vec!["# one", "      # far", "  # two", "#none"]).prop_map(Slip::Comment),
        Just(Slip::Note),
        Just(Slip::Deeper),
        select(vec!['"', '\'']).prop_map(Slip::Quote),
        select(odd.to_vec()).prop_map(Slip::Insert),
        Just(Slip::Drop),
    ]
}

fn slipped(text: &str, slips: &[(Slip, Index)]) -> String {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    for (slip, at) in slips {
        if lines.is_empty() {
            break;
        }
        let at = at.index(lines.len());
        let line = &mut lines[at];
        match slip {
            Slip::Blank => lines.insert(at, String::new()),
            Slip::Trailing => line.push_str("   "),
            Slip::Comment(text) => lines.insert(at, (*text).to_owned()),
            Slip::Note => line.push_str(" # note"),
            Slip::Deeper => {
                // With everything that is inside of it, this line goes to the right.
                let indent = |line: &str| line.len() - line.trim_start().len();
                let own = indent(line);
                for line in lines.iter_mut().skip(at) {
                    if indent(line) < own && !line.trim().is_empty() {
                        break;
                    }
                    if indent(line) >= own && own > 0 {
                        line.insert(0, ' ');
                    }
                }
            }
            Slip::Quote(quote) => {
                if let Some((key, value)) = line.split_once(": ") {
                    *line = format!("{key}: {quote}{value}{quote}");
                }
            }
            Slip::Insert(odd) => {
                let half = line.len() / 2;
                let half = (0..=half).rev().find(|at| line.is_char_boundary(*at));
                line.insert_str(half.unwrap_or(0), odd);
            }
            Slip::Drop => drop(lines.remove(at)),
        }
    }
    lines.join("\n") + "\n"
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn whatever_is_written_means_the_same_afterwards(
        which in any::<Index>(),
        slips in prop::collection::vec((slip(), any::<Index>()), 0..6),
    ) {
        thread_local! {
            static TEXTS: Vec<String> = corpus();
        }
        let text = TEXTS.with(|texts| texts[which.index(texts.len())].clone());
        holds(&slipped(&text, &slips));
    }
}
