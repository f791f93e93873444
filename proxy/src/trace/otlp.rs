//! A span as OTLP has it.
//!
//! Never writes what stands around it: that is done once for many.

use super::span::{Attributes, OPEN_TELEMETRY, Span};
use crate::access_log::Record;
use crate::metrics::Direction;
use crate::telemetry::wire::Wire;
use crate::telemetry::{attribute, attribute_number, nanos};

/// What most spans fit in.
const USUAL: usize = 768;
const SERVER: u64 = 2;
const CLIENT: u64 = 3;
const ERROR: u64 = 2;
const SAMPLED: u32 = 1;

/// As a field of its scope.
pub(super) fn write(span: &Span, record: &Record) -> Vec<u8> {
    let mut wire = Wire::with_capacity(USUAL);
    let context = &span.context;
    wire.message(2, |own| {
        own.bytes(1, &context.trace_id.to_be_bytes());
        own.bytes(2, &context.span_id.to_be_bytes());
        if let Some(parent) = context.parent {
            own.bytes(4, &parent.to_be_bytes());
        }
        own.text(5, &span.name(record));
        own.uint(
            6,
            match record.direction {
                Direction::Inbound => SERVER,
                Direction::Outbound => CLIENT,
            },
        );
        own.fixed64(7, nanos(record.started));
        own.fixed64(8, nanos(record.started + record.took));
        span.tell(record, &OPEN_TELEMETRY, &mut Own(own));
        if span.error(record).is_some() {
            own.message(15, |status| status.uint(3, ERROR));
        }
        own.fixed32(16, SAMPLED);
    });
    wire.into_bytes()
}

struct Own<'w>(&'w mut Wire);

impl Attributes for Own<'_> {
    fn text(&mut self, name: &str, value: &str) {
        attribute(self.0, 9, name, value);
    }

    fn number(&mut self, name: &str, value: u64) {
        attribute_number(self.0, 9, name, value);
    }
}
