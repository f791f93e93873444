//! A document as it will be written: its values as text, its comments beside what they are about.
//!
//! Never takes an alias for what it stands for: what does not stand where it is read is refused.

mod texts;

use super::{Why, structure};
use crate::source::{Layout, MappingEntry, Node, NodeKind, Span, Style};

use texts::scalar;

/// A document.
pub(super) struct Page {
    /// Above everything.
    pub(super) head: Vec<Comment>,
    pub(super) value: Value,
}

/// A comment on a line of its own.
pub(super) struct Comment {
    /// A blank line stands before it.
    pub(super) blank: bool,
    pub(super) text: String,
}

/// What a key is set to, or an item is.
pub(super) enum Value {
    Nothing,
    /// On one line.
    Line(String),
    /// On several lines that are read as one: how far each is indented is no part of it.
    Folded(Vec<String>),
    /// `|` or `>`, and the lines after it.
    Text(String, Vec<String>),
    Mapping(Vec<Item>, Vec<Comment>),
    Sequence(Vec<Item>, Vec<Comment>),
}

/// A key with its value, or an item of a list.
pub(super) struct Item {
    pub(super) before: Vec<Comment>,
    /// A blank line stands before it.
    pub(super) blank: bool,
    /// As it is written; empty in a list.
    pub(super) key: String,
    /// As it is read; empty in a list.
    pub(super) name: String,
    pub(super) value: Value,
    /// The comment at the end of its line.
    pub(super) note: Option<String>,
}

struct Reader<'a> {
    text: &'a str,
    all: &'a [Span],
    /// Those that have no place yet.
    comments: &'a [Span],
}

/// Where a block stands: its first column, that of the block around it, and where what comes after it begins.
#[derive(Clone, Copy)]
struct Frame {
    column: usize,
    outer: Option<usize>,
    end: usize,
}

impl Page {
    pub(super) fn of(text: &str, root: &Node, comments: &[Span]) -> Result<Self, Why> {
        structure::plain(text, root, comments)?;
        let mut reader = Reader {
            text,
            all: comments,
            comments,
        };
        let mut value = match &root.kind {
            NodeKind::Mapping(..) => reader.value(root, None, text.len())?,
            _ => return Err(Why::Broken),
        };
        let mut head = Vec::new();
        match &mut value {
            Value::Mapping(items, _) => {
                if let Some(first) = items.first_mut() {
                    head = std::mem::take(&mut first.before);
                }
            }
            // In brackets, on one line.
            _ => head = reader.own_lines(root.span.start)?,
        }
        match reader.comments {
            [] => Ok(Self { head, value }),
            _ => Err(Why::Comment),
        }
    }
}

impl<'a> Reader<'a> {
    fn value(&mut self, node: &Node, outer: Option<usize>, end: usize) -> Result<Value, Why> {
        let raw = self.raw(node.span);
        let lines = raw.contains('\n');
        match &node.kind {
            NodeKind::Text(_, Style::Block) => self.block_text(node.span),
            NodeKind::Text(text, _) if !lines => Ok(Value::Line(scalar(raw, text))),
            NodeKind::Null | NodeKind::Bool(_) | NodeKind::Number(_) | NodeKind::Text(..) => {
                let lines: Vec<String> = raw.lines().map(|line| line.trim().to_owned()).collect();
                Ok(match lines.as_slice() {
                    [] => Value::Nothing,
                    [line] => Value::Line(line.clone()),
                    _ => Value::Folded(lines),
                })
            }
            NodeKind::Mapping(entries, Layout::Flow) if entries.is_empty() => {
                self.empty(node.span, "{}")
            }
            NodeKind::Sequence(items, Layout::Flow) if items.is_empty() => {
                self.empty(node.span, "[]")
            }
            NodeKind::Mapping(_, Layout::Flow) | NodeKind::Sequence(_, Layout::Flow) if !lines => {
                Ok(Value::Line(self.flow(node)?))
            }
            NodeKind::Mapping(entries, layout) => {
                self.no_comment_in_brackets(node.span, *layout)?;
                let column = entries
                    .first()
                    .map_or(0, |one| self.column(one.key_span.start));
                let frame = Frame { column, outer, end };
                let items = self.entries(entries, frame)?;
                Ok(Value::Mapping(items, self.tail(frame, *layout)))
            }
            NodeKind::Sequence(items, layout) => {
                self.no_comment_in_brackets(node.span, *layout)?;
                let column = items.first().map_or(0, |item| self.dash(item.span.start));
                let frame = Frame { column, outer, end };
                let items = self.items(items, frame)?;
                Ok(Value::Sequence(items, self.tail(frame, *layout)))
            }
        }
    }

