//! A service in the place of another: whoever could see the difference is given what a cold compiler would give.

use super::*;

/// Who sees the service `db`: by routes, mirrors, policies, listeners, capture, and as a part of another service.
const AROUND: &str = "\
type: Mesh
name: default
---
type: MeshIdentity
name: id
spec:
  selector: {dataplane: {matchLabels: {}}}
  spiffeID: {trustDomain: t, path: '/{{ label \"app\" }}'}
  provider: {type: Bundled, bundled: {insecureAllowSelfSigned: true, autogenerate: {enabled: true}}}
---
type: MeshService
name: api
spec:
  selector: {dataplaneLabels: {matchLabels: {app: api}}}
  ports: [{port: 80, name: http, targetPort: 8080, appProtocol: http}]
---
type: MeshMultiZoneService
name: all
spec:
  selector: {meshService: {matchLabels: {tier: back}}}
  ports: [{port: 80, appProtocol: http}, {port: 81, appProtocol: tcp}]
---
type: MeshHTTPRoute
name: split
spec:
  targetRef: {kind: Dataplane, labels: {app: split}}
  to:
    - targetRef: {kind: MeshService, labels: {kuma.io/display-name: api}}
      rules:
        - matches: [{path: {type: PathPrefix, value: /b}}]
          default: {backendRefs: [{kind: MeshService, labels: {tier: back}, port: 81}]}
        - matches: [{path: {type: PathPrefix, value: /c}}]
          default:
            filters: [{type: RequestMirror, requestMirror: {backendRef: {kind: MeshService, labels: {kuma.io/display-name: db}, port: 80}}}]
            backendRefs: [{kind: MeshService, labels: {kuma.io/display-name: api}, port: 80}]
---
type: MeshTimeout
name: section
spec:
  targetRef: {kind: Dataplane, labels: {app: by-name}}
  to:
    - targetRef: {kind: MeshService, labels: {kuma.io/display-name: db}, sectionName: sql}
      default: {connectionTimeout: 1s}
---
type: MeshTCPRoute
name: tcp
spec:
  targetRef: {kind: Dataplane, labels: {app: listens}}
  to:
    - targetRef: {kind: MeshService, labels: {kuma.io/display-name: db}}
      rules: [{default: {backendRefs: [{kind: MeshService, labels: {kuma.io/display-name: api}, port: 80}]}}]
---
type: Dataplane
name: split-1
labels: {app: split}
networking:
  address: 10.0.0.1
  inbound: [{port: 8080}]
  outbound: [{port: 10001, backendRef: {kind: MeshService, name: api, port: 80}}]
---
type: Dataplane
name: listens-1
labels: {app: listens}
networking:
  address: 10.0.0.2
  inbound: [{port: 8080}]
  outbound: [{port: 10001, backendRef: {kind: MeshService, labels: {tier: back}, port: 81}}]
---
type: Dataplane
name: by-name-1
labels: {app: by-name}
networking:
  address: 10.0.0.3
  inbound: [{port: 8080}]
  outbound: [{port: 10001, backendRef: {kind: MeshService, name: db, port: 80}}, {port: 10002, backendRef: {kind: MeshMultiZoneService, name: all, port: 81}}]
---
type: Dataplane
name: captures-1
labels: {app: captures}
networking:
  address: 10.0.0.4
  inbound: [{port: 8080}]
  transparentProxying: {redirectPortInbound: 15006, redirectPortOutbound: 15001}
---
type: Dataplane
name: reaches-1
labels: {app: reaches}
networking:
  address: 10.0.0.5
  inbound: [{port: 8080}]
  transparentProxying: {redirectPortInbound: 15006, redirectPortOutbound: 15001, reachableBackends: {refs: [{kind: MeshService, labels: {tier: back}, port: 81}]}}
---
type: Dataplane
name: db-1
labels: {app: db}
networking: {address: 10.0.0.6, inbound: [{name: sql, port: 5432, protocol: tcp}, {name: http, port: 8080, protocol: http}]}
---
type: Dataplane
name: db-2
labels: {app: db, old: is}
networking: {address: 10.0.0.7, inbound: [{name: sql, port: 5432, protocol: tcp}]}
---
type: Dataplane
name: api-1
labels: {app: api}
networking: {address: 10.0.0.8, inbound: [{name: http, port: 8080, protocol: http}]}
";

/// The service, each time another in something that somebody looks at, or nobody. Some leave references that lead nowhere,
/// which is an error, and no reason to give proxies anything else than a cold compiler would.
fn services() -> Vec<String> {
    let text = |labels: &str, selector: &str, ports: &str| {
        format!(
            "type: MeshService\nname: db\nlabels: {{{labels}}}\nspec:\n  selector: {{dataplaneLabels: {{matchLabels: {{{selector}}}}}}}\n  ports: [{ports}]\n"
        )
    };
    let port = |number: u16, name: &str, target: &str, protocol: &str| {
        format!("{{port: {number}, name: {name}, targetPort: {target}, appProtocol: {protocol}}}")
    };
    let (eighty, next) = (
        port(80, "web", "8080", "http"),
        port(81, "sql", "sql", "tcp"),
    );
    let plain = text("tier: back", "app: db", &eighty);
    vec![
        plain.clone(),
        format!("# moved down\n\n{plain}"),
        text("tier: back", "app: db", &next),
        text("tier: back", "app: db", &format!("{eighty}, {next}")),
        text("tier: back", "app: db", &port(81, "web", "8080", "http")),
        text("tier: back", "app: db", &port(80, "web", "8080", "tcp")),
        text("tier: back", "app: db", &port(80, "other", "8080", "grpc")),
        text("tier: back", "app: db", &port(80, "web", "5432", "http")),
        text(
            "tier: back",
            "app: db, old: is",
            &format!("{eighty}, {next}"),
        ),
        text("tier: back", "app: nobody", &eighty),
        text("tier: front", "app: db", &eighty),
        plain.replace("name: db", "name: db2"),
        String::new(),
    ]
}

#[test]
fn a_service_in_the_place_of_another_is_told_as_by_a_cold_compiler() {
    let texts = services();
    let settings = Settings::default();
    let world = |text: &String| MemoryWorld {
        files: [("a.yaml", AROUND), ("s.yaml", text)]
            .map(|(path, text)| (path.to_owned(), text.as_bytes().to_vec()))
            .into(),
    };
    let cold: Vec<String> = texts
        .iter()
        .map(|text| all(&compile(&world(text), &settings)))
        .collect();
    let mut compiler = Compiler::default();
    for before in 0..texts.len() {
        for after in 0..texts.len() {
            for text in [before, after] {
                let warm = compiler.compile(&world(&texts[text]), &settings);
                assert!(all(&warm) == cold[text], "{before} to {after}");
            }
        }
    }
}
