//! Timeouts, TLS modes and permissions: who wins, and which line said so.

use mesh_bundle::decide::{Peer, Verdict, permit};
use mesh_bundle::resource::Timeouts;

use super::*;

/// `connect idle request stream-idle`, each with its line, `-` for a default policy and `=` for a built-in value.
fn told(timeouts: &Timeouts) -> String {
    let one = |value: &Sourced<mesh_bundle::Duration>| {
        let line = match &value.origin {
            None => "=".to_owned(),
            Some(origin) if origin.line == 0 => "-".to_owned(),
            Some(origin) => origin.line.to_string(),
        };
        format!("{}@{line}", value.value)
    };
    let Timeouts {
        connect,
        idle,
        request,
        stream_idle,
        ..
    } = timeouts;
    [connect, idle, request, stream_idle].map(one).join(" ")
}

const LEVELS: &str = r#"type: MeshTimeout
name: a
spec:
  to: [{targetRef: {kind: Mesh}, default: {idleTimeout: 10m}}]
---
type: MeshTimeout
name: b
spec:
  to: [{targetRef: {kind: MeshService, labels: {kuma.io/display-name: api}}, default: {http: {requestTimeout: 3s}}}]
---
type: MeshTimeout
name: c
spec:
  to: [{targetRef: {kind: MeshService, labels: {kuma.io/display-name: api}, sectionName: admin}, default: {connectionTimeout: 1s}}]
"#;

#[test]
fn e1_levels_combine_and_each_value_has_its_line() {
    let compiled = story(LEVELS);
    assert_eq!(findings(&compiled), [""; 0]);
    let timeouts = |section| destination(&compiled, "web-1", &port("api", section)).timeouts;
    assert_eq!(told(&timeouts("http")), "5s@- 10m0s@4 3s@9 30m0s@-");
    assert_eq!(told(&timeouts("admin")), "1s@14 10m0s@4 3s@9 30m0s@-");
    let db = destination(&compiled, "web-1", &port("db", "sql")).timeouts;
    assert_eq!(told(&db), "5s@- 10m0s@4 15s@- 30m0s@-");
    let clusters = config(&compiled, "web-1").clusters;
    let connect = |section| {
        clusters[&port("api", section)]
            .connect_timeout
            .value
            .to_string()
    };
    assert_eq!([connect("http"), connect("admin")], ["5s", "1s"]);
}

#[test]
fn e2_the_proxy_counts_before_the_destination() {
    let compiled = story(
        "type: MeshTimeout\nname: x\nspec:\n  targetRef: {kind: Dataplane, labels: {app: web}}\n  to: [{targetRef: {kind: Mesh}, default: {http: {requestTimeout: 20s}}}]\n---\ntype: MeshTimeout\nname: y\nspec:\n  to: [{targetRef: {kind: MeshService, labels: {kuma.io/display-name: api}}, default: {http: {requestTimeout: 3s}}}]\n",
    );
    let request = |proxy| {
        destination(&compiled, proxy, &port("api", "http"))
            .timeouts
            .request
    };
    assert_eq!(request("web-1").value.to_string(), "20s");
    assert_eq!(request("api-1").value.to_string(), "3s");
    let key = Key::Destination(port("api", "http"));
    let web = &config(&compiled, "web-1").proxy.kri;
    let beaten: Vec<String> = compiled
        .provenance
        .of(web, &key, "timeouts/request")
        .iter()
        .map(|beaten| format!("{} {}", beaten.value, beaten.origin))
        .collect();
    assert_eq!(beaten, ["3s mesh.yaml:10", "15s (default policy)"]);
}

#[test]
fn e6_limits_of_some_peers_build_on_those_of_all() {
    let compiled = story(
        "type: MeshTimeout\nname: in\nspec:\n  targetRef: {kind: Dataplane, labels: {app: api}}\n  rules:\n    - default: {http: {requestTimeout: 10s}}\n    - matches: [{spiffeID: {type: Prefix, value: spiffe://td/workload/web}}]\n      default: {http: {streamIdleTimeout: 1m}}\n    - matches: [{spiffeID: {type: Exact, value: spiffe://td/workload/web}}]\n      default: {http: {requestTimeout: 2s}}\n",
    );
    let config = config(&compiled, "api-1");
    let (_, policy) = &config.inbounds["http"];
    assert_eq!(told(&policy.timeouts), "10s@- 2h0m0s@- 10s@6 1h0m0s@-");
    let limits = |id: &str| {
        let id = id.parse().unwrap();
        let peer = Peer {
            identity: Some(&id),
            sni: None,
        };
        let limits = mesh_bundle::decide::limits(policy, &peer);
        let text = |value: &Sourced<mesh_bundle::Duration>| value.value.to_string();
        [text(limits.request), text(limits.stream_idle)]
    };
    assert_eq!(limits("spiffe://td/workload/web"), ["2s", "1m0s"]);
    assert_eq!(limits("spiffe://td/workload/webhook"), ["10s", "1m0s"]);
    assert_eq!(limits("spiffe://td/workload/other"), ["10s", "1h0m0s"]);
}

