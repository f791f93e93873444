//! Timeouts, each with what set it (language 5.3).
//!
//! Never leaves one open: what no policy sets has its built-in value.

use mesh_bundle::resource::Timeouts;
use mesh_bundle::{Duration, Sourced};

use super::leaf::Leaves;

/// The effective timeouts of a merged conf.
pub(super) fn timeouts(mut leaves: Leaves<'_>) -> Timeouts {
    let built_in = Timeouts::default();
    let mut get = |path: &[&str], name: &str, fallback: Sourced<Duration>| {
        leaves.duration(path, name).unwrap_or(fallback)
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
