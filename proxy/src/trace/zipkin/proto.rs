//! A span of version 2 in protobuf (`zipkin.proto`).
//!
//! Never writes a list: spans stand beside each other in one.

use super::super::span::{Attributes, Span, ZIPKIN};
use super::{Remote, local, times};
use crate::access_log::Record;
use crate::metrics::Direction;
use crate::telemetry::wire::Wire;

/// What most spans fit in.
const USUAL: usize = 768;
const CLIENT: u64 = 1;
const SERVER: u64 = 2;

/// As a field of its list.
pub(super) fn write(span: &Span, record: &Record) -> Vec<u8> {
    let mut wire = Wire::with_capacity(USUAL);
    let context = &span.context;
    let (started, took) = times(record);
    wire.message(1, |own| {
        let trace_id = context.trace_id.to_be_bytes();
        // As long as it is: 8 bytes or 16.
        own.bytes(
            1,
            match trace_id {
                [0, 0, 0, 0, 0, 0, 0, 0, ..] => &trace_id[8..],
                _ => &trace_id,
            },
        );
        if let Some(parent) = context.parent {
            own.bytes(2, &parent.to_be_bytes());
        }
        own.bytes(3, &context.span_id.to_be_bytes());
        own.uint(
            4,
            match record.direction {
                Direction::Inbound => SERVER,
                Direction::Outbound => CLIENT,
            },
        );
        own.text(5, &span.name(record).to_lowercase());
        own.fixed64(6, started);
        own.uint(7, took);
        own.message(8, |end| end.text(1, local(record)));
        if let Some(remote) = Remote::of(span, record) {
            own.message(9, |end| endpoint(end, &remote));
        }
        span.tell(record, &ZIPKIN, &mut Tags(own));
        if context.is_shared {
            own.flag(13, true);
        }
    });
    wire.into_bytes()
}

fn endpoint(end: &mut Wire, remote: &Remote<'_>) {
    use std::net::IpAddr;
    if let Some(service) = remote.service {
        end.text(1, service);
    }
    if let Some((ip, port)) = remote.address {
        match ip {
            IpAddr::V4(ip) => end.bytes(2, &ip.octets()),
            IpAddr::V6(ip) => end.bytes(3, &ip.octets()),
        }
        end.uint(4, port.into());
    }
}

struct Tags<'w>(&'w mut Wire);

impl Attributes for Tags<'_> {
    fn text(&mut self, name: &str, value: &str) {
        self.0.message(11, |pair| {
            pair.text(1, name);
            pair.text(2, value);
        });
    }

    fn number(&mut self, name: &str, value: u64) {
        self.text(name, &value.to_string());
    }
}
