//! One way to write documents: indentation, the order of the first keys, quotes, blank lines, separators.
//!
//! Never changes what a document means and never loses a comment: what was written is read again and compared, and a
//! document that cannot be written anew for certain stays as it is, with the reason.

mod order;
mod page;
mod structure;
mod write;

use std::fmt;

use crate::envelope;
use crate::source::{Node, Parsed, alone};

use page::Page;

/// A text, written anew.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Formatted {
    /// The whole of it.
    pub text: String,
    /// What was left as it is.
    pub left: Vec<Left>,
}

/// A document that was not written anew, or not in every respect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Left {
    /// Where it begins, counted from 1.
    pub line: usize,
    /// Why.
    pub why: Why,
}

/// Why something stays as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Why {
    /// It cannot be read.
    Broken,
    /// Something stands for something else.
    Anchor,
    /// `%` and `...`.
    Directive,
    /// `--- text`.
    Marker,
    /// `? key`.
    ExplicitKey,
    /// A tag.
    Tag,
    /// A block scalar that says how far it is indented, or that keeps what is blank after it.
    BlockScalar,
    /// A comment where none can be written.
    Comment,
    /// A line that ends with a carriage return alone, or a character that some readers take for the end of a line.
    LineEnd,
    /// The keys stay in their order: a comment on one of them would be one on the document.
    Order,
    /// What would be written would be read otherwise.
    Doubt,
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Broken => "it cannot be read: `meshc check` says why",
            Self::Anchor => "it has anchors or aliases",
            Self::Directive => "the file has `%` or `...` at the beginning of a line",
            Self::Marker => "there is something behind its `---`",
            Self::ExplicitKey => "it has a key that begins with `?`",
            Self::Tag => "it has tags",
            Self::BlockScalar => {
                "it has a text after `|` or `>` with a number or `+`, or with nothing in it"
            }
            Self::Comment => "it has a comment inside of brackets or between a key and its value",
            Self::LineEnd => "it has carriage returns, or other ends of lines than YAML 1.2",
            Self::Order => {
                "but for the order of its keys: a comment on one of them would become one on the whole document"
            }
            Self::Doubt => "what would be written would be read otherwise",
        })
    }
}

/// Writes a file anew. What belongs to other tools stays as it is.
#[must_use]
pub fn format(text: &str) -> Formatted {
    let whole = text.replace("\r\n", "\n");
    let odd = whole.contains(['\r', '\u{85}', '\u{2028}', '\u{2029}']);
    let mut lines = whole.lines();
    let directive = lines.any(|line| line.starts_with('%') || is_marker(line, "..."));
    let as_it_is = |left| Formatted {
        text: text.to_owned(),
        left,
    };
    let why = match (odd, directive) {
        (true, _) => Why::LineEnd,
        (_, true) => Why::Directive,
        _ => return parts(&whole).unwrap_or_else(as_it_is),
    };
    as_it_is(vec![Left { line: 1, why }])
}

/// Each document anew. Of a file without a document of the mesh, what could not be read in it.
fn parts(whole: &str) -> Result<Formatted, Vec<Left>> {
    let mut left = Vec::new();
    let mut text = String::new();
    let mut ours = false;
    for part in split(whole) {
        let line = part.line;
        let mut leave = |why: Why| left.push(Left { line, why });
        let written = match part.written() {
            Ok(Anew::Foreign) => part.as_it_is(),
            Ok(Anew::Remarks(text)) => text,
            Ok(Anew::Written { text, ordered }) => {
                ours = true;
                if !ordered {
                    leave(Why::Order);
                }
                text
            }
            Err(why) => {
                leave(why);
                part.as_it_is()
            }
        };
        let marked = !part.behind().is_empty();
        if written.trim().is_empty() && !marked {
            continue;
        }
        match marked {
            true => text.push_str(&format!("{}\n", part.separator.trim_end())),
            false if !text.is_empty() => text.push_str("---\n"),
            false => {}
        }
        text.push_str(&written);
    }
    match ours {
        true => Ok(Formatted { text, left }),
        false => Err(left),
    }
}

