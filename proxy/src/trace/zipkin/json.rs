//! A span of version 2 in JSON, written in one go: most servers of Zipkin get it.
//!
//! Never writes a list: spans are put between brackets where they are sent.

use std::io::Write as _;

use super::super::b3::digits;
use super::super::span::{Attributes, Span, ZIPKIN};
use super::{Remote, local, times};
use crate::access_log::Record;
use crate::metrics::Direction;

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
    let (started, took) = times(record);
    json.raw(&format!(
        ",\"kind\":\"{kind}\",\"timestamp\":{started},\"duration\":{took},\"name\":"
    ));
    json.quoted(&span.name(record).to_lowercase());
    json.raw(",\"localEndpoint\":{\"serviceName\":");
    json.quoted(local(record));
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
    let Some(Remote { service, address }) = Remote::of(span, record) else {
        return;
    };
    json.raw(",\"remoteEndpoint\":{");
    if let Some(service) = service {
        json.raw("\"serviceName\":");
        json.quoted(service);
    }
    if let Some((ip, port)) = address {
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
