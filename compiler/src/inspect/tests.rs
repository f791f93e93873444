//! Answers to questions, and what changes in them where Kuma's rules hold.

mod lines;

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::*;
use crate::compile::analyse;
use crate::inspect::kuma::answer;
use crate::model::{Compat, Settings};
use crate::world::MemoryWorld;

const MESH: &str = "
type: Mesh
name: default
---
type: Dataplane
mesh: default
name: web-1
labels: {app: web}
networking:
  address: 10.0.0.1
  inbound: [{port: 8080, servicePort: 18080, name: http, protocol: http}]
---
type: Dataplane
mesh: default
name: client-1
labels: {app: client}
networking: {address: 10.0.0.2}
---
type: MeshService
mesh: default
name: api
labels: {kuma.io/display-name: api}
spec:
  selector: {dataplaneLabels: {matchLabels: {app: web}}}
  ports:
    - {port: 80, targetPort: http, name: http, appProtocol: http}
    - {port: 90, targetPort: 8080, name: admin, appProtocol: http}
";

fn analysed(documents: &str, compat: Compat) -> Analysis {
    let text = format!("{MESH}---\n{documents}");
    let world = MemoryWorld {
        files: BTreeMap::from([("mesh.yaml".to_owned(), text.into_bytes())]),
    };
    let settings = Settings {
        compat,
        ..Settings::default()
    };
    let analysis = analyse(&world, &settings);
    let found = &analysis.compiled.diagnostics;
    assert!(!found.has_errors(), "{:#?}", found.list);
    analysis
}

fn asked(documents: &str, compat: Compat, query: &Query) -> Value {
    let text = super::query(&analysed(documents, compat), query, Form::Json).unwrap();
    serde_json::from_str(&text).unwrap()
}

fn routes(of: &str) -> Query {
    Query::Routes(of.to_owned(), "api:http".to_owned())
}

/// The conf of a kind in a list of policies.
fn conf<'v>(policies: &'v Value, kind: &str) -> &'v Value {
    let mut policies = policies.as_array().unwrap().iter();
    let policy = policies.find(|policy| policy["kind"] == kind);
    policy.map_or(&Value::Null, |policy| &policy["conf"])
}

const ROUTES: &str = "
type: MeshHTTPRoute
mesh: default
name: canary
spec:
  to:
    - targetRef: {kind: MeshService, labels: {kuma.io/display-name: api}}
      rules:
        - matches: [{path: {type: PathPrefix, value: /a}}, {path: {type: Exact, value: /long}}]
          default: {backendRefs: [{kind: MeshService, labels: {kuma.io/display-name: api}, port: 80}]}
---
type: MeshTimeout
mesh: default
name: of-service
spec:
  to: [{targetRef: {kind: MeshService, labels: {kuma.io/display-name: api}}, default: {idleTimeout: 9s}}]
---
type: MeshTimeout
mesh: default
name: of-route
spec:
  to: [{targetRef: {kind: MeshHTTPRoute, labels: {kuma.io/display-name: canary}}, default: {http: {requestTimeout: 2s}}}]
";

#[test]
fn every_match_is_an_entry_in_the_order_of_trying() {
    let answer = asked(ROUTES, Compat::Off, &routes("web-1"));
    let routes = answer["routes"].as_array().unwrap();
    let paths: Vec<&Value> = routes
        .iter()
        .map(|route| &route["match"]["path"]["value"])
        .collect();
    assert_eq!(paths, [&json!("/long"), &json!("/a")]);
    // The weight that nobody wrote is filled in.
    assert_eq!(routes[0]["conf"]["backendRefs"][0]["weight"], 1);
    assert_eq!(routes[0]["origin"]["line"], 37);
}

#[test]
fn q09_the_timeouts_of_a_route_build_on_its_service_but_not_in_kuma() {
    for (compat, idle) in [(Compat::Off, json!("9s")), (Compat::Kuma, json!("1h"))] {
        let answer = asked(ROUTES, compat, &routes("web-1"));
        let timeout = conf(&answer["routes"][0]["policies"], "MeshTimeout");
        assert_eq!(timeout["http"]["requestTimeout"], "2s");
        assert_eq!(timeout["idleTimeout"], idle, "{compat:?}");
    }
}

