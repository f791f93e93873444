//! The headers of Zipkin: `b3`, and the `x-b3-…` that say the same in several.
//!
//! Never leaves an old value beside a new one: where a client sent the short form, that is written anew too.

use http::{HeaderMap, HeaderName, HeaderValue};

use super::{Context, Incoming, from_hex, to_hex};

const SINGLE: HeaderName = HeaderName::from_static("b3");
const TRACE: HeaderName = HeaderName::from_static("x-b3-traceid");
const SPAN: HeaderName = HeaderName::from_static("x-b3-spanid");
const PARENT: HeaderName = HeaderName::from_static("x-b3-parentspanid");
const SAMPLED: HeaderName = HeaderName::from_static("x-b3-sampled");
const FLAGS: HeaderName = HeaderName::from_static("x-b3-flags");

/// What came, and whether it is to be followed, which can be said without anything else.
pub(super) fn extract(headers: &HeaderMap) -> (Option<Incoming>, Option<bool>) {
    if let Some(single) = headers.get(SINGLE) {
        return short(single.as_bytes());
    }
    let get = |name: HeaderName| headers.get(name).map(HeaderValue::as_bytes);
    let sampled = match get(FLAGS) {
        Some(b"1") => Some(true),
        _ => decision(get(SAMPLED).unwrap_or_default()),
    };
    let parent = get(PARENT).and_then(span);
    let ids = get(TRACE).and_then(trace).zip(get(SPAN).and_then(span));
    (ids.map(|ids| incoming(ids, parent, sampled)), sampled)
}

/// `trace-span-decision-parent`, or the decision alone.
fn short(value: &[u8]) -> (Option<Incoming>, Option<bool>) {
    let mut parts = value.split(|byte| *byte == b'-');
    let first = parts.next().unwrap_or_default();
    let Some(id) = parts.next() else {
        return (None, decision(first));
    };
    let sampled = parts.next().and_then(decision);
    let parent = parts.next().and_then(span);
    let ids = trace(first).zip(span(id));
    (ids.map(|ids| incoming(ids, parent, sampled)), sampled)
}

fn incoming(
    (trace_id, parent): (u128, u64),
    grandparent: Option<u64>,
    sampled: Option<bool>,
) -> Incoming {
    Incoming {
        trace_id,
        parent,
        grandparent,
        sampled,
    }
}

fn decision(text: &[u8]) -> Option<bool> {
    match text {
        b"1" | b"d" | b"true" => Some(true),
        b"0" | b"false" => Some(false),
        _ => None,
    }
}

fn trace(text: &[u8]) -> Option<u128> {
    let id = from_hex(text).filter(|_| matches!(text.len(), 16 | 32));
    id.filter(|id| *id != 0)
}

fn span(text: &[u8]) -> Option<u64> {
    let id = from_hex(text).filter(|_| text.len() == 16)?;
    u64::try_from(id).ok().filter(|id| *id != 0)
}

pub(super) fn inject(context: &Context, headers: &mut HeaderMap) {
    let was_short = headers.remove(SINGLE).is_some();
    headers.remove(FLAGS);
    let mut room = [0; 32];
    let mut set = |name: HeaderName, number: u128, digits: usize| {
        let Some(room) = room.get_mut(..digits) else {
            return;
        };
        to_hex(number, room);
        if let Ok(value) = HeaderValue::from_bytes(room) {
            headers.insert(name, value);
        }
    };
    set(TRACE, context.trace_id, digits(context.trace_id));
    set(SPAN, context.span_id.into(), 16);
    if let Some(parent) = context.parent.filter(|_| context.sampled) {
        set(PARENT, parent.into(), 16);
    } else if context.sampled {
        headers.remove(PARENT);
    }
    let decision = if context.sampled { "1" } else { "0" };
    headers.insert(SAMPLED, HeaderValue::from_static(decision));
    if was_short {
        let (trace_id, width) = (context.trace_id, digits(context.trace_id));
        let parent = context.parent.map(|parent| format!("-{parent:016x}"));
        let short = format!(
            "{trace_id:0width$x}-{:016x}-{decision}{}",
            context.span_id,
            parent.unwrap_or_default()
        );
        if let Ok(value) = HeaderValue::try_from(short) {
            headers.insert(SINGLE, value);
        }
    }
}

/// Of the ID of a trace: a short one stays short.
pub(super) fn digits(trace_id: u128) -> usize {
    if trace_id >> 64 == 0 { 16 } else { 32 }
}
