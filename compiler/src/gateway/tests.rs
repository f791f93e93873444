use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::model::Settings;
use crate::world::MemoryWorld;
use crate::{Compiled, compile};

/// Two services of one namespace and one of another, and a client in each.
const MESH: &str = "type: Mesh
name: default
---
apiVersion: kuma.io/v1alpha1
kind: MeshService
metadata: {name: api, namespace: shop}
spec: {selector: {dataplaneLabels: {matchLabels: {app: api}}}, ports: [{name: http, port: 80, appProtocol: http}, {name: admin, port: 81, appProtocol: http}]}
---
apiVersion: kuma.io/v1alpha1
kind: MeshService
metadata: {name: api-next, namespace: shop}
spec: {selector: {dataplaneLabels: {matchLabels: {app: next}}}, ports: [{port: 80, appProtocol: http}]}
---
apiVersion: kuma.io/v1alpha1
kind: MeshService
metadata: {name: pay, namespace: bank}
spec: {selector: {dataplaneLabels: {matchLabels: {app: pay}}}, ports: [{name: http, port: 80, appProtocol: http}]}
---
apiVersion: kuma.io/v1alpha1
kind: Dataplane
metadata: {name: api-1, namespace: shop, labels: {app: api}}
spec: {networking: {address: 10.0.0.1, transparentProxying: {redirectPortInbound: 15006, redirectPortOutbound: 15001}, inbound: [{name: http, port: 80}, {name: admin, port: 81}]}}
---
apiVersion: kuma.io/v1alpha1
kind: Dataplane
metadata: {name: next-1, namespace: shop, labels: {app: next}}
spec: {networking: {address: 10.0.0.2, transparentProxying: {redirectPortInbound: 15006, redirectPortOutbound: 15001}, inbound: [{port: 80}]}}
---
apiVersion: kuma.io/v1alpha1
kind: Dataplane
metadata: {name: pay-1, namespace: bank, labels: {app: pay}}
spec: {networking: {address: 10.0.0.3, transparentProxying: {redirectPortInbound: 15006, redirectPortOutbound: 15001}, inbound: [{name: http, port: 80}]}}
";

fn compiled(route: &str) -> Compiled {
    let file = |name: &str, text: &str| (name.to_owned(), text.as_bytes().to_vec());
    let world = MemoryWorld {
        files: BTreeMap::from([file("mesh.yaml", MESH), file("route.yaml", route)]),
    };
    let compiled = compile(&world, &Settings::default());
    let found = &compiled.diagnostics;
    assert!(!found.has_errors(), "{:#?}", found.list);
    compiled
}

/// All of a bundle but the places.
fn meaning(compiled: &Compiled) -> Value {
    fn strip(value: &mut Value) {
        match value {
            Value::Object(fields) => {
                fields.retain(|name, _| {
                    !["origin", "origins", "line", "file"].contains(&name.as_str())
                });
                fields.values_mut().for_each(strip);
            }
            Value::Array(items) => items.iter_mut().for_each(strip),
            _ => {}
        }
    }
    let bundle = serde_json::to_value(&compiled.bundle).unwrap();
    let mut resources: Vec<Value> = bundle["resources"]
        .as_object()
        .unwrap()
        .values()
        .cloned()
        .collect();
    resources.iter_mut().for_each(strip);
    resources.sort_by_key(Value::to_string);
    resources.into()
}

/// `shown` is a part of what a proxy gets.
fn check(route: &str, written: &str, shown: &str) {
    let (route, written) = (compiled(route), compiled(written));
    let meaning_of_route = meaning(&route);
    assert!(
        meaning_of_route.to_string().contains(shown),
        "{meaning_of_route}"
    );
    assert_eq!(meaning_of_route, meaning(&written));
}

