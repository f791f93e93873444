//! From changes of a document to changes of its text: the fewest bytes, so that comments and layout stay.
//!
//! Never touches what an alias stands for, since it stands for it elsewhere too, and never drops a comment that is not about
//! what is taken out: then there is no edit.

mod append;
mod place;
mod without;

use serde_json::{Value, json};

use crate::diag::{Change, Fix, Location, Pointer, Step};
use crate::source::{Document, Layout, MappingEntry, Node, NodeKind, Sources, Span};
use crate::yaml;

use append::Resources;
use place::Place;

pub use without::{Without, without};

/// Bytes of a file, and what stands there instead.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Edit {
    /// Replaced; empty where something is put in.
    pub span: Span,
    /// It puts in a document of this kind, mesh and name: several can stand at one place, one of a name, and behind
    /// whatever else is put in there.
    pub makes: Option<String>,
    /// What it is replaced by.
    pub text: String,
}

/// Turns fixes into edits. Of findings in the order of their places, each file is read once.
#[derive(Debug)]
pub struct Editor<'a> {
    sources: &'a Sources,
    file: String,
    trees: Vec<Option<Node>>,
    /// Looked up when the first fix makes a document.
    resources: Option<Resources>,
}

impl<'a> Editor<'a> {
    /// For documents that were read.
    #[must_use]
    pub fn new(sources: &'a Sources) -> Self {
        Self {
            sources,
            file: String::new(),
            trees: Vec::new(),
            resources: None,
        }
    }

    /// The edits of a fix, in the order of the text. `None` where it cannot be done without harm.
    pub fn edits(&mut self, fix: &Fix, at: &Location) -> Option<Vec<Edit>> {
        let file = self.sources.file(&at.file)?;
        if self.file != at.file {
            self.trees = self.sources.trees(&at.file);
            self.file.clone_from(&at.file);
        }
        let page = Page {
            text: file.text(),
            document: file.documents.get(at.document)?,
            root: self.trees.get(at.document)?.as_ref()?,
        };
        let mut edits = Vec::new();
        for change in &fix.changes {
            if let Change::Append(made) = change {
                let sources = self.sources;
                let resources = self.resources.get_or_insert_with(|| Resources::of(sources));
                if !resources.hold(made, sources)? {
                    edits.push(append::edit(made, &at.file, file)?);
                }
            } else {
                edits.push(page.edit(change)?);
            }
        }
        edits.sort();
        let apart = edits.windows(2).all(|pair| match pair {
            [one, other] => one.span.end <= other.span.start,
            _ => true,
        });
        apart.then_some(edits)
    }
}

/// A document to be changed.
struct Page<'a> {
    text: &'a str,
    document: &'a Document,
    root: &'a Node,
}

