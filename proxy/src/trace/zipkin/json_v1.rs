//! A span of version 1 in JSON: its ends are annotations, and its tags have a place.
//!
//! Never claims the times of a span that it shares: they are those of the client.

use serde_json::{Map, Value, json};

use super::super::b3::digits;
use super::super::span::{Attributes, Span, ZIPKIN};
use super::{Remote, local, times};
use crate::access_log::Record;
use crate::metrics::Direction;

/// An element of the list that is sent.
pub(super) fn write(span: &Span, record: &Record) -> Vec<u8> {
    let context = &span.context;
    let width = digits(context.trace_id);
    let (started, took) = times(record);
    let (begin, end, other) = match record.direction {
        Direction::Inbound => ("sr", "ss", "ca"),
        Direction::Outbound => ("cs", "cr", "sa"),
    };
    let own = json!({"serviceName": local(record)});
    let at = |timestamp: u64, value: &str| json!({"timestamp": timestamp, "value": value, "endpoint": own});
    let mut tags = Tags {
        place: &own,
        list: Vec::new(),
    };
    span.tell(record, &ZIPKIN, &mut tags);
    let mut list = tags.list;
    if let Some(remote) = Remote::of(span, record) {
        list.push(json!({"key": other, "value": true, "endpoint": endpoint(&remote)}));
    }
    let parent = context.parent.map(|parent| format!("{parent:016x}"));
    let own_times = (!context.is_shared).then_some((started, took));
    let known = [
        (
            "traceId",
            Some(format!("{:0width$x}", context.trace_id).into()),
        ),
        ("id", Some(format!("{:016x}", context.span_id).into())),
        ("parentId", parent.map(Value::from)),
        ("name", Some(span.name(record).to_lowercase().into())),
        ("timestamp", own_times.map(|(started, _)| started.into())),
        ("duration", own_times.map(|(_, took)| took.into())),
        (
            "annotations",
            Some(json!([
                at(started, begin),
                at(started.saturating_add(took), end)
            ])),
        ),
        ("binaryAnnotations", Some(list.into())),
    ];
    let known = known.into_iter();
    let fields: Map<String, Value> = known
        .filter_map(|(name, value)| Some((name.to_owned(), value?)))
        .collect();
    Value::from(fields).to_string().into_bytes()
}

fn endpoint(remote: &Remote<'_>) -> Value {
    let mut fields = Map::new();
    if let Some(service) = remote.service {
        fields.insert("serviceName".to_owned(), service.into());
    }
    if let Some((ip, port)) = remote.address {
        let family = if ip.is_ipv4() { "ipv4" } else { "ipv6" };
        fields.insert(family.to_owned(), ip.to_string().into());
        fields.insert("port".to_owned(), port.into());
    }
    fields.into()
}

struct Tags<'e> {
    place: &'e Value,
    list: Vec<Value>,
}

impl Attributes for Tags<'_> {
    fn text(&mut self, name: &str, value: &str) {
        let place = self.place;
        self.list
            .push(json!({"key": name, "value": value, "endpoint": place}));
    }

    fn number(&mut self, name: &str, value: u64) {
        self.text(name, &value.to_string());
    }
}
