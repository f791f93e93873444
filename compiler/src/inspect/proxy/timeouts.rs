//! How long things may take, on a page.
//!
//! Never shows a limit that is off by nature: only where a policy sets it.

use mesh_bundle::resource::{Protocol, Timeouts};
use mesh_bundle::{Duration, Key, Sourced};

use crate::lower::leaf::words as timeout_words;

use super::Telling;

impl Telling<'_> {
    /// The timeouts that have a meaning for a protocol.
    pub(in crate::inspect) fn timeouts(
        &mut self,
        timeouts: &Timeouts,
        protocol: Protocol,
        connect: Option<&str>,
        key: &Key,
        place: &str,
    ) {
        for (name, field, value) in rows(timeouts, protocol, connect) {
            self.timeout(1, name, value, key, &format!("{place}/{field}"));
        }
    }

    /// A timeout, what set it, and what that overrode.
    pub(in crate::inspect) fn timeout(
        &mut self,
        depth: usize,
        name: &str,
        value: &Sourced<Duration>,
        key: &Key,
        place: &str,
    ) {
        let value = value.map_ref(|span| timeout_words(*span));
        self.value(depth, name, &value, key, place);
    }
}

/// The timeouts that have a meaning for a protocol; those that are off by nature only where a policy sets them.
pub(in crate::inspect) fn rows<'a>(
    timeouts: &'a Timeouts,
    protocol: Protocol,
    connect: Option<&str>,
) -> Vec<(&'static str, &'static str, &'a Sourced<Duration>)> {
    let set = |value: &Sourced<Duration>| value.origin.is_some() && !value.value.is_zero();
    let http = protocol.is_http();
    let all = [
        (connect.is_some(), "connect", "connect", &timeouts.connect),
        (true, "idle", "idle", &timeouts.idle),
        (http, "request", "request", &timeouts.request),
        (http, "stream idle", "streamIdle", &timeouts.stream_idle),
        (
            http && set(&timeouts.max_stream),
            "max stream",
            "maxStream",
            &timeouts.max_stream,
        ),
        (
            http && set(&timeouts.max_connection),
            "max conn",
            "maxConnection",
            &timeouts.max_connection,
        ),
        (
            http && set(&timeouts.request_headers),
            "headers",
            "requestHeaders",
            &timeouts.request_headers,
        ),
    ];
    all.into_iter()
        .filter(|(shown, ..)| *shown)
        .map(|(_, name, field, value)| (name, field, value))
        .collect()
}