const PERMISSIONS: &str = r"type: MeshTrafficPermission
name: p
spec:
  rules: [{default: {allow: [{spiffeID: {type: Prefix, value: spiffe://td}}]}}]
---
type: MeshTrafficPermission
name: q
spec:
  targetRef: {kind: Dataplane, labels: {app: api}, sectionName: http}
  rules:
    - default:
        deny:
          - spiffeID: {type: Exact, value: spiffe://td/workload/web}
";

#[test]
fn e7_a_denial_always_wins() {
    let compiled = story(PERMISSIONS);
    let verdict = |section: &str, id: &str| {
        let config = config(&compiled, "api-1");
        let (_, policy) = &config.inbounds[section];
        let id = id.parse().unwrap();
        let peer = Peer {
            identity: Some(&id),
            sni: None,
        };
        match permit(policy, &peer) {
            Verdict::Permit { origin } => format!("permit {}", origin.unwrap()),
            Verdict::Deny { origin } => format!("deny {origin}"),
            Verdict::ShadowDeny { origin } => format!("shadow deny {origin}"),
        }
    };
    for (section, id, expected) in [
        ("http", "spiffe://td/workload/web", "deny mesh.yaml:13"),
        ("admin", "spiffe://td/workload/web", "permit mesh.yaml:4"),
        ("http", "spiffe://td/workload/db", "permit mesh.yaml:4"),
        ("http", "spiffe://other/workload/db", "deny mesh.yaml:4"),
    ] {
        assert_eq!(verdict(section, id), expected, "{section} {id}");
    }
}

#[test]
fn permissive_is_told_where_permissions_are() {
    let tls = "---\ntype: MeshTLS\nname: soft\nspec:\n  targetRef: {kind: Dataplane, labels: {app: api}, sectionName: admin}\n  rules: [{default: {mode: Permissive}}]\n";
    let compiled = story(&format!("{PERMISSIONS}{tls}"));
    assert_eq!(findings(&compiled), ["1 permissive-permission"]);
    let config = config(&compiled, "api-1");
    let mode = |section: &str| {
        let tls = &config.inbounds[section].1.tls;
        let line = tls.origin.as_ref().map(|origin| origin.line);
        (tls.value, line)
    };
    assert_eq!(mode("http"), (TlsMode::Strict, None));
    assert_eq!(mode("admin"), (TlsMode::Permissive, Some(19)));
}

#[test]
fn skipped_defaults_leave_the_built_in_values() {
    let mesh = "type: Mesh\nname: default\nskipCreatingInitialPolicies: [MeshTimeout]\n";
    let cast = CAST.replacen("type: Mesh\nname: default\n", mesh, 1);
    let compiled = compiled_files(&[("cast.yaml", &cast)]);
    let timeouts = destination(&compiled, "web-1", &port("api", "http")).timeouts;
    assert_eq!(told(&timeouts), "5s@= 1h0m0s@= 15s@= 30m0s@=");
}

#[test]
fn equal_selectors_are_told_apart_by_name_and_that_is_told() {
    let compiled = story(
        "type: MeshTimeout\nname: a\nspec:\n  targetRef: {kind: Dataplane, labels: {app: web}}\n  to: [{targetRef: {kind: Mesh}, default: {idleTimeout: 1m}}]\n---\ntype: MeshTimeout\nname: b\nspec:\n  targetRef: {kind: Dataplane, labels: {app: web, tier: front}}\n  to: [{targetRef: {kind: Mesh}, default: {idleTimeout: 5m}}]\n",
    );
    assert_eq!(findings(&compiled), ["11 equal-precedence"]);
    let idle = destination(&compiled, "web-1", &port("api", "http"))
        .timeouts
        .idle;
    assert_eq!(idle.value.to_string(), "1m0s");
}
