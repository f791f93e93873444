//! Metrics, traces, and what may leave the mesh: one result for a proxy, and which line said so.

use serde_json::{Value, json};

use super::*;

/// The value at a JSON pointer of what is effective for a proxy as a whole, and the line that set it.
fn at(compiled: &Compiled, proxy: &str, pointer: &str) -> (Value, Option<u64>) {
    let wide = config(compiled, proxy).wide;
    let told = json!({
        "metrics": wide.metrics,
        "tracing": wide.tracing,
        "passthrough": wide.passthrough,
    });
    let leaf = told.pointer(pointer).unwrap_or(&Value::Null).clone();
    match leaf.get("value") {
        Some(value) => (
            value.clone(),
            leaf.pointer("/origin/line").and_then(Value::as_u64),
        ),
        None => (leaf, None),
    }
}

const METRICS: &str = r#"type: MeshMetric
name: of-all
spec:
  default:
    sidecar:
      includeUnused: true
      profiles: {appendProfiles: [{name: Basic}], exclude: [{type: Prefix, match: a}]}
    applications: [{port: 8080}, {name: jmx, port: 9404, path: /jmx, address: 127.0.0.1}]
    backends: [{type: Prometheus, prometheus: {}}]
---
type: MeshMetric
name: of-web
spec:
  targetRef: {kind: Dataplane, labels: {app: web}}
  default:
    sidecar:
      profiles: {appendProfiles: [{name: None}], exclude: [], include: [{type: Regex, match: "x.*"}]}
    backends:
      - {type: Prometheus, prometheus: {port: 9000, path: /m, clientId: c, tls: {mode: ActiveMTLSBackend}}}
      - {type: OpenTelemetry, openTelemetry: {backendRef: {kind: MeshOpenTelemetryBackend, labels: {kuma.io/display-name: otel}}}}
---
type: MeshOpenTelemetryBackend
name: otel
spec: {endpoint: {address: otel.example.com}}
"#;