impl Page<'_> {
    fn edit(&self, change: &Change) -> Option<Edit> {
        let root = self.root;
        match change {
            Change::Remove(at) => self.remove(&Place::find(root, at)?),
            Change::Rename(at, name) => {
                let place = Place::find(root, at)?;
                let key = place.entry()?.key_span;
                Some(edit(
                    key,
                    self.written(&Value::from(name.as_str()), self.is_json(key)),
                ))
            }
            Change::Replace(at, value) => self.replace(&Place::find(root, at)?, value),
            Change::Quote(at) => {
                let place = Place::find(root, at)?;
                let span = place.node.span;
                let raw = self.text.get(span.start..span.end)?;
                let quotable = !raw.is_empty() && raw.bytes().all(|b| b.is_ascii_graphic());
                quotable.then(|| edit(span, Value::from(raw).to_string()))
            }
            Change::Insert(at, name, value) => match Place::find(root, at) {
                Some(place) => self.insert(place.node, name, value),
                // The mapping is made.
                None => {
                    let (Step::Field(mapping), around) = at.steps.split_last()? else {
                        return None;
                    };
                    let around = Pointer {
                        steps: around.to_vec(),
                    };
                    let made = json!({ name.as_str(): value });
                    self.insert(Place::find(root, &around)?.node, mapping, &made)
                }
            },
            Change::Comment(index, words) => self.comment(*index, words.as_deref()),
            // Not a change of what is there.
            Change::Append(_) => None,
        }
    }

    fn remove(&self, place: &Place<'_>) -> Option<Edit> {
        let entry = place.entry()?;
        let (start, end) = (entry.key_span.start, self.end_of(place)?);
        let next = place
            .siblings
            .get(place.index + 1)
            .map(|next| next.key_span.start);
        if place.siblings.len() == 1 {
            return match place.layout {
                Layout::Block => Some(edit(span(start, end), "{}".to_owned())),
                Layout::Flow => Some(edit(span(start, end), String::new())),
            };
        }
        let line = self.line_start(start);
        let own_line = self.text.get(line..start)?.trim().is_empty();
        let gone = match place.layout {
            Layout::Block if own_line => self.lines(start, end),
            _ => match (next, place.index.checked_sub(1)) {
                (Some(next), None) => span(start, next),
                (Some(next), _) if place.layout == Layout::Block => span(start, next),
                (_, Some(before)) => span(self.end_of(&place.sibling(before)?)?, end),
                (_, None) => return None,
            },
        };
        // A comment after it may be about what follows.
        let after = span(end, gone.end);
        let rest = self.text.get(end..gone.end).unwrap_or_default();
        let same_line = !rest.trim_end_matches('\n').contains('\n') && own_line;
        (same_line || !self.has_comment(after)).then(|| edit(gone, String::new()))
    }

    fn replace(&self, place: &Place<'_>, value: &Value) -> Option<Edit> {
        let node = place.node.span;
        let end = self.end_of(place)?;
        let Some(entry) = place.entry() else {
            let gone = span(node.start, place.node.content_end());
            return (!self.has_comment(gone)).then(|| edit(gone, self.written(value, false)));
        };
        let written = self.written(value, self.is_json(entry.key_span));
        // A block begins on the line after its key.
        let between = self
            .text
            .get(entry.key_span.end..node.start.max(entry.key_span.end))?;
        let colon = entry.key_span.end + between.find(':').map_or(0, |at| at + 1);
        let same_line =
            node.start > entry.key_span.end && !between.contains('\n') && !place.node.is_null();
        let (gone, text) = match same_line {
            true => (span(node.start, end), written),
            false if between.contains(':') => (span(colon, end), format!(" {written}")),
            false => (span(entry.key_span.end, end), format!(": {written}")),
        };
        (!self.has_comment(gone)).then(|| edit(gone, text))
    }

    fn insert(&self, node: &Node, name: &str, value: &Value) -> Option<Edit> {
        let NodeKind::Mapping(entries, layout) = &node.kind else {
            return None;
        };
        if entries.iter().any(|entry| entry.key == name) {
            return None;
        }
        // An alias in the place of the mapping would be written elsewhere.
        let inside = |entry: &MappingEntry| {
            node.span.start <= entry.key_span.start && entry.key_span.end <= node.span.end
        };
        if !entries.iter().all(inside) {
            return None;
        }
        if entries.is_empty() {
            let written = format!("{}: {}", yaml::scalar(name), self.written(value, false));
            let inside = span(node.span.start + 1, node.span.end.checked_sub(1)?);
            let empty = self.text.get(inside.start..inside.end)?.trim().is_empty();
            return empty.then(|| edit(inside, written));
        }
        let first = entries.first()?;
        let json = self.is_json(first.key_span);
        let is_labels = name == "labels";
        let name = self.written(&Value::from(name), json);
        let written = format!("{name}: {}", self.written(value, json));
        let named = entries.iter().position(|entry| entry.key == "name");
        let behind = named.filter(|_| is_labels && std::ptr::eq(node, self.root));
        let place = Place::of(entries, *layout, behind.unwrap_or(entries.len() - 1))?;
        let end = self.end_of(&place)?;
        match layout {
            Layout::Flow => Some(edit(span(end, end), format!(", {written}"))),
            Layout::Block => {
                let start = first.key_span.start;
                let indent = self
                    .text
                    .get(self.line_start(start)..start)?
                    .chars()
                    .count();
                let line = self.line_end(end);
                let at = self.text.get(..line)?.trim_end_matches('\n').len().max(end);
                Some(edit(
                    span(at, at),
                    format!("\n{}{written}", " ".repeat(indent)),
                ))
            }
        }
    }

    fn comment(&self, index: usize, words: Option<&str>) -> Option<Edit> {
        let comment = *self.document.comments.get(index)?;
        if let Some(words) = words {
            return Some(edit(comment, words.to_owned()));
        }
        let line = self.line_start(comment.start);
        let before = self.text.get(line..comment.start)?;
        let kept = before.trim_end_matches([' ', '\t']).len();
        Some(match kept {
            0 => edit(self.lines(comment.start, comment.end), String::new()),
            kept => edit(span(line + kept, comment.end), String::new()),
        })
    }

    /// Where an entry ends, its value included; a value of nothing ends with the colon.
    fn end_of(&self, place: &Place<'_>) -> Option<usize> {
        // The text of a block ends with its line break.
        let end = self.text.get(..place.node.content_end())?.trim_end().len();
        let Some(entry) = place.entry() else {
            return Some(end);
        };
        let key = entry.key_span.end;
        if end > key {
            return Some(end);
        }
        let rest = self.text.get(key..)?;
        let colon = rest.len() - rest.trim_start().len();
        Some(match rest.get(colon..)?.starts_with(':') {
            true => key + colon + 1,
            false => key,
        })
    }

    fn written(&self, value: &Value, json: bool) -> String {
        if json {
            value.to_string()
        } else {
            yaml::flow(value)
        }
    }

    /// Is this key written as JSON writes keys? Then its value is too.
    fn is_json(&self, key: Span) -> bool {
        let raw = self.text.get(key.start..key.end);
        raw.is_some_and(|raw| raw.starts_with('"'))
    }

    fn has_comment(&self, within: Span) -> bool {
        let comments = &self.document.comments;
        let next = comments.partition_point(|comment| comment.start < within.start);
        comments
            .get(next)
            .is_some_and(|comment| comment.start < within.end)
    }

    /// Whole lines, with the line break before them rather than the one after: what is changed on the line before stands
    /// apart.
    fn lines(&self, start: usize, end: usize) -> Span {
        let (start, after) = (self.line_start(start), self.line_end(end));
        let broken = after > start && self.text.get(after - 1..after) == Some("\n");
        match start.checked_sub(1) {
            Some(before) if broken => span(before, after - 1),
            Some(before) => span(before, after),
            None => span(start, after),
        }
    }

    fn line_start(&self, at: usize) -> usize {
        let before = self.text.get(..at).unwrap_or_default();
        before.rfind('\n').map_or(0, |at| at + 1)
    }

    /// After the line break.
    fn line_end(&self, at: usize) -> usize {
        let after = self.text.get(at..).unwrap_or_default();
        after.find('\n').map_or(self.text.len(), |end| at + end + 1)
    }
}

fn span(start: usize, end: usize) -> Span {
    Span { start, end }
}

fn edit(span: Span, text: String) -> Edit {
    Edit {
        span,
        makes: None,
        text,
    }
}