    fn entries(&mut self, entries: &[MappingEntry], frame: Frame) -> Result<Vec<Item>, Why> {
        let mut items = Vec::new();
        for (index, entry) in entries.iter().enumerate() {
            let next = entries.get(index + 1);
            let end = next.map_or(frame.end, |next| next.key_span.start);
            let raw = self.raw(entry.key_span);
            if raw.contains('\n') {
                return Err(Why::ExplicitKey);
            }
            let key = scalar(raw, &entry.key);
            items.push(self.item(
                (&key, &entry.key),
                entry.key_span,
                &entry.value,
                (frame, end),
            )?);
        }
        Ok(items)
    }

    fn items(&mut self, nodes: &[Node], frame: Frame) -> Result<Vec<Item>, Why> {
        let mut items = Vec::new();
        for (index, node) in nodes.iter().enumerate() {
            let next = nodes.get(index + 1);
            let end = next.map_or(frame.end, |next| next.span.start);
            let start = node.span.start;
            let at = Span { start, end: start };
            items.push(self.item(("", ""), at, node, (frame, end))?);
        }
        Ok(items)
    }

    /// What begins `at`, with the comments before it, beside it and in it.
    fn item(
        &mut self,
        (key, name): (&str, &str),
        at: Span,
        value: &Node,
        (frame, end): (Frame, usize),
    ) -> Result<Item, Why> {
        if key.is_empty() {
            self.not_behind_dash(at.start)?;
        }
        let (mut before, mut note) = self.above(at.start)?;
        let blank = self.blank_before(at.start);
        if !value.is_null() {
            let is_block = matches!(
                value.kind,
                NodeKind::Mapping(_, Layout::Block) | NodeKind::Sequence(_, Layout::Block)
            );
            // Those above the first thing in a block belong to that.
            let next = self.comments.first();
            if note.is_none() && next.is_some_and(|next| next.start < value.span.start) {
                note = self.beside(at.end);
            }
            if !is_block {
                before.extend(self.own_lines(value.span.start)?);
            }
        }
        let mut read = self.value(value, Some(frame.column), end)?;
        // What stands above the first thing in an item stands above the item.
        if let Value::Mapping(items, _) | Value::Sequence(items, _) = &mut read
            && let Some(first) = items.first_mut().filter(|_| key.is_empty())
        {
            // As above.
            if first
                .before
                .iter()
                .any(|comment| comment.text.contains("meshc:"))
            {
                return Err(Why::Comment);
            }
            before.append(&mut first.before);
        }
        let stop = match read {
            Value::Nothing => at.end,
            Value::Text(..) => 0,
            _ => value.content_end(),
        };
        if note.is_none() && stop > 0 && !matches!(read, Value::Mapping(..) | Value::Sequence(..)) {
            note = self.beside(stop);
        }
        // After the closing bracket of what becomes a block.
        if note.is_none() && self.raw(value.span).ends_with(['}', ']']) {
            note = self.beside(value.span.end);
        }
        Ok(Item {
            before,
            blank,
            key: key.to_owned(),
            name: name.to_owned(),
            value: read,
            note,
        })
    }

    /// The comments before a place: on their own lines, or on the line of a dash whose item begins on the next one.
    fn above(&mut self, at: usize) -> Result<(Vec<Comment>, Option<String>), Why> {
        let mut note = None;
        let mut comments = Vec::new();
        while let Some(span) = self.first_before(at) {
            if self.is_alone(span) {
                comments.push(self.comment(span));
            } else if note.replace(self.raw(span).trim_end().to_owned()).is_some() {
                return Err(Why::Comment);
            }
        }
        Ok((comments, note))
    }

