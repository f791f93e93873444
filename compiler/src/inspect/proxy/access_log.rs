//! What is written about traffic, for people.
//!
//! Never shows a format as a whole: that one was written is told, and where.

use mesh_bundle::resource::{IndependentRule, LogBackend, LogFormat, LogShape, LogSink};
use mesh_bundle::{Key, Sourced};

use crate::inspect::words;

use super::Telling;

impl Telling<'_> {
    pub(super) fn access_logs(&mut self, rules: &[IndependentRule<LogBackend>]) {
        for rule in rules {
            for backend in &rule.acts {
                let whom = words::whom(rule.peer.as_ref());
                let text = format!("log         {}, for {whom}", sink(&backend.sink));
                self.page.noted(1, &text, &backend.origin);
            }
        }
    }

    pub(super) fn access_log(
        &mut self,
        log: Option<&Sourced<Vec<LogBackend>>>,
        depth: usize,
        key: &Key,
        place: &str,
    ) {
        let Some(log) = log else { return };
        let sinks: Vec<String> = log.value.iter().map(|one| sink(&one.sink)).collect();
        let value = Sourced {
            value: match sinks.is_empty() {
                true => "nothing".to_owned(),
                false => sinks.join(", "),
            },
            origin: log.origin.clone(),
        };
        self.value(depth, "log", &value, key, place);
    }
}

fn sink(sink: &LogSink) -> String {
    match sink {
        LogSink::File { path, format } => format!("file {path} ({})", shape(format.as_ref())),
        LogSink::Tcp { address, format } => format!("tcp {address} ({})", shape(format.as_ref())),
        LogSink::OpenTelemetry { collector, .. } => {
            format!("OpenTelemetry {}", words::name(&collector.kri))
        }
    }
}

fn shape(format: Option<&LogFormat>) -> &'static str {
    match format.map(|format| &format.shape) {
        None => "default format",
        Some(LogShape::Plain(_)) => "own format",
        Some(LogShape::Json(_)) => "own format, JSON",
    }
}
