//! A span as Zipkin has it: version 2, JSON.
//!
//! Never writes a number where Zipkin wants a text: all of its tags are texts.

use std::io::Write as _;

use super::b3::digits;
use super::span::{Attributes, Span, ZIPKIN, other_end};
use crate::access_log::Record;
use crate::metrics::Direction;
use crate::telemetry::nanos;

/// What most spans fit in.
const USUAL: usize = 1024;

/// An element of the list that is sent.
pub(super) fn write(span: &Span, record: &Record) -> Vec<u8> {
    let mut json = Json(Vec::with_capacity(USUAL));
    let context = &span.context;
    let width = digits(context.trace_id);
    json.raw(&format!(
        "{{\"traceId\":\"{:0width$x}\",\"id\":\"{:016x}\"",
        context.trace_id, context.span_id
    ));
    if let Some(parent) = context.parent {
        json.raw(&format!(",\"parentId\":\"{parent:016x}\""));
    }
    if context.is_shared {
        json.raw(",\"shared\":true");
    }
    let kind = match record.direction {
        Direction::Inbound => "SERVER",
        Direction::Outbound => "CLIENT",
    };
    // Microseconds; what took less than one took one.
    let took = record.took.as_micros().max(1);
    json.raw(&format!(
        ",\"kind\":\"{kind}\",\"timestamp\":{},\"duration\":{took},\"name\":",
        nanos(record.started) / 1_000
    ));
    json.quoted(&span.name(record).to_lowercase());
    let home = &record.home;
    json.raw(",\"localEndpoint\":{\"serviceName\":");
    json.quoted(home.workload.as_deref().unwrap_or(&home.proxy));
    json.raw("}");
    remote(span, record, &mut json);
    json.raw(",\"tags\":{");
    span.tell(
        record,
        &ZIPKIN,
        &mut Tags {
            json: &mut json,
            any: false,
        },
    );
    json.raw("}}");
    json.0
}

fn remote(span: &Span, record: &Record, json: &mut Json) {
    let service = match record.direction {
        Direction::Inbound => record.peer.as_deref(),
        Direction::Outbound => span.service(record),
    };
    let end = other_end(record);
    if service.is_none() && end.is_none() {
        return;
    }
    json.raw(",\"remoteEndpoint\":{");
    if let Some(service) = service {
        json.raw("\"serviceName\":");
        json.quoted(service);
    }
    if let Some((ip, port)) = end {
        let comma = if service.is_some() { "," } else { "" };
        let family = if ip.is_ipv4() { "ipv4" } else { "ipv6" };
        json.raw(&format!("{comma}\"{family}\":\"{ip}\",\"port\":{port}"));
    }
    json.raw("}");
}

struct Json(Vec<u8>);

impl Json {
    fn raw(&mut self, text: &str) {
        self.0.extend_from_slice(text.as_bytes());
    }

    fn quoted(&mut self, text: &str) {
        // Writing a text to memory cannot fail.
        let _ = serde_json::to_writer(&mut self.0, text);
    }
}

struct Tags<'j> {
    json: &'j mut Json,
    any: bool,
}

impl Tags<'_> {
    fn name(&mut self, name: &str) {
        if std::mem::replace(&mut self.any, true) {
            self.json.raw(",");
        }
        self.json.quoted(name);
        self.json.raw(":");
    }
}

impl Attributes for Tags<'_> {
    fn text(&mut self, name: &str, value: &str) {
        self.name(name);
        self.json.quoted(value);
    }

    fn number(&mut self, name: &str, value: u64) {
        self.name(name);
        // Writing to memory cannot fail.
        let _ = write!(self.json.0, "\"{value}\"");
    }
}