#[test]
fn q07_a_proxy_without_inbounds_has_policies_but_not_in_kuma() {
    for (compat, kinds) in [(Compat::Off, 1), (Compat::Kuma, 0)] {
        let answer = asked(ROUTES, compat, &Query::Policies("client-1".to_owned()));
        let timeouts = answer["policies"].as_array().unwrap().iter();
        let timeouts = timeouts.filter(|policy| policy["kind"] == "MeshTimeout");
        assert_eq!(timeouts.count(), kinds, "{compat:?}");
    }
}

#[test]
fn q10_defaults_are_weakest_but_not_in_kuma() {
    let policy = "
type: MeshTimeout
mesh: default
name: zzz
spec:
  to: [{targetRef: {kind: Mesh}, default: {http: {requestTimeout: 1s}}}]
";
    let mesh = |answer: &Value| {
        let rules = answer["rules"].as_array().unwrap();
        conf(&rules[0]["policies"], "MeshTimeout")["http"]["requestTimeout"].clone()
    };
    let asked = |compat| asked(policy, compat, &Query::Outbounds("web-1".to_owned()));
    assert_eq!(mesh(&asked(Compat::Off)), "1s");
    assert_eq!(mesh(&asked(Compat::Kuma)), "15s");
}

#[test]
fn q06_a_producer_speaks_for_its_namespace_but_not_in_kuma() {
    let documents = "
apiVersion: kuma.io/v1alpha1
kind: MeshTimeout
metadata: {name: producer, namespace: other}
spec:
  to: [{targetRef: {kind: MeshService, labels: {kuma.io/display-name: api}}, default: {idleTimeout: 4s}}]
";
    for (compat, found) in [(Compat::Off, false), (Compat::Kuma, true)] {
        // That nothing of its namespace is meant is an error otherwise.
        let text = format!("{MESH}---\n{documents}");
        let files = BTreeMap::from([("mesh.yaml".to_owned(), text.into_bytes())]);
        let settings = Settings {
            compat,
            ..Settings::default()
        };
        let analysis = analyse(&MemoryWorld { files }, &settings);
        let query = Query::Outbounds("web-1".to_owned());
        let text = super::query(&analysis, &query, Form::Json).unwrap();
        assert_eq!(text.contains("4s"), found, "{compat:?}");
    }
}

#[test]
fn q27_a_port_that_is_not_there_is_every_port() {
    let layout = |port: u32| {
        let reachable = format!("{{kind: MeshService, name: api, port: {port}}}");
        let documents = format!(
            "
type: Dataplane
mesh: default
name: captured
networking:
  address: 10.0.0.3
  transparentProxying: {{reachableBackends: {{refs: [{reachable}]}}}}
  listeners: [{{type: ZoneIngress, address: 10.0.0.3, port: 10001}}]
"
        );
        let analysis = analysed(&documents, Compat::Kuma);
        let answer = answer(&analysis, "/meshes/default/dataplanes/captured/_layout");
        let body = answer.unwrap().body;
        assert_eq!(
            body["listeners"][0]["proxyResourceName"],
            "self_zoneingress_dp_10001"
        );
        body["outbounds"].as_array().unwrap().len()
    };
    assert_eq!(layout(80), 1);
    assert_eq!(layout(81), 2);
}

#[test]
fn lists_are_answered_in_parts() {
    let analysis = analysed(ROUTES, Compat::Kuma);
    let path = "/meshes/default/meshtimeouts/of-service/_resources/dataplanes?size=1";
    let first = answer(&analysis, path).unwrap().body;
    // A proxy without inbounds is none that Kuma finds.
    assert_eq!(
        (&first["total"], &first["items"][0]["name"]),
        (&json!(1), &json!("web-1"))
    );
    let none = answer(&analysis, &format!("{path}&offset=1&name=web"))
        .unwrap()
        .body;
    assert_eq!(none, json!({"items": [], "total": 1}));
}
