//! OTLP: how telemetry is written for collectors of `OpenTelemetry` (protocol 1.x), and what they answer.
//!
//! Never invents a name: attributes are those of its semantic conventions, or of the language.

pub(crate) mod metrics;

use bytes::Bytes;

use super::wire::{Field, Wire, field};
use crate::access_log::Home;
use crate::metrics::Signal;

const SCOPE: &str = "mesh-proxy";

/// Writes an attribute of a text: field `number` of its owner.
pub(crate) fn attribute(wire: &mut Wire, number: u32, key: &str, value: &str) {
    wire.message(number, |pair| {
        pair.text(1, key);
        pair.message(2, |any| any.text(1, value));
    });
}

/// Writes an attribute of a number.
pub(crate) fn attribute_number(wire: &mut Wire, number: u32, key: &str, value: u64) {
    wire.message(number, |pair| {
        pair.text(1, key);
        pair.message(2, |any| any.uint(3, value));
    });
}

/// Who it is that measures: the `Resource` of every export.
pub(crate) fn resource(home: &Home) -> Vec<u8> {
    let mut wire = Wire::default();
    let service = home.workload.as_deref().unwrap_or(&home.proxy);
    attribute(&mut wire, 1, "service.name", service);
    attribute(&mut wire, 1, "service.instance.id", &home.proxy);
    attribute(&mut wire, 1, "kuma.mesh", &home.mesh);
    attribute(&mut wire, 1, "kuma.zone", &home.zone);
    if let Some(workload) = &home.workload {
        attribute(&mut wire, 1, "kuma.workload", workload);
    }
    wire.into_bytes()
}

/// A whole request: one resource, one scope, and what was written for that (field 2 of a scope, tags included).
pub(crate) fn request(resource: &[u8], records: &[u8]) -> Bytes {
    let mut wire = Wire::with_capacity(resource.len() + records.len() + 64);
    wire.message(1, |of_resource| {
        of_resource.bytes(1, resource);
        of_resource.message(2, |of_scope| {
            of_scope.message(1, |scope| {
                scope.text(1, SCOPE);
                scope.text(2, env!("CARGO_PKG_VERSION"));
            });
            of_scope.raw(records);
        });
    });
    wire.into_bytes().into()
}

/// How many records a collector did not want, by its answer (`partial_success`).
pub(crate) fn rejected(response: &[u8]) -> u64 {
    let Some(Field::Bytes(partial)) = field(response, 1) else {
        return 0;
    };
    match field(partial, 1) {
        // A number that has a sign: what is below 0 is no number of records.
        Some(Field::Number(count)) if i64::try_from(count).is_ok() => count,
        _ => 0,
    }
}

impl Signal {
    /// Of OTLP over HTTP.
    pub(crate) fn path(self) -> &'static str {
        match self {
            Self::Metrics => "/v1/metrics",
            Self::Traces => "/v1/traces",
            Self::Logs => "/v1/logs",
        }
    }

    /// Of OTLP over gRPC.
    pub(crate) fn method(self) -> &'static str {
        match self {
            Self::Metrics => "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
            Self::Traces => "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
            Self::Logs => "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_collector_says_how_much_it_did_not_want() {
        let mut answer = Wire::default();
        answer.message(1, |partial| {
            partial.uint(1, 3);
            partial.text(2, "too many");
        });
        assert_eq!(rejected(&answer.into_bytes()), 3);
        assert_eq!(rejected(b""), 0);
        assert_eq!(rejected(b"\xff\xff"), 0);
    }
}
