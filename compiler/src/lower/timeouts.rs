//! Timeouts, each with what set it (language 5.3).
//!
//! Never leaves one open: what no policy sets has its built-in value.

use mesh_bundle::resource::Timeouts;
use mesh_bundle::{Duration, Sourced};
use serde_json::Value;

use crate::policy::merge::Merged;
use crate::provenance::Notes;
use crate::repository::Lines;

/// The effective timeouts of a merged conf; what they overrode goes to `notes`, under `place`.
pub(super) fn timeouts(
    merged: &Merged,
    lines: Lines<'_>,
    place: &str,
    notes: &mut Notes,
) -> Timeouts {
    let built_in = Timeouts::default();
    let mut get = |path: &[&str], name: &str, fallback: Sourced<Duration>| {
        timeout(merged, path, lines, &format!("{place}/{name}"), notes).unwrap_or(fallback)
    };
    Timeouts {
        connect: get(&["connectionTimeout"], "connect", built_in.connect),
        idle: get(&["idleTimeout"], "idle", built_in.idle),
        request: get(&["http", "requestTimeout"], "request", built_in.request),
        stream_idle: get(
            &["http", "streamIdleTimeout"],
            "streamIdle",
            built_in.stream_idle,
        ),
        max_stream: get(
            &["http", "maxStreamDuration"],
            "maxStream",
            built_in.max_stream,
        ),
        max_connection: get(
            &["http", "maxConnectionDuration"],
            "maxConnection",
            built_in.max_connection,
        ),
        request_headers: get(
            &["http", "requestHeadersTimeout"],
            "requestHeaders",
            built_in.request_headers,
        ),
    }
}

/// One effective timeout, where a policy sets it.
pub(super) fn timeout(
    merged: &Merged,
    path: &[&str],
    lines: Lines<'_>,
    place: &str,
    notes: &mut Notes,
) -> Option<Sourced<Duration>> {
    let value = duration(merged.leaf(path)?)?;
    let setting = merged.setting(path)?;
    notes.record(place, (merged.leaf(path)?, setting), lines, |value| {
        duration(value).map_or_else(String::new, words)
    });
    let origin = Some(lines.source(&setting.by));
    Some(Sourced { value, origin })
}

/// A timeout as people say it.
pub(crate) fn words(timeout: Duration) -> String {
    match timeout.is_zero() {
        true => "off".to_owned(),
        false => timeout.to_string(),
    }
}

fn duration(value: &Value) -> Option<Duration> {
    match value {
        Value::String(text) => text.parse().ok(),
        Value::Number(number) => number.to_string().parse().ok(),
        _ => None,
    }
}
