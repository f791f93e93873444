//! Trees that are made of parts of other trees.
//!
//! Never makes a place: whatever is new stands where that was written which it is made of.

use crate::source::{Layout, MappingEntry, Node, NodeKind, Span, Style};

/// A text.
pub(super) fn text(text: &str, span: Span) -> Node {
    Node {
        kind: NodeKind::Text(text.to_owned(), Style::Plain),
        span,
    }
}

/// A list.
pub(super) fn list(items: Vec<Node>, span: Span) -> Node {
    Node {
        kind: NodeKind::Sequence(items, Layout::Flow),
        span,
    }
}

/// A mapping of keys, each with the place that it is shown at.
pub(super) fn mapping(fields: Vec<(&str, Span, Node)>, span: Span) -> Node {
    let entries = fields
        .into_iter()
        .map(|(key, key_span, value)| MappingEntry {
            key: key.to_owned(),
            key_span,
            value,
        });
    Node {
        kind: NodeKind::Mapping(entries.collect(), Layout::Flow),
        span,
    }
}

/// The items, where this is a list.
pub(super) fn items(node: &Node) -> &[Node] {
    match &node.kind {
        NodeKind::Sequence(items, _) => items,
        _ => &[],
    }
}

/// The same list with each of its items changed.
pub(super) fn each(node: &Node, change: impl FnMut((usize, &Node)) -> Option<Node>) -> Node {
    match &node.kind {
        NodeKind::Sequence(items, layout) => Node {
            kind: NodeKind::Sequence(
                items.iter().enumerate().filter_map(change).collect(),
                *layout,
            ),
            span: node.span,
        },
        // For the schema to refuse.
        _ => node.clone(),
    }
}

/// The same mapping with the value of each key changed.
pub(super) fn fields(node: &Node, mut change: impl FnMut(&str, &Node) -> Node) -> Node {
    let NodeKind::Mapping(entries, layout) = &node.kind else {
        return node.clone();
    };
    let entries = entries.iter().map(|entry| MappingEntry {
        value: change(&entry.key, &entry.value),
        ..entry.clone()
    });
    Node {
        kind: NodeKind::Mapping(entries.collect(), *layout),
        span: node.span,
    }
}

/// The same mapping with one entry more, where it has none of this name.
pub(super) fn with(mut node: Node, key: &str, value: &str) -> Node {
    let span = node.span;
    if let NodeKind::Mapping(entries, _) = &mut node.kind
        && !entries
            .iter()
            .any(|entry| entry.key == key && !entry.value.is_null())
    {
        entries.retain(|entry| entry.key != key);
        let key_span = entries.first().map_or(span, |first| first.key_span);
        entries.push(MappingEntry {
            key: key.to_owned(),
            key_span,
            value: text(value, key_span),
        });
    }
    node
}

/// A text in lower case; anything else as it is.
pub(super) fn lower(node: &Node) -> Node {
    let mut node = node.clone();
    if let NodeKind::Text(text, _) = &mut node.kind {
        text.make_ascii_lowercase();
    }
    node
}