const PRODUCER: &str = "apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: canary, namespace: shop}
spec:
  parentRefs:
    - {group: '', kind: Service, name: api, port: 80}
  rules:
    - matches:
        - path: {value: /v2/}
          headers: [{name: X-Canary, value: \"1\"}]
        - {headers: [{name: x-all, value: \"1\"}]}
        - {path: {type: Exact, value: /now}, queryParams: [{name: next, value: \"1\"}], method: POST}
      filters:
        - type: RequestHeaderModifier
          requestHeaderModifier: {set: [{name: X-Served, value: Canary}], remove: [X-Old]}
        - type: RequestMirror
          requestMirror: {backendRef: {name: api-next, port: 80}, fraction: {numerator: 1, denominator: 8}}
      backendRefs:
        - {name: api, port: 80, weight: 90}
        - {name: api-next, port: 80, weight: 10}
    - filters:
        - {type: URLRewrite, urlRewrite: {hostname: next.example}}
      backendRefs: [{name: api-next, port: 80}]
";

#[test]
fn a_route_of_its_own_namespace_is_one_for_all_clients() {
    check(
        PRODUCER,
        "apiVersion: kuma.io/v1alpha1
kind: MeshHTTPRoute
metadata: {name: canary, namespace: shop}
spec:
  to:
    - targetRef: {kind: MeshService, labels: {kuma.io/display-name: api, k8s.kuma.io/namespace: shop}, sectionName: http}
      rules:
        - matches:
            - path: {type: PathPrefix, value: /v2}
              headers: [{type: Exact, name: x-canary, value: \"1\"}]
            - {path: {type: PathPrefix, value: /}, headers: [{type: Exact, name: x-all, value: \"1\"}]}
            - {path: {type: Exact, value: /now}, queryParams: [{type: Exact, name: next, value: \"1\"}], method: POST}
          default:
            filters:
              - type: RequestHeaderModifier
                requestHeaderModifier: {set: [{name: x-served, value: Canary}], remove: [x-old]}
              - type: RequestMirror
                requestMirror: {backendRef: {kind: MeshService, labels: {kuma.io/display-name: api-next}, port: 80}, percentage: \"12.5\"}
            backendRefs:
              - {kind: MeshService, labels: {kuma.io/display-name: api}, port: 80, weight: 90}
              - {kind: MeshService, labels: {kuma.io/display-name: api-next}, port: 80, weight: 10}
        - matches: [{path: {type: PathPrefix, value: /}}]
          default:
            filters: [{type: URLRewrite, urlRewrite: {hostname: next.example}}]
            backendRefs: [{kind: MeshService, labels: {kuma.io/display-name: api-next}, port: 80}]
",
        "x-canary",
    );
}

#[test]
fn a_route_of_another_namespace_is_one_for_its_own_clients() {
    check(
        "apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: pay, namespace: shop}
spec:
  parentRefs: [{kind: Service, name: pay, namespace: bank}, {kind: Service, name: api, sectionName: admin}]
  rules:
    - filters: [{type: RequestRedirect, requestRedirect: {scheme: https, statusCode: 301}}]
",
        "apiVersion: kuma.io/v1alpha1
kind: MeshHTTPRoute
metadata: {name: pay, namespace: shop}
spec:
  to:
    - targetRef: {kind: MeshService, labels: {kuma.io/display-name: api, k8s.kuma.io/namespace: shop}, sectionName: admin}
      rules: &rules
        - matches: [{path: {type: PathPrefix, value: /}}]
          default: {filters: [{type: RequestRedirect, requestRedirect: {scheme: https, statusCode: 301}}]}
---
apiVersion: kuma.io/v1alpha1
kind: MeshHTTPRoute
metadata: {name: pay-consumer, namespace: shop}
spec:
  targetRef: {kind: Dataplane, labels: {k8s.kuma.io/namespace: shop}}
  to:
    - targetRef: {kind: MeshService, labels: {kuma.io/display-name: pay, k8s.kuma.io/namespace: bank}}
      rules:
        - matches: [{path: {type: PathPrefix, value: /}}]
          default: {filters: [{type: RequestRedirect, requestRedirect: {scheme: https, statusCode: 301}}]}
",
        "kri_mhttpr_default_default_shop_pay-consumer_",
    );
}

#[test]
fn what_is_granted_may_be_referred_to() {
    let route = "apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: r, namespace: shop}
spec:
  parentRefs: [{kind: Service, name: api}]
  rules: [{backendRefs: [{name: pay, namespace: bank, port: 80}]}]
---
apiVersion: gateway.networking.k8s.io/v1beta1
kind: ReferenceGrant
metadata: {name: g, namespace: bank}
spec:
  from: [{group: gateway.networking.k8s.io, kind: HTTPRoute, namespace: shop}]
  to: [{group: '', kind: Service, name: pay}]
";
    compiled(route);
}

#[test]
fn origins_lead_into_the_route() {
    let compiled = compiled(PRODUCER);
    fn lines(value: &Value, found: &mut BTreeSet<u64>) {
        match value {
            Value::Object(fields) if fields.get("file") == Some(&"route.yaml".into()) => {
                found.extend(fields["line"].as_u64());
            }
            Value::Object(fields) => fields.values().for_each(|value| lines(value, found)),
            Value::Array(items) => items.iter().for_each(|value| lines(value, found)),
            _ => {}
        }
    }
    let mut found = BTreeSet::new();
    lines(&serde_json::to_value(&compiled.bundle).unwrap(), &mut found);
    // The matches of the first rule, its backends, the second rule with its filter.
    assert_eq!(Vec::from_iter(found), [8, 19, 20, 21, 23]);
    assert_eq!(compiled.sources.documents(), 8);
}

#[test]
fn no_route_is_too_much() {
    let odd = ["", "~", "{}", "[]", "- x", "1", "[{}, [], ~]", "{name: []}"];
    let lines: Vec<&str> = PRODUCER.lines().collect();
    for (index, line) in lines.iter().enumerate() {
        for odd in odd {
            let key = line.split_once(": ").map_or(*line, |(key, _)| key);
            let changed = format!("{key}: {odd}");
            let mut lines = lines.clone();
            lines[index] = &changed;
            let text = lines.join("\n");
            let file = ("route.yaml".to_owned(), text.into_bytes());
            let world = MemoryWorld {
                files: BTreeMap::from([file]),
            };
            let read = compile(&world, &Settings::default()).sources;
            assert_eq!(read.files().count(), 1, "{changed}");
        }
    }
}