#[test]
fn metrics_of_several_policies_are_one() {
    let compiled = story(METRICS);
    assert_eq!(findings(&compiled), ["19 not-implemented"]);
    let basic = json!({"value": "basic", "origin": origin("of-all", 7)});
    let none = json!({"value": "none", "origin": origin("of-web", 17)});
    let collector = json!({
        "kri": "kri_motb_default_default__otel_",
        "protocol": "grpc",
        "address": "otel.example.com",
        "port": 4317,
        "origin": {"resource": "kri_motb_default_default__otel_", "file": "mesh.yaml", "line": 22},
    });
    for (proxy, pointer, value, line) in [
        ("api-1", "/metrics/includeUnused", json!(true), Some(6)),
        ("web-1", "/metrics/includeUnused", json!(true), Some(6)),
        ("api-1", "/metrics/profiles", json!([basic]), None),
        ("web-1", "/metrics/profiles", json!([basic, none]), None),
        (
            "api-1",
            "/metrics/exclude",
            json!([{"type": "prefix", "value": "a"}]),
            Some(7),
        ),
        ("web-1", "/metrics/exclude", json!([]), Some(17)),
        ("api-1", "/metrics/include", json!(null), None),
        (
            "web-1",
            "/metrics/include",
            json!([{"type": "regex", "value": "x.*"}]),
            Some(17),
        ),
        (
            "api-1",
            "/metrics/backends",
            json!([{"type": "prometheus", "port": 5670, "path": "/metrics", "tls": "disabled"}]),
            Some(9),
        ),
        (
            "web-1",
            "/metrics/backends",
            json!([
                {"type": "prometheus", "clientId": "c", "port": 9000, "path": "/m", "tls": "identity"},
                {"type": "openTelemetry", "collector": collector, "interval": "1m0s"},
            ]),
            Some(18),
        ),
        (
            "api-1",
            "/metrics/applications",
            json!([
                {"address": "10.0.0.21", "port": 8080, "path": "/metrics"},
                {"name": "jmx", "address": "127.0.0.1", "port": 9404, "path": "/jmx"},
            ]),
            Some(8),
        ),
    ] {
        assert_eq!(
            at(&compiled, proxy, pointer),
            (value, line),
            "{proxy} {pointer}"
        );
    }
    let applications = at(&compiled, "web-1", "/metrics/applications").0;
    assert_eq!(applications[0]["address"], "10.0.0.11");
    let web = &config(&compiled, "web-1").proxy.kri;
    let beaten = compiled.provenance.of(web, &Key::Metrics, "exclude");
    assert_eq!(beaten[0].value, r#"[{"match":"a","type":"Prefix"}]"#);
    assert_eq!(beaten[0].origin.line, 7);
}

fn origin(policy: &str, line: u32) -> Value {
    let resource = format!("kri_mm_default_default__{policy}_");
    json!({"resource": resource, "file": "mesh.yaml", "line": line})
}

#[test]
fn without_a_policy_a_feature_is_as_it_is_built_in() {
    let wide = config(&story(""), "web-1").wide;
    assert_eq!(wide, mesh_bundle::ProxyWide::default());
}

#[test]
fn traces_are_switched_off_by_an_empty_list() {
    let compiled = story(
        "type: MeshTrace\nname: t\nspec:\n  default:\n    backends: [{type: Zipkin, zipkin: {url: http://z:9411/api}}]\n    sampling: {overall: \"12.5\", random: 0}\n    tags: [{name: a, literal: b}, {name: c, header: {name: X-C, default: d}}]\n---\ntype: MeshTrace\nname: off\nspec:\n  targetRef: {kind: Dataplane, labels: {app: web}}\n  default: {backends: [], sampling: {client: 50}}\n",
    );
    assert!(findings(&compiled).is_empty());
    let zipkin = json!({
        "type": "zipkin", "url": "http://z:9411/api", "longIds": false, "version": "httpJson", "sharedSpans": true,
    });
    let tags = json!([
        {"name": "a", "value": {"type": "literal", "text": "b"}},
        {"name": "c", "value": {"type": "header", "name": "x-c", "default": "d"}},
    ]);
    for (proxy, pointer, value, line) in [
        ("api-1", "/tracing/backend", zipkin, Some(5)),
        ("web-1", "/tracing/backend", json!(null), Some(13)),
        (
            "web-1",
            "/tracing/sampling/overall",
            json!(125_000),
            Some(6),
        ),
        (
            "web-1",
            "/tracing/sampling/client",
            json!(500_000),
            Some(13),
        ),
        ("api-1", "/tracing/sampling/client", json!(1_000_000), None),
        ("api-1", "/tracing/sampling/random", json!(0), Some(6)),
        ("api-1", "/tracing/tags", tags, Some(7)),
    ] {
        assert_eq!(
            at(&compiled, proxy, pointer),
            (value, line),
            "{proxy} {pointer}"
        );
    }
}

#[test]
fn a_collector_that_is_not_there_is_skipped_and_told() {
    let compiled = story(
        "type: MeshTrace\nname: t\nspec:\n  default:\n    backends: [{type: OpenTelemetry, openTelemetry: {backendRef: {kind: MeshOpenTelemetryBackend, labels: {kuma.io/display-name: otle}}}}]\n---\ntype: MeshOpenTelemetryBackend\nname: otel\nspec: {endpoint: {address: 10.0.0.1}}\n",
    );
    let codes = ["5 dangling-ref"];
    assert_eq!(findings(&compiled), codes);
    let help = compiled.diagnostics.list[0].help.as_deref();
    assert_eq!(help, Some("did you mean `otel`?"));
    assert_eq!(
        at(&compiled, "web-1", "/tracing/backend"),
        (Value::Null, Some(5))
    );
}

/// Two that capture, `a` and `b`, and one that does not, `c`.
const CAPTURING: &str = "type: Dataplane\nname: a\nlabels: {of: a}\nnetworking: {address: 10.0.1.1, transparentProxying: {}}\n---\ntype: Dataplane\nname: b\nnetworking: {address: 10.0.1.2, transparentProxying: {redirectPortOutbound: 15001}}\n---\ntype: Dataplane\nname: c\nnetworking: {address: 10.0.1.3, transparentProxying: {redirectPortOutbound: 0}}\n---\n";

#[test]
fn entries_are_in_the_order_in_which_they_are_tried() {
    let entries = [
        "{type: Domain, value: a.example.com, protocol: grpc, port: 1}",
        "{type: Domain, value: a.example.com, protocol: http2, port: 2}",
        "{type: Domain, value: '*', protocol: http, port: 80}",
        "{type: Domain, value: a.example.com, protocol: http}",
        "{type: CIDR, value: 10.0.0.0/8}",
        "{type: CIDR, value: 10.1.0.0/16}",
        "{type: CIDR, value: 10.0.0.0/8, port: 443}",
        "{type: CIDR, value: 10.0.0.0/8, port: 80}",
        "{type: CIDR, value: 'fd00::/8'}",
        "{type: IP, value: 10.0.0.1}",
        "{type: IP, value: 10.0.0.1, protocol: mysql, port: 3306}",
        "{type: IP, value: 'fd00::1'}",
        "{type: Domain, value: '*.example.com', protocol: tls}",
        "{type: Domain, value: '*.b.example.com', protocol: tls}",
        "{type: Domain, value: example.com, protocol: tls}",
        "{type: Domain, value: c.b.example.com, protocol: tls}",
    ];
    let expected = [
        "tls to c.b.example.com, any port",
        "tls to example.com, any port",
        "tls to *.b.example.com, any port",
        "tls to *.example.com, any port",
        "tcp to fd00::1, any port",
        "mysql to 10.0.0.1, port 3306",
        "tcp to 10.0.0.1, any port",
        "tcp to fd00::/8, any port",
        "tcp to 10.0.0.0/8, port 443",
        "tcp to 10.0.0.0/8, port 80",
        "tcp to 10.1.0.0/16, any port",
        "tcp to 10.0.0.0/8, any port",
        "http to a.example.com, any port",
        "http to *, port 80",
        "http2 to a.example.com, port 2",
        "grpc to a.example.com, port 1",
    ];
    let mut backwards = entries;
    backwards.reverse();
    for entries in [entries, backwards] {
        let list = entries.map(|entry| format!("      - {entry}\n")).concat();
        let text = format!(
            "{CAPTURING}type: MeshPassthrough\nname: p\nspec:\n  default:\n    appendMatch:\n{list}"
        );
        let page = crate::inspect::proxy(&compiled(&text), "a", crate::inspect::Form::Human);
        let page = page.unwrap();
        let (_, told) = page.split_once("may leave   what is listed").unwrap();
        let told: Vec<&str> = told
            .lines()
            .skip(1)
            .filter_map(|line| line.get(14..72))
            .map(str::trim)
            .collect();
        assert_eq!(told, expected);
    }
}

#[test]
fn lists_of_several_policies_are_taken_together() {
    let policies = "type: MeshPassthrough\nname: all\nspec:\n  default:\n    appendMatch: [{type: IP, value: 10.9.0.1}, {type: CIDR, value: 10.9.1.7/24}]\n---\ntype: MeshPassthrough\nname: own\nspec:\n  targetRef: {kind: Dataplane, labels: {of: a}}\n  default:\n    appendMatch: [{type: CIDR, value: 10.9.1.0/24}]\n---\ntype: MeshPassthrough\nname: idle\nspec:\n  targetRef: {kind: Dataplane, labels: {app: web}}\n  default: {passthroughMode: None}\n";
    let compiled = story(&format!("{CAPTURING}{policies}"));
    let line = |proxy: &str| -> Vec<u32> {
        let passthrough = config(&compiled, proxy).wide.passthrough.unwrap();
        let entries = passthrough.matches.iter();
        entries.map(|entry| entry.origin.line).collect()
    };
    // Both ranges are one, of the stronger policy.
    assert_eq!(line("a"), [18, 25]);
    assert_eq!(line("b"), [18, 18]);
    for proxy in ["c", "web-1"] {
        assert_eq!(config(&compiled, proxy).wide.passthrough, None, "{proxy}");
    }
    let codes = findings(&compiled);
    assert!(codes.contains(&"29 no-effect".to_owned()), "{codes:?}");
    assert_eq!(
        codes
            .iter()
            .filter(|code| code.ends_with("no-effect"))
            .count(),
        1
    );
}
