//! Rate limits: which one a request counts against, and which line said so.

use mesh_bundle::decide::{Peer, connection_limit, request_limit};
use mesh_bundle::resource::{Rate, RateLimits};

use super::*;

const API: &str =
    "spec:\n  targetRef: {kind: Dataplane, labels: {app: api}, sectionName: http}\n  rules:\n";

fn limits(compiled: &Compiled, section: &str) -> RateLimits {
    let config = config(compiled, "api-1");
    config.inbounds[section].1.rate_limits.clone()
}

/// `num@line/interval@line`.
fn told(rate: &Rate) -> String {
    let line = |origin: &Option<mesh_bundle::Origin>| origin.as_ref().map_or(0, |o| o.line);
    let Rate { num, interval } = rate;
    let (at, interval_at) = (line(&num.origin), line(&interval.origin));
    format!("{}@{at}/{}@{interval_at}", num.value, interval.value)
}

/// The place of the limit among those of peers, `-` for that of everybody; the rate; the status.
fn request(limits: &RateLimits, id: Option<&str>) -> String {
    let id = id.map(|id| id.parse().unwrap());
    let identity = id.as_ref();
    let peer = Peer {
        identity,
        sni: None,
    };
    match request_limit(limits, &peer) {
        None => "no limit".to_owned(),
        Some(limited) => {
            let place = limited.place.map_or("-".to_owned(), |p| p.to_string());
            let status = limited.limit.status.value;
            format!("{place} {} {status}", told(limited.rate))
        }
    }
}

/// The rules of E6, about rates: a base, a prefix that only changes the answer, an exact match that only changes the rate.
const LEVELS: &str = "    - default: {local: {http: {requestRate: {num: 10, interval: 1s}}}}
    - matches: [{spiffeID: {type: Prefix, value: spiffe://td/workload/web}}]
      default: {local: {http: {onRateLimit: {status: 503}}}}
    - matches: [{spiffeID: {type: Exact, value: spiffe://td/workload/web}}]
      default: {local: {http: {requestRate: {num: 2, interval: 1m}}}}
    - matches: [{spiffeID: {type: Exact, value: spiffe://td/workload/batch}}]
      default: {local: {http: {disabled: true}}}
";

#[test]
fn the_most_specific_match_is_merged_over_broader_ones_and_counts_alone() {
    let compiled = story(&format!("type: MeshRateLimit\nname: in\n{API}{LEVELS}"));
    let found = limits(&compiled, "http");
    for (id, expected) in [
        (Some("spiffe://td/workload/web"), "0 2@10/1m0s@10 503"),
        (Some("spiffe://td/workload/webhook"), "2 10@6/1s@6 503"),
        (Some("spiffe://td/workload/batch"), "no limit"),
        (Some("spiffe://td/workload/other"), "- 10@6/1s@6 429"),
        (None, "- 10@6/1s@6 429"),
    ] {
        assert_eq!(request(&found, id), expected, "{id:?}");
    }
    assert!(limits(&compiled, "admin").is_empty(), "another section");
    let web = config(&compiled, "web-1").inbounds;
    assert!(
        web.values()
            .all(|(_, policy)| policy.rate_limits.is_empty())
    );
}

#[test]
fn a_stronger_policy_replaces_leaves_and_that_is_noted() {
    let strong = format!(
        "type: MeshRateLimit\nname: a\n{API}    - default: {{local: {{http: {{requestRate: {{num: 5, interval: 1s}}, onRateLimit: {{headers: {{set: [{{name: X-Why, value: busy}}]}}}}}}}}}}\n---\n"
    );
    let weak = "type: MeshRateLimit\nname: b\nspec:\n  rules:\n    - default: {local: {http: {requestRate: {num: 7, interval: 2s}, onRateLimit: {status: 503}}, tcp: {connectionRate: {num: 9, interval: 1s}}}}\n";
    let compiled = story(&format!("{strong}{weak}"));
    let found = limits(&compiled, "http");
    assert_eq!(request(&found, None), "- 5@6/1s@6 503");
    let http = found.http.as_ref().unwrap();
    let headers = &http.set_headers.as_ref().unwrap().value;
    assert_eq!(
        (headers[0].name.as_str(), headers[0].value.as_str()),
        ("x-why", "busy")
    );
    let limited = connection_limit(&found, &Peer::default()).unwrap();
    assert_eq!(told(limited.rate), "9@12/1s@12");
    let key = Key::InboundPolicy("http".to_owned());
    let api = config(&compiled, "api-1").proxy.kri;
    let beaten = |place: &str| -> Vec<String> {
        let beaten = compiled.provenance.of(&api, &key, place).iter();
        beaten
            .map(|one| format!("{} {}", one.value, one.origin))
            .collect()
    };
    assert_eq!(beaten("rateLimits/http/rate/num"), ["7 mesh.yaml:12"]);
    assert_eq!(beaten("rateLimits/http/rate/interval"), ["2s mesh.yaml:12"]);
    assert_eq!(beaten("rateLimits/http/status"), [""; 0]);
}

#[test]
fn without_a_rule_for_everybody_others_are_not_limited() {
    let rule = "    - matches: [{spiffeID: {type: Prefix, value: spiffe://td}}]\n      default: {local: {http: {requestRate: {num: 1, interval: 1s}}}}\n";
    let compiled = story(&format!("type: MeshRateLimit\nname: in\n{API}{rule}"));
    let found = limits(&compiled, "http");
    assert_eq!(request(&found, Some("spiffe://td/a")), "0 1@7/1s@7 429");
    assert_eq!(request(&found, None), "no limit");
    assert_eq!(connection_limit(&found, &Peer::default()), None);
}

#[test]
fn an_inbound_of_bytes_has_no_limit_on_requests() {
    let rule = "spec: {rules: [{default: {local: {http: {requestRate: {num: 1, interval: 1s}}, tcp: {connectionRate: {num: 3, interval: 1s}}}}}]}\n";
    let compiled = story(&format!("type: MeshRateLimit\nname: in\n{rule}"));
    let config = config(&compiled, "db-1");
    let (_, policy) = &config.inbounds["sql"];
    assert_eq!(policy.rate_limits.http, None);
    assert!(policy.rate_limits.tcp.is_some());
}
