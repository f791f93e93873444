//! The body of a document against the JSON Schema of its kind: unknown fields, wrong types, words out of a list.
//!
//! Never passes on what the validator says: findings are in our words, with the schema asked for what was expected. One
//! mistake gives one finding.

mod expected;
mod number;
mod words;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{LazyLock, OnceLock};

use jsonschema::Validator;
use jsonschema::error::ValidationErrorKind as E;
use serde_json::Value;

use crate::diag::{Code, Diagnostic, Diagnostics, Pointer, Step};
use crate::envelope::Draft;
use crate::kinds::{KINDS, KindInfo};

use expected::Expected;

/// The schema of a kind, ready for use.
struct Prepared {
    schema: Value,
    validator: Option<Validator>,
}

/// What was refused, relative to the body: later stages say nothing about it.
#[derive(Debug, Default)]
pub(crate) struct Refused {
    /// Values.
    pub(crate) values: Vec<Pointer>,
    /// Fields that do not exist, each probably meant for one that is missing now.
    pub(crate) unknown: Vec<Pointer>,
}

/// Checks a body.
pub(crate) fn check(draft: &Draft<'_>, diagnostics: &mut Diagnostics) -> Refused {
    if draft.bodiless {
        return Refused {
            values: vec![Pointer::default()],
            unknown: Vec::new(),
        };
    }
    let prepared = prepared(draft.kind);
    let mut worst: BTreeMap<Pointer, Mistake> = BTreeMap::new();
    let mut unknown = BTreeSet::new();
    let validator = prepared.and_then(|prepared| prepared.validator.as_ref());
    let errors = validator.map(|validator| validator.iter_errors(&draft.body));
    for error in errors.into_iter().flatten() {
        let at = pointer(&draft.body, error.instance_path().as_str());
        if let E::AdditionalProperties { unexpected } = error.kind() {
            unknown.extend(unexpected.iter().map(|name| at.field(name)));
            continue;
        }
        // A null is an absent field (language 2.7).
        let in_mapping = matches!(at.steps.last(), Some(Step::Field(_)));
        if error.instance().is_null() && in_mapping {
            continue;
        }
        let mistake = Mistake::of(error.kind());
        worst
            .entry(at)
            .and_modify(|known| *known = (*known).clone().min(mistake.clone()))
            .or_insert(mistake);
    }
    let schema = prepared.map_or(&Value::Null, |prepared| &prepared.schema);
    worst.extend(number::mistakes(draft, schema));
    let below = |at: &Pointer| {
        let above = |depth| at.steps.iter().take(depth).cloned().collect();
        (0..=at.steps.len()).any(|depth| {
            unknown.contains(&Pointer {
                steps: above(depth),
            })
        })
    };
    worst.retain(|at, _| !below(at));
    // Looking each of many up takes long.
    for at in &unknown {
        if diagnostics.are_enough() {
            break;
        }
        words::unknown_field(draft, schema, at, diagnostics);
    }
    for (at, mistake) in &worst {
        if diagnostics.are_enough() {
            break;
        }
        let expected = Expected::at(schema, at);
        words::mistake(draft, &expected, at, mistake, diagnostics);
    }
    Refused {
        values: worst.into_keys().collect(),
        unknown: unknown.into_iter().collect(),
    }
}

/// What can be wrong with one value, the one to tell first.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Mistake {
    /// A number that readers of YAML disagree about.
    Ambiguous,
    Type,
    /// Not one of the listed words.
    Word,
    Missing(String),
    AtLeast(String),
    AtMost(String),
    Empty,
    TooMany(u64),
    Form,
}

impl Mistake {
    fn of(kind: &E) -> Self {
        match kind {
            E::Type { .. } | E::AnyOf { .. } | E::OneOfNotValid { .. } => Self::Type,
            E::Enum { .. } | E::Constant { .. } => Self::Word,
            E::Required { property } => {
                Self::Missing(property.as_str().unwrap_or_default().to_owned())
            }
            E::Minimum { limit } => Self::AtLeast(limit.to_string()),
            E::Maximum { limit } => Self::AtMost(limit.to_string()),
            E::MinItems { .. } | E::MinLength { .. } | E::MinProperties { .. } => Self::Empty,
            E::MaxItems { limit } | E::MaxLength { limit } | E::MaxProperties { limit } => {
                Self::TooMany(*limit)
            }
            _ => Self::Form,
        }
    }
}

impl Refused {
    /// Whether a later finding about something missing only repeats an earlier one: what is missing may be what was
    /// misspelt.
    pub(crate) fn explains(&self, finding: &Diagnostic, body: &Pointer) -> bool {
        let at = &finding.at.pointer.steps;
        let meant = |unknown: &Pointer| {
            let (depth, base) = (unknown.steps.len(), &body.steps);
            let around = unknown.steps.iter().take(depth.saturating_sub(1));
            let around = base.iter().chain(around);
            let inside = at.iter().zip(around.clone()).all(|(a, b)| a == b);
            let length = around.count();
            inside && (at.len() == length || at.len() == length + 1)
        };
        finding.code == Code::MISSING_FIELD && self.unknown.iter().any(meant)
    }
}

/// Each kind is prepared once in a process.
fn prepared(kind: &KindInfo) -> Option<&'static Prepared> {
    static PREPARED: LazyLock<BTreeMap<&str, OnceLock<Prepared>>> = LazyLock::new(|| {
        let cell = |kind: &&KindInfo| (kind.name, OnceLock::new());
        KINDS.iter().map(cell).collect()
    });
    let cell = PREPARED.get(kind.name)?;
    Some(cell.get_or_init(|| {
        let schema = (kind.schema)();
        let validator = jsonschema::draft7::new(&schema).ok();
        Prepared { schema, validator }
    }))
}

/// RFC 6901 text to steps; the document says what is an index.
fn pointer(body: &Value, text: &str) -> Pointer {
    let mut pointer = Pointer::default();
    let mut value = Some(body);
    for token in text.split('/').skip(1) {
        let name = token.replace("~1", "/").replace("~0", "~");
        let index = name.parse::<usize>().ok();
        (pointer, value) = match (value, index) {
            (Some(Value::Array(items)), Some(index)) => (pointer.index(index), items.get(index)),
            (value, _) => {
                let inner = value.and_then(|value| value.get(&name));
                (pointer.field(name), inner)
            }
        };
    }
    pointer
}
