//! Logs: lines on stderr, for people or for machines.
//!
//! Never a secret in them: types that hold one show nothing of it.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

use crate::cli::LogFormat;

/// Another level or another choice of modules, in the syntax of `tracing_subscriber::EnvFilter`.
const VARIABLE: &str = "MESH_LOG";

/// Begins to log. A process does it once; later calls change nothing.
pub(crate) fn begin(format: LogFormat) {
    let filter = EnvFilter::try_from_env(VARIABLE).unwrap_or_else(|_| EnvFilter::new("info"));
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_target(false);
    let begun = match format {
        LogFormat::Text => lines.with_ansi(std::io::stderr().is_terminal()).try_init(),
        LogFormat::Json => lines
            .json()
            .flatten_event(true)
            .with_current_span(false)
            .with_span_list(false)
            .try_init(),
    };
    if begun.is_ok() {
        std::panic::set_hook(Box::new(|panic| {
            let place = panic.location().map(ToString::to_string);
            let words = panic.payload_as_str().unwrap_or_default();
            tracing::error!(place, words, "a task ended by a fault of this program");
        }));
    }
}
