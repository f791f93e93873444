//! From the body of a document to its typed and checked form.
//!
//! Never stops at the first mistake: what cannot be read is reported, left out, and the rest is read.

use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_path_to_error::Segment;

use crate::diag::{Code, Diagnostics, Pointer, Step};
use crate::json::Json;
use crate::model::Meta;

use super::{Check, KindInfo, Resource};

/// A document with more unreadable places than this is not worth more messages.
const MOST_UNREADABLE: usize = 100;

/// Types and checks the body of a document. `raw` is the body as it was written, nulls included, without the keys of the
/// envelope; `refused` are the places in it that the schema stage has reported, unknown fields excepted (those are
/// ignored here). The envelope alone where nothing of it can be read.
#[expect(
    clippy::result_large_err,
    reason = "once for each document, and both are moved on: a box would cost an allocation for each"
)]
pub(crate) fn read(
    kind: &KindInfo,
    meta: Meta,
    raw: Value,
    refused: &[Pointer],
    diagnostics: &mut Diagnostics,
) -> Result<Resource, Meta> {
    // Most documents have neither nulls nor mistakes: then one tree does for all three.
    let body = has_null(&raw).then(|| without_nulls(&raw));
    let mut left_out = Vec::new();
    let readable = (!refused.is_empty()).then(|| {
        let mut readable = body.as_ref().unwrap_or(&raw).clone();
        for pointer in refused {
            left_out.push(remove(&mut readable, pointer));
        }
        readable
    });
    let mut check = Check::new(&meta, &raw, left_out);
    let spec = (kind.parse)(
        readable.as_ref().or(body.as_ref()).unwrap_or(&raw),
        &mut check,
    );
    check.finish(diagnostics);
    match spec {
        Some(spec) => Ok(Resource {
            meta: Arc::new(meta),
            spec,
            body: match kind.is_policy {
                true => body.unwrap_or(raw).into(),
                false => Json::Null,
            },
        }),
        None => Err(meta),
    }
}

/// What can be read of a body; the rest is reported.
pub(super) fn typed<T: DeserializeOwned>(body: &Value, check: &mut Check<'_>) -> Option<T> {
    // The way to a mistake costs as much as reading, and most documents have none.
    if let Ok(typed) = T::deserialize(body) {
        return Some(typed);
    }
    let mut readable = body.clone();
    for _ in 0..MOST_UNREADABLE {
        let error = match serde_path_to_error::deserialize(&readable) {
            Ok(typed) => return Some(typed),
            Err(error) => error,
        };
        let steps = error.path().iter().filter_map(|segment| match segment {
            Segment::Seq { index } => Some(Step::Index(*index)),
            Segment::Map { key } => Some(Step::Field(key.clone())),
            Segment::Enum { .. } | Segment::Unknown => None,
        });
        let at = Pointer {
            steps: steps.collect(),
        };
        check.error(Code::INVALID_VALUE, &at, error.inner().to_string());
        if at.steps.is_empty() {
            return None;
        }
        let left_out = remove(&mut readable, &at);
        check.refuse(left_out);
    }
    None
}

fn has_null(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Object(fields) => fields.values().any(has_null),
        Value::Array(items) => items.iter().any(has_null),
        Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

/// A null equals an absent field, everywhere (language 2.7).
pub(super) fn without_nulls(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let fields = fields.iter().filter(|(_, value)| !value.is_null());
            fields
                .map(|(key, value)| (key.clone(), without_nulls(value)))
                .collect()
        }
        Value::Array(items) => items.iter().map(without_nulls).collect(),
        value => value.clone(),
    }
}

/// Takes a place out of a document, and says what was taken out: never an item of a sequence alone, since that would
/// renumber the others.
fn remove(value: &mut Value, at: &Pointer) -> Pointer {
    let fields = at
        .steps
        .iter()
        .rposition(|step| matches!(step, Step::Field(_)));
    let Some(last) = fields else {
        *value = Value::Null;
        return Pointer::default();
    };
    let steps: Vec<Step> = at.steps.iter().take(last + 1).cloned().collect();
    let mut inner = Some(value);
    for step in steps.iter().take(last) {
        inner = match step {
            Step::Field(name) | Step::Again(name) => inner.and_then(|value| value.get_mut(name)),
            Step::Index(index) => inner.and_then(|value| value.get_mut(*index)),
            Step::Comment(_) => None,
        };
    }
    if let (Some(Value::Object(fields)), Some(Step::Field(name))) = (inner, steps.last()) {
        fields.remove(name);
    }
    Pointer { steps }
}