/// What stands between two separators.
struct Part<'t> {
    /// Of its first line, from 1.
    line: usize,
    /// The line before it; empty before the first.
    separator: &'t str,
    text: &'t str,
}

/// A line that begins with a marker ends a document wherever it stands, in a text too.
fn split(text: &str) -> Vec<Part<'_>> {
    let mut parts = Vec::new();
    let (mut start, mut line, mut separator) = (0, 1, "");
    let mut at = 0;
    for (number, next) in (1..).zip(text.split_inclusive('\n')) {
        if is_marker(next, "---") {
            let text = text.get(start..at).unwrap_or_default();
            parts.push(Part {
                line,
                separator,
                text,
            });
            (start, line, separator) = (at + next.len(), number + 1, next);
        }
        at += next.len();
    }
    let text = text.get(start..).unwrap_or_default();
    parts.push(Part {
        line,
        separator,
        text,
    });
    parts
}

fn is_marker(line: &str, marker: &str) -> bool {
    let rest = line.strip_prefix(marker);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '\t', '\n']))
}

impl Part<'_> {
    /// What stands on the line of its separator.
    fn behind(&self) -> &str {
        let behind = self.separator.strip_prefix("---");
        behind.unwrap_or_default().trim()
    }

    fn written(&self) -> Result<Anew, Why> {
        let behind = self.behind();
        if !behind.is_empty() && !behind.starts_with('#') {
            return Err(Why::Marker);
        }
        let is_remark = |line: &str| line.is_empty() || line.starts_with('#');
        match self.text.lines().all(|line| is_remark(line.trim())) {
            true => Ok(Anew::Remarks(remarks(self.text))),
            false => anew(self.text),
        }
    }

    fn as_it_is(&self) -> String {
        match self.text.is_empty() || self.text.ends_with('\n') {
            true => self.text.to_owned(),
            false => format!("{}\n", self.text),
        }
    }
}

/// Comments alone.
fn remarks(text: &str) -> String {
    let mut written = String::new();
    let mut blank = false;
    for line in text.lines().map(str::trim) {
        if line.is_empty() {
            blank = !written.is_empty();
            continue;
        }
        if std::mem::take(&mut blank) {
            written.push('\n');
        }
        written.push_str(line);
        written.push('\n');
    }
    written
}

enum Anew {
    /// Of another tool.
    Foreign,
    /// Comments alone, or nothing.
    Remarks(String),
    Written {
        text: String,
        /// Whether the keys stand in their order.
        ordered: bool,
    },
}

/// Writes one document anew, and reads it again.
fn anew(text: &str) -> Result<Anew, Why> {
    let read = alone(text).ok_or(Why::Broken)?;
    let root = read.root.as_ref().ok_or(Why::Broken)?;
    if !is_ours(root) {
        return Ok(Anew::Foreign);
    }
    let mut page = Page::of(text, root, &read.comments)?;
    let ordered = order::sort(&mut page);
    let written = write::page(&page);
    let again = alone(&written).ok_or(Why::Doubt)?;
    let json = |parsed: &Parsed| parsed.root.as_ref().map(Node::to_json);
    let same = json(&read) == json(&again) && comments(text, &read) == comments(&written, &again);
    match same {
        true => Ok(Anew::Written {
            text: written,
            ordered,
        }),
        false => Err(Why::Doubt),
    }
}

/// A document that says what it is.
fn is_ours(root: &Node) -> bool {
    let text = |key: &str| root.get(key).and_then(Node::as_str).is_some();
    (text("type") || text("apiVersion")) && !envelope::is_foreign(root)
}

fn comments<'t>(text: &'t str, read: &Parsed) -> Vec<&'t str> {
    let spans = read.comments.iter();
    let mut comments: Vec<_> = spans
        .filter_map(|span| text.get(span.start..span.end))
        .map(str::trim_end)
        .collect();
    comments.sort_unstable();
    comments
}

#[cfg(test)]
mod tests;
