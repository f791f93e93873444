//! Spans as servers of Zipkin take them: JSON and protobuf of version 2, JSON of version 1.
//!
//! Never writes a number where Zipkin wants a text: all of its tags are texts.

mod json;
mod json_v1;
mod proto;

use std::net::IpAddr;

use mesh_bundle::resource::ZipkinVersion;

use super::span::{Span, other_end};
use crate::access_log::Record;
use crate::metrics::Direction;
use crate::telemetry::{Envelope, nanos};

/// One span.
pub(super) fn write(version: ZipkinVersion, span: &Span, record: &Record) -> Vec<u8> {
    match version {
        ZipkinVersion::HttpJson => json::write(span, record),
        ZipkinVersion::HttpJsonV1 => json_v1::write(span, record),
        ZipkinVersion::HttpProto => proto::write(span, record),
    }
}

/// What makes a list of spans, and what that is.
pub(crate) fn list(version: ZipkinVersion) -> (Envelope, &'static str) {
    let between = |begin, between, end| Envelope::List {
        begin,
        between,
        end,
    };
    match version {
        ZipkinVersion::HttpJson | ZipkinVersion::HttpJsonV1 => {
            (between("[", ",", "]"), "application/json")
        }
        // A span is a field of the list, with its tag before it.
        ZipkinVersion::HttpProto => (between("", "", ""), "application/x-protobuf"),
    }
}

/// Since 1970, and how long, in microseconds; what took less than one took one.
fn times(record: &Record) -> (u64, u64) {
    let took = u64::try_from(record.took.as_micros()).unwrap_or(u64::MAX);
    (nanos(record.started) / 1_000, took.max(1))
}

/// The service whose proxy tells.
fn local(record: &Record) -> &str {
    let home = &record.home;
    home.workload.as_deref().unwrap_or(&home.proxy)
}

/// The other end.
struct Remote<'r> {
    service: Option<&'r str>,
    address: Option<(IpAddr, u16)>,
}

impl<'r> Remote<'r> {
    /// `None`: nothing is known of it.
    fn of(span: &Span, record: &'r Record) -> Option<Self> {
        let service = match record.direction {
            Direction::Inbound => record.peer.as_deref(),
            Direction::Outbound => span.service(record),
        };
        let address = other_end(record);
        let known = service.is_some() || address.is_some();
        known.then_some(Self { service, address })
    }
}
