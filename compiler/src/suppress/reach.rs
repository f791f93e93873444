//! What a comment is about: the entry, the item or the document that begins on its line, or on the line below it.
//!
//! Never looks past an empty line: a comment that stands alone is about nothing.

use std::collections::BTreeMap;
use std::ops::Range;

use crate::source::{Document, Node, NodeKind, Span};

/// Where what begins on a line ends.
#[derive(Debug)]
pub(super) struct Reach<'a> {
    text: &'a str,
    /// Beginning and end of every entry and item, in the order of their beginnings.
    parts: Vec<(usize, usize)>,
    /// By the beginning of a line of nothing but a comment, the beginning of the line that it is about.
    below: BTreeMap<usize, usize>,
    /// By the beginning of a line, what begins on it.
    known: BTreeMap<usize, Range<usize>>,
}

impl<'a> Reach<'a> {
    pub(super) fn new(text: &'a str, document: &Document, root: Option<&Node>) -> Self {
        let mut reach = Self {
            text,
            parts: Vec::new(),
            below: BTreeMap::new(),
            known: BTreeMap::new(),
        };
        if let Some(root) = root {
            reach.parts.push((root.span.start, root.content_end()));
            reach.collect(root);
            reach.parts.sort_unstable();
        }
        // From below, so that a block of comments is looked through once.
        for comment in document.comments.iter().rev() {
            let (line, next) = reach.line(comment.start);
            let before = text.get(line..comment.start).unwrap_or_default();
            if before.trim().is_empty() {
                let about = reach.below.get(&next).copied().unwrap_or(next);
                reach.below.insert(line, about);
            }
        }
        reach
    }

    /// The bytes that a comment is about.
    pub(super) fn of(&mut self, comment: Span) -> Option<Range<usize>> {
        let (line, _) = self.line(comment.start);
        let line = self.below.get(&line).copied().unwrap_or(line);
        if let Some(known) = self.known.get(&line) {
            return Some(known.clone());
        }
        let (_, next) = self.line(line);
        let first = self.parts.partition_point(|(start, _)| *start < line);
        let parts = self.parts.iter().skip(first);
        let on_it = parts.take_while(|(start, _)| *start < next);
        let last = on_it.map(|(_, end)| *end).max()?;
        let range = line..last.max(next);
        self.known.insert(line, range.clone());
        Some(range)
    }

    /// Where the line begins that holds a byte, and where the next one does.
    fn line(&self, at: usize) -> (usize, usize) {
        let (before, after) = self.text.split_at_checked(at).unwrap_or((self.text, ""));
        let start = before.rfind('\n').map_or(0, |at| at + 1);
        let next = after.find('\n').map_or(self.text.len(), |end| at + end + 1);
        (start, next)
    }

    fn collect(&mut self, root: &Node) {
        let mut open = vec![root];
        while let Some(node) = open.pop() {
            // What an alias stands for is written elsewhere, and belongs to that place.
            let inside = |span: Span| node.span.start <= span.start && span.end <= node.span.end;
            match &node.kind {
                NodeKind::Mapping(entries, _) => {
                    for entry in entries.iter().filter(|entry| inside(entry.key_span)) {
                        let end = entry.value.content_end().max(entry.key_span.end);
                        self.parts.push((entry.key_span.start, end));
                        open.push(&entry.value);
                    }
                }
                NodeKind::Sequence(items, _) => {
                    for item in items.iter().filter(|item| inside(item.span)) {
                        self.parts.push((item.span.start, item.content_end()));
                        open.push(item);
                    }
                }
                _ => {}
            }
        }
    }
}
