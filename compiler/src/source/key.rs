//! What may be a key of a mapping: a string.
//!
//! Never turns anything else into one: readers of YAML differ about what `1: x` and `yes: x` mean.

use super::node::{Node, NodeKind, Style};
use super::{Span, words};

/// The name that a key stands for; and where it is none, what is wrong and what helps.
pub(super) fn read(node: &Node, text: &str, at: Span) -> (String, Option<(String, &'static str)>) {
    let raw = text.get(at.start..at.end).unwrap_or_default();
    // A template has two braces, of which the first is outside of the key.
    let around = text.get(at.start.saturating_sub(1)..at.end);
    let suspicion = around.and_then(words::suspicion);
    match &node.kind {
        NodeKind::Text(text, Style::Plain) if text == "<<" => (
            text.clone(),
            Some((
                "merge keys (`<<`) are not part of this language".to_owned(),
                "write the keys out: what a document says must stand in it",
            )),
        ),
        NodeKind::Text(text, _) => (text.clone(), None),
        NodeKind::Sequence(..) | NodeKind::Mapping(..) => (
            raw.to_owned(),
            Some((
                format!("{} cannot be a key", node.noun()),
                suspicion.unwrap_or("a key is a string"),
            )),
        ),
        _ => (
            raw.to_owned(),
            Some((
                format!("the key `{raw}` is {}, not a string", node.noun()),
                "put it into quotes",
            )),
        ),
    }
}
