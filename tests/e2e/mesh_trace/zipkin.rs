//! What servers of Zipkin read: every form as if it was JSON of version 2.
//!
//! Never by code of the proxy: the messages are those of `zipkin.proto`.

use std::collections::HashMap;

use hyper::body::Bytes;
use hyper::header::HeaderValue;
use prost::Message;
use serde_json::{Map, Value, json};

use super::hex;

#[derive(Clone, PartialEq, Message)]
struct ListOfSpans {
    #[prost(message, repeated, tag = "1")]
    spans: Vec<Span>,
}

#[derive(Clone, PartialEq, Message)]
struct Span {
    #[prost(bytes = "vec", tag = "1")]
    trace_id: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    parent_id: Vec<u8>,
    #[prost(bytes = "vec", tag = "3")]
    id: Vec<u8>,
    #[prost(int32, tag = "4")]
    kind: i32,
    #[prost(string, tag = "5")]
    name: String,
    #[prost(fixed64, tag = "6")]
    timestamp: u64,
    #[prost(uint64, tag = "7")]
    duration: u64,
    #[prost(message, tag = "8")]
    local_endpoint: Option<Endpoint>,
    #[prost(message, tag = "9")]
    remote_endpoint: Option<Endpoint>,
    #[prost(map = "string, string", tag = "11")]
    tags: HashMap<String, String>,
    #[prost(bool, tag = "13")]
    shared: bool,
}

#[derive(Clone, PartialEq, Message)]
struct Endpoint {
    #[prost(string, tag = "1")]
    service_name: String,
    #[prost(bytes = "vec", tag = "2")]
    ipv4: Vec<u8>,
    #[prost(int32, tag = "4")]
    port: i32,
}

/// Every span of a request of that version.
pub(super) fn spans(version: &str, kind: &HeaderValue, body: &Bytes) -> Vec<Value> {
    if version == "httpProto" {
        assert_eq!(kind, "application/x-protobuf");
        let list = ListOfSpans::decode(body.clone()).expect("a list");
        return list.spans.iter().map(of_proto).collect();
    }
    assert_eq!(kind, "application/json");
    let list = serde_json::from_slice::<Vec<Value>>(body).expect("a list");
    match version {
        "httpJsonV1" => list.iter().map(of_version_1).collect(),
        _ => list,
    }
}

fn of_proto(span: &Span) -> Value {
    let endpoint = |end: &Option<Endpoint>| {
        let end = end.clone().unwrap_or_default();
        let ipv4 = end.ipv4.iter().map(u8::to_string).collect::<Vec<_>>();
        json!({"serviceName": end.service_name, "ipv4": ipv4.join("."), "port": end.port})
    };
    let kind = match span.kind {
        1 => "CLIENT",
        2 => "SERVER",
        _ => panic!("{span:?}"),
    };
    json!({
        "traceId": hex(&span.trace_id),
        "parentId": hex(&span.parent_id),
        "id": hex(&span.id),
        "kind": kind,
        "name": span.name,
        "timestamp": span.timestamp,
        "duration": span.duration,
        "localEndpoint": endpoint(&span.local_endpoint),
        "remoteEndpoint": endpoint(&span.remote_endpoint),
        "tags": span.tags,
        "shared": if span.shared { true.into() } else { Value::Null },
    })
}

fn of_version_1(span: &Value) -> Value {
    let annotations = span["annotations"].as_array().expect("annotations");
    let [begin, end] = &**annotations else {
        panic!("{span}")
    };
    let kind = match (begin["value"].as_str(), end["value"].as_str()) {
        (Some("cs"), Some("cr")) => "CLIENT",
        (Some("sr"), Some("ss")) => "SERVER",
        _ => panic!("{span}"),
    };
    let at = |annotation: &Value| annotation["timestamp"].as_u64().expect("a time");
    let took = at(end) - at(begin);
    let (mut tags, mut remote) = (Map::new(), Value::Null);
    for pair in span["binaryAnnotations"].as_array().expect("tags") {
        let key = pair["key"].as_str().expect("a key");
        if ["sa", "ca"].contains(&key) {
            assert_eq!(
                (&pair["value"], key == "sa"),
                (&true.into(), kind == "CLIENT")
            );
            remote = pair["endpoint"].clone();
        } else {
            assert_eq!(pair["endpoint"], begin["endpoint"], "{span}");
            tags.insert(key.to_owned(), pair["value"].clone());
        }
    }
    // Who shares a span leaves its times to the other.
    let shared = span["timestamp"].is_null() && span["duration"].is_null();
    if !shared {
        assert_eq!(span["timestamp"], at(begin), "{span}");
        assert_eq!(span["duration"], took, "{span}");
    }
    json!({
        "traceId": span["traceId"],
        "parentId": span["parentId"],
        "id": span["id"],
        "kind": kind,
        "name": span["name"],
        "timestamp": at(begin),
        "duration": took,
        "localEndpoint": begin["endpoint"],
        "remoteEndpoint": remote,
        "tags": tags,
        "shared": if shared { true.into() } else { Value::Null },
    })
}
