//! Where in a document a cursor stands.
//!
//! Never repairs a document: where it cannot be read, a cursor stands nowhere.

use crate::diag::Pointer;
use crate::source::{Node, NodeKind, Span, trees};

/// A place in a document that can be read.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Spot {
    /// Which document of the file.
    pub(super) document: usize,
    /// All of it.
    pub(super) root: Node,
    /// The innermost entry or item that the cursor is in.
    pub(super) pointer: Pointer,
    /// The cursor is on its key.
    pub(super) on_key: bool,
    /// What the cursor is on.
    pub(super) span: Span,
}

/// Where an offset of a text is; `None` between things, and in what cannot be read.
pub(super) fn spot(text: &str, offset: usize) -> Option<Spot> {
    let trees = trees(text).into_iter().enumerate();
    let mut roots = trees.filter_map(|(document, tree)| Some((document, tree?)));
    let (document, root) = roots.find(|(_, root)| holds(root, offset))?;
    let mut spot = Spot {
        document,
        pointer: Pointer::default(),
        on_key: false,
        span: Span::default(),
        root,
    };
    let mut node = &spot.root;
    loop {
        let inner = match &node.kind {
            NodeKind::Mapping(entries, _) => {
                let on_key = entries
                    .iter()
                    .find(|entry| entry.key_span.start <= offset && offset <= entry.key_span.end);
                if let Some(entry) = on_key {
                    spot.pointer = spot.pointer.field(&entry.key);
                    spot.on_key = true;
                    spot.span = entry.key_span;
                    return Some(spot);
                }
                let mut entries = entries.iter();
                let entry = entries.find(|entry| holds(&entry.value, offset));
                entry.map(|entry| (spot.pointer.field(&entry.key), &entry.value))
            }
            NodeKind::Sequence(items, _) => {
                let mut items = items.iter().enumerate();
                let item = items.find(|(_, item)| holds(item, offset));
                item.map(|(index, item)| (spot.pointer.index(index), item))
            }
            _ => {
                spot.span = node.span;
                return Some(spot);
            }
        };
        (spot.pointer, node) = inner?;
    }
}

/// Is the place inside, or right behind it? An alias stands where it is written, what is in it does not.
fn holds(node: &Node, offset: usize) -> bool {
    node.span.start <= offset && offset <= node.content_end()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Option<String> {
        let offset = text.find('▮').unwrap();
        let text = text.replace('▮', "");
        let spot = spot(&text, offset)?;
        let kind = if spot.on_key { "key" } else { "value" };
        let on = text.get(spot.span.start..spot.span.end)?.to_owned();
        Some(format!("{}{} {kind} {on}", spot.document, spot.pointer))
    }

    #[test]
    fn a_cursor_is_on_a_key_or_a_value() {
        let table = [
            ("▮type: Mesh", Some("0/type key type")),
            ("type: Mesh▮", Some("0/type value Mesh")),
            (
                "a: b\n---\nc:\n  - d: [1, {e: ▮f}]\n",
                Some("1/c/0/d/1/e value f"),
            ),
            ("a:\n  b▮: 1\n  c: 2\n", Some("0/a/b key b")),
            ("a:\n  b: 1\n  c: ▮2\n", Some("0/a/c value 2")),
            ("a: \"x▮\"\n", Some("0/a value \"x\"")),
            ("- a\n- ▮b\n", Some("0/1 value b")),
            ("a: {▮}\n", None),
            ("a: b\n\n▮\nc: d\n", None),
            ("a: [▮\n", None),
            ("▮", None),
        ];
        for (text, expected) in table {
            assert_eq!(found(text).as_deref(), expected, "{text}");
        }
    }
}
