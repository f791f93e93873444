//! What is told about a body that does not fit its schema.
//!
//! Never names the schema, or what Rust calls a type.

use serde_json::Value;

use super::{Expected, Mistake};
use crate::diag::{Change, Code, Diagnostic, Diagnostics, Pointer, Step};
use crate::envelope::{Draft, quoted};
use crate::kinds::ENVELOPE;
use crate::similar::{listed, nearest, with_stranger};
use crate::source::{Node, NodeKind, Style, ambiguous_number};

/// A key that the kind does not have.
pub(super) fn unknown_field(
    draft: &Draft<'_>,
    schema: &Value,
    at: &Pointer,
    diagnostics: &mut Diagnostics,
) {
    let Some((Step::Field(name), around)) = at.steps.split_last() else {
        return;
    };
    let around = Pointer {
        steps: around.to_vec(),
    };
    let expected = Expected::at(schema, &around);
    let fields = expected.fields();
    let place = match around.steps.is_empty() {
        true => format!("a {}", draft.kind.name),
        false => format!("`{}`", tail(&around)),
    };
    let message = format!("there is no field `{name}` in {place}");
    let mut location = draft.meta.within(at);
    location.key = true;
    let finding = diagnostics.push(Diagnostic::new(Code::UNKNOWN_FIELD, location, message));
    // A flat body stands beside the fields of its envelope.
    let flat = around.steps.is_empty() && draft.meta.body.steps.is_empty();
    let envelope = ENVELOPE.into_iter().filter(|_| flat);
    let near = nearest(name, fields.iter().copied().chain(envelope));
    if let Some(near) = near {
        finding.help(with_stranger(format!("did you mean `{near}`?"), name));
        if draft
            .body
            .pointer(&around.field(near).to_string())
            .is_none()
        {
            finding.unsafe_fix("rename it", |at| {
                vec![Change::Rename(at.clone(), near.to_owned())]
            });
        }
    } else if let Some(inside) = fields.iter().find(|field| {
        let field = Step::Field((**field).to_owned());
        expected.step(&field).fields().contains(name.as_str())
    }) {
        finding.help(format!("`{name}` is a field of `{inside}`"));
    } else if !fields.is_empty() && fields.len() <= 12 {
        let all = format!("the fields are {}", listed(fields, "and"));
        finding.help(with_stranger(all, name));
    }
}

/// A value that is not what was expected.
pub(super) fn mistake(
    draft: &Draft<'_>,
    expected: &Expected<'_>,
    at: &Pointer,
    mistake: &Mistake,
    diagnostics: &mut Diagnostics,
) {
    let location = draft.meta.within(at);
    let node = draft.root.find(&location.pointer);
    let name = match at.steps.is_empty() {
        true => "the document".to_owned(),
        false => format!("`{}`", tail(at)),
    };
    let (code, message) = match mistake {
        Mistake::Ambiguous => {
            let raw = node.and_then(|node| draft.text.get(node.span.start..node.span.end));
            let raw = raw.unwrap_or_default();
            let (one, other) = ambiguous_number(raw).unwrap_or_default();
            let message =
                format!("`{raw}` is {one} to some readers of YAML, and {other} to others");
            (Code::WRONG_TYPE, message)
        }
        Mistake::Type => {
            let found = node.map_or("something else", Node::noun);
            let message = format!("{name} must be {}, found {found}", expected.noun());
            (Code::WRONG_TYPE, message)
        }
        Mistake::Word => {
            let found = node.and_then(Node::as_str).unwrap_or_default();
            let message = format!("{name} cannot be `{}`", shortened(found));
            (Code::INVALID_VALUE, message)
        }
        Mistake::Missing(field) => (
            Code::MISSING_FIELD,
            format!("`{field}` is missing in {name}"),
        ),
        Mistake::AtLeast(limit) => (
            Code::INVALID_VALUE,
            format!("{name} must be {limit} or more"),
        ),
        Mistake::AtMost(limit) => (
            Code::INVALID_VALUE,
            format!("{name} must be {limit} or less"),
        ),
        Mistake::Empty => (Code::INVALID_VALUE, format!("{name} must not be empty")),
        Mistake::TooMany(limit) => {
            let message = format!("{name} is too long, {limit} is the most");
            (Code::INVALID_VALUE, message)
        }
        Mistake::Form => (
            Code::INVALID_VALUE,
            format!("{name} does not have the form that it must have"),
        ),
    };
    let finding = diagnostics.push(Diagnostic::new(code, location, message));
    if quotable(mistake, node, expected) {
        finding.safe_fix("put it into quotes", |at| vec![Change::Quote(at.clone())]);
    }
    finding.help = match mistake {
        Mistake::Ambiguous => {
            Some("put it into quotes, or write the number without leading zeros".to_owned())
        }
        Mistake::Type => node.and_then(|node| mended(node, expected)),
        Mistake::Word => Some(choice(node, expected)),
        _ => None,
    };
}

/// Is it a number or a boolean in the place of a text?
fn quotable(mistake: &Mistake, node: Option<&Node>, expected: &Expected<'_>) -> bool {
    let scalar = node.is_some_and(|node| quoted(node).is_some());
    let text = expected.types().contains("string") && expected.words().is_empty();
    *mistake == Mistake::Type && scalar && text && !expected.is_duration()
}

/// What was probably meant by a value of the wrong type.
fn mended(node: &Node, expected: &Expected<'_>) -> Option<String> {
    let types = expected.types();
    match &node.kind {
        NodeKind::Number(number) if expected.is_duration() => {
            Some(format!("add a unit: `{number}s`"))
        }
        NodeKind::Text(text, style) if types.contains("boolean") => {
            let truth = match text.to_lowercase().as_str() {
                "yes" | "on" | "y" | "true" => "true",
                "no" | "off" | "n" | "false" => "false",
                _ => return None,
            };
            Some(match style {
                Style::Plain => format!("`{text}` is a string in YAML 1.2: write `{truth}`"),
                _ => format!("remove the quotes: `{truth}`"),
            })
        }
        NodeKind::Text(text, Style::Quoted)
            if types.contains("integer") && text.parse::<i64>().is_ok() =>
        {
            Some(format!("remove the quotes: `{text}`"))
        }
        NodeKind::Mapping(..) if types.contains("array") => {
            Some("begin each item of the list with `- `".to_owned())
        }
        _ if types.contains("string") => Some(format!("put it into quotes: `{}`", quoted(node)?)),
        _ => None,
    }
}

/// The words to choose from.
fn choice(node: Option<&Node>, expected: &Expected<'_>) -> String {
    let words = expected.words();
    let found = node.and_then(Node::as_str).unwrap_or_default();
    let all = listed(words.iter().copied(), "or");
    let help = match nearest(found, words.iter().copied()) {
        Some(near) if words.len() > 3 => format!("did you mean `{near}`? it must be {all}"),
        _ => format!("it must be {all}"),
    };
    with_stranger(help, found)
}

/// The last field of a pointer, with the index after it: `to[0]`.
fn tail(at: &Pointer) -> String {
    let field = at
        .steps
        .iter()
        .rposition(|step| !matches!(step, Step::Index(_)))
        .unwrap_or(0);
    Pointer {
        steps: at.steps.iter().skip(field).cloned().collect(),
    }
    .dotted()
}

/// Enough of a text to be recognised.
fn shortened(text: &str) -> String {
    match text.char_indices().nth(60) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}
