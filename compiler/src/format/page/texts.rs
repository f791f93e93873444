//! Values that are written as they were: in quotes or without, in brackets, after `|` and `>`.
//!
//! Never puts anything into quotes that had none.

use super::{Reader, Value};
use crate::format::Why;
use crate::source::{Node, NodeKind, Span};
use crate::yaml;

impl Reader<'_> {
    /// A text after `|` or `>`: the header, and the lines without what indents them.
    pub(super) fn block_text(&self, span: Span) -> Result<Value, Why> {
        let odd = Why::BlockScalar;
        let before = self.text.get(..span.start).ok_or(odd)?;
        // Blank lines in between are part of the text.
        let mut above = before.trim_end();
        let next = self
            .all
            .partition_point(|comment| comment.end < above.len());
        if let Some(comment) = self.all.get(next).filter(|one| one.start < above.len()) {
            above = before.get(..comment.start).ok_or(odd)?.trim_end();
        }
        let header = above.rsplit([' ', '\t', '\n']).next().ok_or(odd)?;
        if !matches!(header, "|" | ">" | "|-" | ">-") || self.raw(span).trim().is_empty() {
            return Err(odd);
        }
        let column = self.column(span.start);
        let start = before.get(above.len()..).and_then(|rest| rest.find('\n'));
        let start = above.len() + start.ok_or(odd)? + 1;
        let lines = self.text.get(start..span.end).ok_or(odd)?.lines();
        let lines = lines.map(|line| match line.get(column..) {
            Some(inner)
                if line
                    .get(..column)
                    .is_some_and(|indent| indent.trim().is_empty()) =>
            {
                Ok(inner.to_owned())
            }
            _ if line.trim().is_empty() => Ok(String::new()),
            _ => Err(odd),
        });
        let mut lines: Vec<String> = lines.collect::<Result<_, _>>()?;
        while lines.last().is_some_and(|line| line.trim().is_empty()) {
            lines.pop();
        }
        Ok(Value::Text(header.to_owned(), lines))
    }

    /// In brackets or braces, on one line.
    pub(super) fn flow(&self, node: &Node) -> Result<String, Why> {
        let raw = self.raw(node.span);
        Ok(match &node.kind {
            NodeKind::Null => match raw {
                "" => "null".to_owned(),
                raw => raw.to_owned(),
            },
            NodeKind::Text(text, _) => scalar(raw, text),
            NodeKind::Bool(_) | NodeKind::Number(_) => raw.to_owned(),
            NodeKind::Sequence(items, _) => {
                let items: Result<Vec<_>, _> = items.iter().map(|item| self.flow(item)).collect();
                format!("[{}]", items?.join(", "))
            }
            NodeKind::Mapping(entries, _) => {
                let entries = entries.iter().map(|entry| {
                    let key = scalar(self.raw(entry.key_span), &entry.key);
                    Ok(format!("{key}: {}", self.flow(&entry.value)?))
                });
                let entries: Vec<String> = entries.collect::<Result<_, Why>>()?;
                format!("{{{}}}", entries.join(", "))
            }
        })
    }
}

/// A text on one line, in quotes only where it needs them.
pub(super) fn scalar(raw: &str, text: &str) -> String {
    let quoted = raw.starts_with(['"', '\'']);
    if !quoted {
        return raw.trim().to_owned();
    }
    let plain = yaml::scalar(text);
    if plain == text {
        return plain;
    }
    let special = |c: char| matches!(c, '"' | '\\') || c.is_control();
    match raw.starts_with('\'') && !text.contains(special) {
        true => format!("\"{text}\""),
        false => raw.to_owned(),
    }
}
