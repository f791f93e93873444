//! A record as a log record of OTLP: its attributes and its body are what a `MeshAccessLog` says.
//!
//! Never writes an attribute that has no value: absence is how OTLP says that.

use mesh_bundle::resource::{LogField, LogFormat, LogTemplate};
use serde_json::Value as Json;

use super::record::Record;
use super::value::{NOTHING, json, line};
use crate::telemetry::nanos;
use crate::telemetry::wire::Wire;
use crate::trace::Span;

/// What most records fit in.
const USUAL: usize = 512;
/// `SEVERITY_NUMBER_INFO`.
const INFO: u64 = 9;
/// That a trace is sampled, of `flags`.
const SAMPLED: u32 = 1;

/// How a record is written.
#[derive(Debug)]
pub(super) struct Layout {
    pub(super) attributes: Vec<LogField>,
    pub(super) body: Option<LogTemplate>,
    /// The body where there is no other.
    pub(super) otherwise: LogFormat,
}

/// Field 2 of a scope: the record, and the trace that it belongs to where its request is followed.
pub(super) fn write(layout: &Layout, record: &Record, span: Option<&Span>) -> Vec<u8> {
    let mut wire = Wire::with_capacity(USUAL);
    let ended = record.started.checked_add(record.took);
    wire.message(2, |own| {
        own.fixed64(1, nanos(record.started));
        own.fixed64(11, nanos(ended.unwrap_or(record.started)));
        own.uint(2, INFO);
        own.text(3, "INFO");
        own.message(5, |any| match &layout.body {
            Some(body) => template(any, body, record),
            None => any.text(1, line(&layout.otherwise, record).trim_end()),
        });
        for LogField { key, value } in &layout.attributes {
            let said = json(value, record, NOTHING);
            if said.is_null() {
                continue;
            }
            own.message(6, |pair| {
                pair.text(1, key);
                pair.message(2, |any| scalar(any, &said));
            });
        }
        if let Some((trace_id, span_id)) = span.map(Span::ids) {
            own.fixed32(8, SAMPLED);
            own.bytes(9, &trace_id.to_be_bytes());
            own.bytes(10, &span_id.to_be_bytes());
        }
    });
    wire.into_bytes()
}

/// A value of any shape. A text that is one operator keeps the sort of its value, as in an attribute.
fn template(any: &mut Wire, value: &LogTemplate, record: &Record) {
    match value {
        LogTemplate::Text(segments) => scalar(any, &json(segments, record, NOTHING)),
        LogTemplate::Bool(flag) => any.flag(2, *flag),
        LogTemplate::Number(number) => match number.parse::<serde_json::Number>() {
            Ok(number) => scalar(any, &Json::Number(number)),
            Err(_) => any.text(1, number),
        },
        LogTemplate::List(list) => any.message(5, |array| {
            for element in list {
                array.message(1, |any| template(any, element, record));
            }
        }),
        LogTemplate::Object(fields) => any.message(6, |object| {
            for (key, value) in fields {
                object.message(1, |pair| {
                    pair.text(1, key);
                    pair.message(2, |any| template(any, value, record));
                });
            }
        }),
    }
}

fn scalar(any: &mut Wire, value: &Json) {
    match value {
        // A value without a field is the empty one.
        Json::Null => {}
        Json::Bool(flag) => any.flag(2, *flag),
        // A number below 0 is written as its two's complement, as protobuf has it.
        Json::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(whole), _) => any.uint(3, whole.cast_unsigned()),
            (None, Some(float)) => any.double(4, float),
            (None, None) => any.text(1, &number.to_string()),
        },
        Json::String(said) => any.text(1, said),
        Json::Array(_) | Json::Object(_) => any.text(1, &value.to_string()),
    }
}