    /// A comment behind a dash will stand above the item. Where it says something to meshc, it would say it of more than
    /// before, which is no matter of layout.
    fn not_behind_dash(&self, item: usize) -> Result<(), Why> {
        let before = self.comments.iter().take_while(|one| one.start < item);
        let Some(last) = before.last() else {
            return Ok(());
        };
        let between = Span {
            start: last.end,
            end: item,
        };
        match self.raw(*last).contains("meshc:") && !self.raw(between).contains('-') {
            true => Err(Why::Comment),
            false => Ok(()),
        }
    }

    fn own_lines(&mut self, at: usize) -> Result<Vec<Comment>, Why> {
        match self.above(at)? {
            (comments, None) => Ok(comments),
            (_, Some(_)) => Err(Why::Comment),
        }
    }

    /// The comment that follows on the same line.
    fn beside(&mut self, at: usize) -> Option<String> {
        let (next, rest) = self.comments.split_first()?;
        let between = self.text.get(at..next.start)?;
        if between.contains('\n') {
            return None;
        }
        self.comments = rest;
        Some(self.raw(*next).trim_end().to_owned())
    }

    /// The comments at the end of a block: as far to the right as it is, and further than what is around it.
    fn tail(&mut self, frame: Frame, layout: Layout) -> Vec<Comment> {
        let mut tail = Vec::new();
        while layout == Layout::Block
            && let Some(next) = self.comments.first().copied()
            && next.start < frame.end
            && self.is_alone(next)
            && self.column(next.start) >= frame.column
            && frame
                .outer
                .is_none_or(|outer| self.column(next.start) > outer)
        {
            self.comments = self.comments.get(1..).unwrap_or_default();
            tail.push(self.comment(next));
        }
        tail
    }

    fn first_before(&mut self, at: usize) -> Option<Span> {
        let (next, rest) = self.comments.split_first()?;
        (next.start < at).then(|| {
            self.comments = rest;
            *next
        })
    }

    fn comment(&self, span: Span) -> Comment {
        Comment {
            blank: self.blank_before(span.start),
            text: self.raw(span).trim_end().to_owned(),
        }
    }

    fn empty(&self, span: Span, written: &str) -> Result<Value, Why> {
        self.no_comment_in_brackets(span, Layout::Flow)?;
        Ok(Value::Line(written.to_owned()))
    }

    fn no_comment_in_brackets(&self, span: Span, layout: Layout) -> Result<(), Why> {
        let inside = |comment: &&Span| span.start < comment.start && comment.start < span.end;
        match layout == Layout::Flow && self.comments.iter().find(inside).is_some() {
            true => Err(Why::Comment),
            false => Ok(()),
        }
    }

    fn raw(&self, span: Span) -> &'a str {
        self.text.get(span.start..span.end).unwrap_or_default()
    }

    fn line_start(&self, at: usize) -> usize {
        let before = self.text.get(..at).unwrap_or_default();
        before.rfind('\n').map_or(0, |at| at + 1)
    }

    /// In bytes, which are spaces.
    fn column(&self, at: usize) -> usize {
        at - self.line_start(at)
    }

    /// The column of the dash before an item.
    fn dash(&self, at: usize) -> usize {
        let start = self.line_start(at);
        let before = self.text.get(start..at).unwrap_or_default();
        before
            .rfind('-')
            .unwrap_or_else(|| before.len().saturating_sub(2))
    }

    fn is_alone(&self, span: Span) -> bool {
        let start = self.line_start(span.start);
        self.text
            .get(start..span.start)
            .is_some_and(|before| before.trim().is_empty())
    }

    /// Is the line before the one of this place blank?
    fn blank_before(&self, at: usize) -> bool {
        let above = self.text.get(..self.line_start(at)).unwrap_or_default();
        let Some(above) = above.strip_suffix('\n') else {
            return false;
        };
        let line = above.rsplit('\n').next();
        line.is_some_and(|line| line.trim().is_empty())
    }
}
