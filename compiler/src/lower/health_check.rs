//! How servers are probed, each value with what set it (language 5.9).
//!
//! Never leaves the choice of the probe to the proxy.

use std::collections::BTreeSet;

use mesh_bundle::Sourced;
use mesh_bundle::resource::{
    GrpcProbe, HeaderPair, HealthCheck, HttpProbe, Probe, Protocol, TcpProbe,
};
use serde_json::Value;

use crate::kinds::mesh_http_route::filter::HeaderValue;

use super::leaf::{Leaves, listed, plain};
use super::route::header_pairs;

/// The effective probes of a merged conf for a port of this protocol; `None` where there is none.
pub(super) fn health_check(mut leaves: Leaves<'_>, protocol: Protocol) -> Option<Box<HealthCheck>> {
    let built_in = HealthCheck::new(probe(&mut leaves, protocol)?);
    let interval = leaves.duration(&["interval"], "interval");
    let quiet = leaves.duration(&["noTrafficInterval"], "noTrafficInterval");
    let timeout = leaves.duration(&["timeout"], "timeout");
    let unhealthy = leaves.value(&["unhealthyThreshold"], "unhealthyThreshold");
    let healthy = leaves.value(&["healthyThreshold"], "healthyThreshold");
    let fail = leaves.value(&["failTrafficOnPanic"], "failTrafficOnPanic");
    let reuse = leaves.value(&["reuseConnection"], "reuseConnection");
    let log = leaves.value(&["alwaysLogHealthCheckFailures"], "alwaysLogFailures");
    Some(Box::new(HealthCheck {
        interval: interval.unwrap_or(built_in.interval),
        no_traffic_interval: quiet.unwrap_or(built_in.no_traffic_interval),
        initial_jitter: leaves.duration(&["initialJitter"], "initialJitter"),
        interval_jitter: leaves.duration(&["intervalJitter"], "intervalJitter"),
        interval_jitter_percent: leaves.value(&["intervalJitterPercent"], "intervalJitterPercent"),
        timeout: timeout.unwrap_or(built_in.timeout),
        unhealthy_threshold: unhealthy.unwrap_or(built_in.unhealthy_threshold),
        healthy_threshold: healthy.unwrap_or(built_in.healthy_threshold),
        fail_traffic_on_panic: fail.unwrap_or(built_in.fail_traffic_on_panic),
        reuse_connection: reuse.unwrap_or(built_in.reuse_connection),
        always_log_failures: log.unwrap_or(built_in.always_log_failures),
        event_log_path: leaves.value(&["eventLogPath"], "eventLogPath"),
        probe: built_in.probe,
    }))
}

/// The one that fits what the port speaks, else the one that fits every port.
fn probe(leaves: &mut Leaves<'_>, protocol: Protocol) -> Option<Probe> {
    let fitting = match protocol {
        Protocol::Tcp => "tcp",
        Protocol::Http | Protocol::Http2 => "http",
        Protocol::Grpc => "grpc",
    };
    let is_on = |section: &&str| {
        let found = leaves.merged.leaf(&[section]).and_then(Value::as_object);
        found.is_some_and(|found| found.get("disabled") != Some(&Value::Bool(true)))
    };
    Some(match [fitting, "tcp"].into_iter().find(is_on)? {
        "http" => Probe::Http(http(leaves)),
        "grpc" => Probe::Grpc(GrpcProbe {
            service_name: leaves.value(&["grpc", "serviceName"], "probe/serviceName"),
            authority: leaves.value(&["grpc", "authority"], "probe/authority"),
        }),
        _ => Probe::Tcp(TcpProbe {
            send: leaves.value(&["tcp", "send"], "probe/send"),
            receive: leaves.read(
                &["tcp", "receive"],
                "probe/receive",
                |value| serde_json::from_value(value.clone()).ok(),
                listed,
            ),
        }),
    })
}

fn http(leaves: &mut Leaves<'_>) -> HttpProbe {
    let built_in = HttpProbe::default();
    let path = leaves.value(&["http", "path"], "probe/path");
    let statuses = leaves.read(
        &["http", "expectedStatuses"],
        "probe/expectedStatuses",
        statuses,
        listed,
    );
    HttpProbe {
        path: path.unwrap_or(built_in.path),
        expected_statuses: statuses.unwrap_or(built_in.expected_statuses),
        set_headers: headers(leaves, "set", "probe/setHeaders"),
        add_headers: headers(leaves, "add", "probe/addHeaders"),
    }
}

/// An empty list is what is built in, as a probe that expects nothing could never succeed.
fn statuses(list: &Value) -> Option<BTreeSet<u16>> {
    let statuses: BTreeSet<u16> = serde_json::from_value(list.clone()).ok()?;
    Some(match statuses.is_empty() {
        true => HttpProbe::default().expected_statuses.value,
        false => statuses,
    })
}

fn headers(leaves: &mut Leaves<'_>, how: &str, place: &str) -> Option<Sourced<Vec<HeaderPair>>> {
    let read = |list: &Value| {
        let list: Vec<HeaderValue> = serde_json::from_value(list.clone()).ok()?;
        Some(header_pairs(&list))
    };
    leaves.read(&["http", "requestHeadersToAdd", how], place, read, plain)
}
