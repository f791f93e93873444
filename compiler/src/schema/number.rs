//! What a schema cannot say about numbers, since JSON has only one kind of them.
//!
//! Never guesses which number was meant.

use serde_json::{Number, Value};

use super::{Expected, Mistake};
use crate::diag::{Pointer, Step};
use crate::envelope::Draft;
use crate::kinds::ENVELOPE;
use crate::source::{Node, NodeKind, Sources, ambiguous_number};

/// Numbers in a body that readers of YAML disagree about, that have a fraction where none may be, or that are too large.
pub(super) fn mistakes(
    draft: &Draft,
    schema: &Value,
    sources: &Sources,
) -> Vec<(Pointer, Mistake)> {
    let at = draft.meta.within(&Pointer::default());
    let (Some(root), Some(text)) = (sources.node(&at), sources.text(&at.file)) else {
        return Vec::new();
    };
    let mut found = Vec::new();
    let mut open = vec![(root, Pointer::default())];
    while let Some((node, pointer)) = open.pop() {
        match &node.kind {
            // Of a flat kind, the envelope stands beside the body.
            _ if in_envelope(draft, &pointer) => {}
            NodeKind::Number(number) => {
                if let Some(mistake) = judge(node, number, text, schema, &pointer) {
                    found.push((pointer, mistake));
                }
            }
            NodeKind::Sequence(items, _) => {
                let numbered = items.iter().enumerate();
                open.extend(numbered.map(|(index, item)| (item, pointer.index(index))));
            }
            NodeKind::Mapping(entries, _) => {
                let fields = entries.iter();
                open.extend(fields.map(|entry| (&entry.value, pointer.field(&entry.key))));
            }
            _ => {}
        }
    }
    found
}

fn judge(
    node: &Node,
    number: &Number,
    text: &str,
    schema: &Value,
    at: &Pointer,
) -> Option<Mistake> {
    let raw = text.get(node.span.start..node.span.end).unwrap_or_default();
    if ambiguous_number(raw).is_some() {
        return Some(Mistake::Ambiguous);
    }
    let expected = Expected::at(schema, at);
    let types = expected.types();
    if !types.contains("integer") || types.contains("number") {
        return None;
    }
    if number.is_f64() {
        // More digits than any integer has are read as a fraction.
        let whole = raw.bytes().all(|b| b.is_ascii_digit());
        return Some(match expected.largest() {
            Some(most) if whole => Mistake::AtMost(most.to_string()),
            _ => Mistake::Type,
        });
    }
    let most = expected.largest()?;
    let larger = number.as_u64().is_some_and(|number| number > most);
    larger.then(|| Mistake::AtMost(most.to_string()))
}

fn in_envelope(draft: &Draft, pointer: &Pointer) -> bool {
    let flat = draft.meta.body.steps.is_empty();
    match pointer.steps.first() {
        Some(Step::Field(name)) => flat && ENVELOPE.contains(&name.as_str()),
        _ => false,
    }
}
