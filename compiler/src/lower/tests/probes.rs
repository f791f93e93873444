//! Probes: which one, and what it is made of.

use mesh_bundle::resource::{HeaderPair, HealthCheck, Probe};
use serde_json::json;

use super::*;

fn health(compiled: &Compiled, service: &str, section: &str) -> Option<HealthCheck> {
    let mut clusters = config(compiled, "web-1").clusters;
    let cluster = clusters.remove(&port(service, section)).unwrap();
    cluster.health_check.map(|check| *check)
}

#[test]
fn the_probe_fits_the_port_or_is_a_connection() {
    for (protocol, conf, expected) in [
        ("http", "{http: {}, tcp: {}, grpc: {}}", "http"),
        ("http2", "{http: {}, tcp: {}, grpc: {}}", "http"),
        ("grpc", "{http: {}, tcp: {}, grpc: {}}", "grpc"),
        ("tcp", "{http: {}, tcp: {}, grpc: {}}", "tcp"),
        ("http", "{http: {disabled: true}, tcp: {}}", "tcp"),
        ("http", "{http: {disabled: false}, tcp: {}}", "http"),
        ("http", "{tcp: {}}", "tcp"),
        ("grpc", "{http: {}, tcp: {}}", "tcp"),
        ("grpc", "{http: {}}", "none"),
        ("tcp", "{http: {}}", "none"),
        (
            "http",
            "{http: {disabled: true}, tcp: {disabled: true}}",
            "none",
        ),
    ] {
        let compiled = speaking(protocol, &[to("MeshHealthCheck", "h", MESH, conf)]);
        let probe = match health(&compiled, "api", "http").map(|check| check.probe) {
            None => "none",
            Some(Probe::Tcp(_)) => "tcp",
            Some(Probe::Http(_)) => "http",
            Some(Probe::Grpc(_)) => "grpc",
        };
        assert_eq!(probe, expected, "{protocol} {conf}");
    }
}

#[test]
fn probes_merge_over_the_levels() {
    let compiled = carried(&[
        to(
            "MeshHealthCheck",
            "all",
            MESH,
            "{interval: 10s, reuseConnection: false, tcp: {send: cGluZw==, receive: [cG9uZw==]}, http: {requestHeadersToAdd: {set: [{name: x-probe, value: mesh}]}}}",
        ),
        to(
            "MeshHealthCheck",
            "api",
            API,
            "{timeout: 1s, http: {path: /healthz, expectedStatuses: [204, 200], requestHeadersToAdd: {add: [{name: x-more, value: '1'}]}}}",
        ),
    ]);
    let api = health(&compiled, "api", "http").unwrap();
    let Probe::Http(probe) = &api.probe else {
        panic!("not HTTP");
    };
    assert_eq!(at(&probe.path), "/healthz@9");
    assert_eq!(
        serde_json::to_value(&probe.expected_statuses.value).unwrap(),
        json!([200, 204])
    );
    let headers = |headers: &Option<Sourced<Vec<HeaderPair>>>| {
        let headers = headers.as_ref().unwrap();
        at(&headers.map_ref(|headers| headers[0].name.clone()))
    };
    assert_eq!(headers(&probe.set_headers), "x-probe@4");
    assert_eq!(headers(&probe.add_headers), "x-more@9");
    let spans = [&api.interval, &api.timeout, &api.no_traffic_interval].map(at);
    assert_eq!(spans, ["10s@4", "1s@9", "1m0s@="]);
    assert_eq!(at(&api.reuse_connection), "false@4");
    let numbers = [&api.unhealthy_threshold, &api.healthy_threshold].map(at);
    assert_eq!(numbers, ["5@=", "1@="]);
    let Probe::Tcp(probe) = health(&compiled, "db", "sql").unwrap().probe else {
        panic!("not TCP");
    };
    assert_eq!(probe.send.unwrap().value.as_bytes(), b"ping");
    assert_eq!(probe.receive.unwrap().value[0].as_bytes(), b"pong");
}
