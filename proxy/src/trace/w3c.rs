//! `traceparent` (W3C Trace Context, level 1).
//!
//! Never touches `tracestate`: it is of whoever began, and goes on as it came.

use http::{HeaderMap, HeaderName, HeaderValue};

use super::{Context, Incoming, from_hex, to_hex};

const NAME: HeaderName = HeaderName::from_static("traceparent");
const LENGTH: usize = 55;

/// `version-trace_id-parent_id-flags`. What is not well-formed, or there twice, is as if it were not there.
pub(super) fn extract(headers: &HeaderMap) -> Option<Incoming> {
    let mut values = headers.get_all(NAME).iter();
    let (value, None) = (values.next()?.as_bytes(), values.next()) else {
        return None;
    };
    let part = |from: usize, to: usize| value.get(from..to).and_then(from_hex);
    let dash = |at: usize| value.get(at) == Some(&b'-');
    let version = part(0, 2)?;
    let ends = match version {
        0 => value.len() == LENGTH,
        // A later version may say more, after what this one says.
        1..0xFF => value.len() == LENGTH || dash(LENGTH),
        _ => false,
    };
    if !ends || !dash(2) || !dash(35) || !dash(52) {
        return None;
    }
    let (trace_id, parent) = (part(3, 35)?, u64::try_from(part(36, 52)?).ok()?);
    (trace_id != 0 && parent != 0).then_some(Incoming {
        trace_id,
        parent,
        grandparent: None,
        sampled: Some(part(53, 55)? & 1 == 1),
    })
}

pub(super) fn inject(context: &Context, headers: &mut HeaderMap) {
    let mut value = *b"00-00000000000000000000000000000000-0000000000000000-00";
    if let Some(room) = value.get_mut(3..35) {
        to_hex(context.trace_id, room);
    }
    if let Some(room) = value.get_mut(36..52) {
        to_hex(context.span_id.into(), room);
    }
    if let (true, Some(last)) = (context.sampled, value.last_mut()) {
        *last = b'1';
    }
    if let Ok(value) = HeaderValue::from_bytes(&value) {
        headers.insert(NAME, value);
    }
}
