//! What a schema cannot say about numbers, since JSON has only one kind of them.
//!
//! Never guesses which number was meant.

use serde_json::{Number, Value};

use super::{Expected, Mistake};
use crate::diag::{Pointer, Step};
use crate::envelope::Draft;
use crate::kinds::ENVELOPE;
use crate::source::{MappingEntry as Entry, Node, NodeKind, ambiguous_number};

/// Numbers in a body that readers of YAML disagree about, that have a fraction where none may be, or that are too large.
pub(super) fn mistakes(draft: &Draft<'_>, schema: &Value) -> Vec<(Pointer, Mistake)> {
    let Some(root) = draft.root.find(&draft.meta.body) else {
        return Vec::new();
    };
    let mut walk = Walk {
        text: draft.text,
        schema,
        way: Vec::new(),
        found: Vec::new(),
    };
    match &root.kind {
        // Of a flat kind, the envelope stands beside the body.
        NodeKind::Mapping(entries, _) if draft.meta.body.steps.is_empty() => {
            let body = |entry: &&Entry| !ENVELOPE.contains(&entry.key.as_str());
            for entry in entries.iter().filter(body) {
                walk.inside(Way::Field(&entry.key), &entry.value);
            }
        }
        _ => walk.node(root),
    }
    walk.found
}

/// Most documents have few numbers, so places are named only where one stands.
struct Walk<'a> {
    text: &'a str,
    schema: &'a Value,
    way: Vec<Way<'a>>,
    found: Vec<(Pointer, Mistake)>,
}

#[derive(Clone, Copy)]
enum Way<'a> {
    Field(&'a str),
    Index(usize),
}

impl<'a> Walk<'a> {
    /// Recursion ends with the depth that documents may have.
    fn node(&mut self, node: &'a Node) {
        match &node.kind {
            NodeKind::Number(number) => {
                let pointer = self.pointer();
                let mistake = judge(node, number, self.text, self.schema, &pointer);
                self.found.extend(mistake.map(|mistake| (pointer, mistake)));
            }
            NodeKind::Sequence(items, _) => {
                for (index, item) in items.iter().enumerate() {
                    self.inside(Way::Index(index), item);
                }
            }
            NodeKind::Mapping(entries, _) => {
                for entry in entries {
                    self.inside(Way::Field(&entry.key), &entry.value);
                }
            }
            NodeKind::Null | NodeKind::Bool(_) | NodeKind::Text(..) => {}
        }
    }

    fn inside(&mut self, step: Way<'a>, node: &'a Node) {
        self.way.push(step);
        self.node(node);
        self.way.pop();
    }

    fn pointer(&self) -> Pointer {
        let steps = self.way.iter().map(|step| match step {
            Way::Field(name) => Step::Field((*name).to_owned()),
            Way::Index(index) => Step::Index(*index),
        });
        Pointer {
            steps: steps.collect(),
        }
    }
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
