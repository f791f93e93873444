//! What is tried again in the place of something else: the rest of a destination stays, and nothing of what it said before.

use super::*;

const AROUND: &str = "\
type: Mesh
name: default
---
type: MeshService
name: api
spec:
  selector: {dataplaneLabels: {matchLabels: {app: api}}}
  ports: [{port: 80, name: http, targetPort: 8080, appProtocol: http}, {port: 81, name: tcp, targetPort: 8081, appProtocol: tcp}]
---
type: MeshHTTPRoute
name: first
spec:
  to:
    - targetRef: {kind: MeshService, labels: {kuma.io/display-name: api}}
      rules:
        - matches: [{path: {type: Exact, value: /a}}]
          default: {filters: [{type: RequestRedirect, requestRedirect: {port: 90}}]}
        - matches: [{path: {type: PathPrefix, value: /b}}]
          default: {backendRefs: [{kind: MeshService, labels: {kuma.io/display-name: api}, port: 80}]}
---
type: MeshHTTPRoute
name: second
spec:
  to:
    - targetRef: {kind: MeshService, labels: {kuma.io/display-name: api}}
      rules:
        - matches: [{path: {type: PathPrefix, value: /c}}]
          default: {backendRefs: [{kind: MeshService, labels: {kuma.io/display-name: api}, port: 80}]}
---
type: MeshTimeout
name: a
spec: {to: [{targetRef: {kind: Mesh}, default: {http: {requestTimeout: 7s}}}]}
---
type: MeshTimeout
name: b
spec: {to: [{targetRef: {kind: MeshService, labels: {kuma.io/display-name: api}}, default: {http: {requestTimeout: 8s}}}]}
---
type: Dataplane
name: web-1
labels: {app: web, kuma.io/workload: web}
networking:
  address: 10.0.0.1
  inbound: [{name: http, port: 8080, protocol: http}]
  outbound:
    - {port: 10001, backendRef: {kind: MeshService, name: api, port: 80}}
    - {port: 10002, backendRef: {kind: MeshService, name: api, port: 81}}
---
type: Dataplane
name: api-1
labels: {app: api, kuma.io/workload: api}
networking:
  address: 10.0.0.2
  inbound: [{name: http, port: 8080, protocol: http}, {name: tcp, port: 8081, protocol: tcp}]
";

/// For everything, for a service, for a route, for some proxies, of one name and of several, and nothing.
fn retries() -> Vec<String> {
    let everybody = "name: re\nspec: {to: [{targetRef: {kind: Mesh}, default: {http: {numRetries: 3}, tcp: {maxConnectAttempt: 2}}}]}";
    let service = "name: re\nspec: {to: [{targetRef: {kind: MeshService, labels: {kuma.io/display-name: api}}, default: {http: {numRetries: 4, backOff: {baseInterval: 2s}}}}]}";
    let route = |name: &str, number: u8| {
        format!(
            "name: of-{name}\nspec: {{to: [{{targetRef: {{kind: MeshHTTPRoute, labels: {{kuma.io/display-name: {name}}}}}, default: {{http: {{numRetries: {number}}}}}}}]}}"
        )
    };
    let web = |name: &str, number: u8| {
        format!(
            "name: {name}\nspec: {{targetRef: {{kind: Dataplane, labels: {{app: web}}}}, to: [{{targetRef: {{kind: Mesh}}, default: {{http: {{numRetries: {number}}}}}}}]}}"
        )
    };
    let labelled = web("workload", 6).replace("app: web", "kuma.io/workload: web");
    let written = |policies: &[&str]| {
        let policies = policies.iter();
        let policies = policies.map(|policy| format!("type: MeshRetry\n{policy}\n"));
        policies.collect::<Vec<_>>().join("---\n")
    };
    vec![
        String::new(),
        written(&[everybody]),
        format!("# moved down\n\n{}", written(&[everybody])),
        written(&[service]),
        written(&[everybody, &route("first", 1)]),
        written(&[everybody, &route("second", 1), &web("some", 5)]),
        written(&[&route("first", 1), &route("second", 2)]),
        written(&[&web("some", 5)]),
        // Which of both counts, only their names say.
        written(&[&web("some", 5), &labelled]),
        written(&[&web("some", 5), &labelled, &route("first", 0)]),
        written(&[everybody, "name: no\nspec: {to: []}"]),
    ]
}

/// Alone, and together with a change of something else of the same destination.
#[test]
fn what_is_tried_again_is_told_as_by_a_cold_compiler() {
    let texts = retries();
    let around = [AROUND.to_owned(), AROUND.replace("value: /b", "value: /bb")];
    let settings = Settings::default();
    let files = |around: &str, retries: &str| -> MemoryWorld {
        let files = [("a.yaml", around), ("r.yaml", retries)];
        let files = files.map(|(path, text)| (path.to_owned(), text.as_bytes().to_vec()));
        MemoryWorld {
            files: files.into(),
        }
    };
    let cold = |around: &String| -> Vec<String> {
        let texts = texts.iter();
        let compiled = texts.map(|text| compile(&files(around, text), &settings));
        let errors = |compiled: &Compiled| compiled.diagnostics.has_errors();
        let told = compiled.inspect(|compiled| assert!(!errors(compiled), "{compiled:?}"));
        told.map(|compiled| all(&compiled)).collect()
    };
    let cold: Vec<Vec<String>> = around.iter().map(cold).collect();
    let mut compiler = Compiler::default();
    for before in 0..texts.len() {
        for after in 0..texts.len() {
            for (step, around) in [(before, 0), (after, 0), (before, 1)]
                .iter()
                .map(|(text, at)| ((text, at), &around[*at]))
            {
                let (text, at) = step;
                let warm = compiler.compile(&files(around, &texts[*text]), &settings);
                assert!(all(&warm) == cold[*at][*text], "{before} to {after}");
            }
        }
    }
    let different: std::collections::BTreeSet<&String> = cold.iter().flatten().collect();
    assert_eq!(different.len(), 2 * texts.len());
}
