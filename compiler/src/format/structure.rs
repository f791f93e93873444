//! Whether a document has anything in it that is more than keys, values and comments.
//!
//! Never looks at what an alias stands for: that there is one is enough.

use super::Why;
use crate::source::{Node, NodeKind, Span};

/// Refuses a document in which anything stands but keys, values, comments and what separates them.
pub(super) fn plain(text: &str, root: &Node, comments: &[Span]) -> Result<(), Why> {
    let mut spans = Vec::new();
    leaves(root, &mut spans);
    // What an alias stands for comes again, and out of order.
    if spans
        .windows(2)
        .any(|pair| matches!(pair, [one, two] if two.start < one.end))
    {
        return Err(Why::Anchor);
    }
    spans.extend(comments);
    spans.sort_unstable();
    let mut at = 0;
    for span in spans {
        between(text.get(at..span.start).unwrap_or_default())?;
        match text.get(span.start..).and_then(|rest| rest.chars().next()) {
            Some('*' | '&') if span.start < span.end => return Err(Why::Anchor),
            Some('!') if span.start < span.end => return Err(Why::Tag),
            _ => {}
        }
        at = span.end.max(at);
    }
    between(text.get(at..).unwrap_or_default())
}

fn between(gap: &str) -> Result<(), Why> {
    for character in gap.chars() {
        return Err(match character {
            ' ' | '\t' | '\n' | ':' | '-' | ',' | '{' | '}' | '[' | ']' | '|' | '>' => continue,
            '&' | '*' => Why::Anchor,
            '!' => Why::Tag,
            '?' => Why::ExplicitKey,
            '+' | '0'..='9' => Why::BlockScalar,
            _ => Why::Doubt,
        });
    }
    Ok(())
}

/// Recursion ends with the depth that documents may have.
fn leaves(node: &Node, spans: &mut Vec<Span>) {
    match &node.kind {
        NodeKind::Mapping(entries, _) => {
            for entry in entries {
                spans.push(entry.key_span);
                leaves(&entry.value, spans);
            }
        }
        NodeKind::Sequence(items, _) => items.iter().for_each(|item| leaves(item, spans)),
        _ if node.span.start == node.span.end => {}
        _ => spans.push(node.span),
    }
}
