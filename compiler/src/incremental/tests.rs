mod retries;
mod services;

use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::diag::{Format, render, summary};
use crate::{MemoryWorld, check, compile};

const FILES: [&str; 14] = [
    "a", "b", "c/a", "c/b", "d", "e", "f", "g", "h", "i", "j/a", "j/b", "k", "l",
];

/// Documents that speak about each other, with and without mistakes.
const TEXTS: [&str; 51] = [
    "type: Mesh\nname: default\n",
    "type: Mesh\nname: other\n",
    "type: Dataplane\nname: web-1\nlabels: {app: web, kuma.io/workload: web}\nnetworking:\n  address: 10.0.0.1\n  inbound: [{name: http, port: 8080, protocol: http, servicePort: 80}]\n  outbound: [{port: 10001, backendRef: {kind: MeshService, name: api, port: 80}}]\n",
    "type: Dataplane\nname: api-1\nlabels: {app: api, kuma.io/workload: api}\nnetworking:\n  address: 10.0.0.2\n  inbound: [{name: http, port: 8080, protocol: http, servicePort: 80}]\n",
    "type: Dataplane\nname: api-2\nlabels: {app: api, kuma.io/workload: api}\nnetworking:\n  address: 10.0.0.3\n  inbound: [{name: http, port: 8081, protocol: tcp, servicePort: 80}]\n",
    "type: MeshService\nname: api\nspec:\n  selector: {dataplaneLabels: {matchLabels: {app: api}}}\n  ports: [{port: 80, name: http, targetPort: 8080, appProtocol: http}]\n",
    "# moved down\n\ntype: MeshService\nname: api\nspec:\n  selector: {dataplaneLabels: {matchLabels: {app: api}}}\n  ports: [{port: 80, name: http, targetPort: 8080, appProtocol: tcp}]\n",
    "type: MeshIdentity\nname: id\nspec:\n  selector: {dataplane: {matchLabels: {}}}\n  provider: {type: Bundled, bundled: {insecureAllowSelfSigned: true, autogenerate: {enabled: true}}}\n",
    "type: MeshTimeout\nname: t\nspec:\n  to:\n    - targetRef: {kind: MeshService, labels: {kuma.io/display-name: api}}\n      default: {connectionTimeout: 1s, http: {requestTimeout: 2s}}\n",
    "type: MeshTimeout\nname: t2\nspec:\n  targetRef: {kind: Dataplane, labels: {app: web}}\n  to:\n    - targetRef: {kind: Mesh}\n      default: {idleTimeout: 3s}\n",
    "type: MeshTrafficPermission\nname: p\nspec:\n  targetRef: {kind: Dataplane, labels: {app: api}}\n  rules:\n    - default:\n        allow: [{spiffeID: {type: Exact, value: \"spiffe://default.default.mesh.local/workload/web\"}}]\n",
    "type: MeshHTTPRoute\nname: r\nspec:\n  to:\n    - targetRef: {kind: MeshService, labels: {kuma.io/display-name: api}}\n      rules:\n        - matches: [{path: {type: PathPrefix, value: /}}]\n          default: {backendRefs: [{kind: MeshService, labels: {kuma.io/display-name: api}, port: 80}]}\n",
    "type: MeshTimeout\nname: t\nspec:\n  to: [{targetRef: {kind: Mash}, default: {idleTimeuot: 1s}}]\n",
    "type: [\n---\ntype: Mesh\nname: default\nmesh: x\n",
    "apiVersion: v1\nkind: ConfigMap\n",
    "",
    // Whom others refer to.
    "type: MeshService\nname: db\nlabels: {tier: back}\nspec:\n  selector: {dataplaneLabels: {matchLabels: {app: db}}}\n  ports: [{port: 80, name: tcp, targetPort: 8080, appProtocol: tcp}]\n",
    "type: MeshMultiZoneService\nname: all\nspec:\n  selector: {meshService: {matchLabels: {kuma.io/display-name: api}}}\n  ports: [{port: 80, name: http, appProtocol: http}]\n",
    "type: MeshExternalService\nname: out\nspec:\n  match: {type: HostnameGenerator, port: 443, protocol: http}\n  endpoints: [{address: 192.0.2.1, port: 443}]\n",
    "type: HostnameGenerator\nname: names\nspec:\n  selector: {meshService: {matchLabels: {kuma.io/display-name: api}}}\n  template: \"{{ .DisplayName }}.x\"\n",
    "type: Zone\nname: default\nenabled: false\n",
    "type: MeshTrust\nname: t\nspec: {trustDomain: other.mesh.local, caBundles: [{type: Pem, pem: {value: \"x\"}}]}\n",
    "type: MeshOpenTelemetryBackend\nname: otel\nlabels: {is: otel}\nspec: {endpoint: {address: otel.example.com}}\n",
    "type: MeshIdentity\nname: few\nspec:\n  selector: {dataplane: {matchLabels: {app: web}}}\n  spiffeID: {trustDomain: few.mesh.local}\n  provider: {type: Bundled, bundled: {insecureAllowSelfSigned: true, autogenerate: {enabled: true}}}\n",
    // A proxy that captures, in the other mesh too.
    "type: Dataplane\nname: all-1\nlabels: {app: all, zone: a}\nnetworking:\n  address: 10.0.0.4\n  inbound: [{name: http, port: 8080, protocol: http}]\n  transparentProxying: {redirectPortInbound: 15006, redirectPortOutbound: 15001}\n",
    "type: Dataplane\nmesh: other\nname: web-1\nlabels: {app: web, kuma.io/workload: web}\nnetworking:\n  address: 10.0.0.1\n  inbound: [{name: http, port: 8080, protocol: http}]\n  transparentProxying: {redirectPortInbound: 15006, redirectPortOutbound: 15001}\n---\ntype: MeshTimeout\nmesh: other\nname: o\nspec:\n  to:\n    - targetRef: {kind: MeshService, labels: {kuma.io/display-name: web}}\n      default: {idleTimeout: 4s}\n",
    // Routes and policies of the same names that say another thing of where traffic ends, or of elsewhere.
    "type: MeshHTTPRoute\nname: r\nspec:\n  to:\n    - targetRef: {kind: MeshService, labels: {kuma.io/display-name: api}}\n      rules:\n        - matches: [{path: {type: PathPrefix, value: /}}]\n          default: {backendRefs: [{kind: MeshMultiZoneService, labels: {kuma.io/display-name: all}, port: 80}, {kind: MeshExternalService, labels: {kuma.io/display-name: out}, port: 443}]}\n",
    "type: MeshTimeout\nname: t\nspec:\n  to:\n    - targetRef: {kind: MeshService, labels: {kuma.io/display-name: api}}\n      default: {connectionTimeout: 9s, http: {requestTimeout: 2s}}\n",
    "type: MeshTimeout\nname: t\nspec:\n  targetRef: {kind: Dataplane, labels: {app: web}}\n  to:\n    - targetRef: {kind: MeshService, labels: {tier: back}}\n      default: {connectionTimeout: 1s}\n    - targetRef: {kind: MeshMultiZoneService, labels: {kuma.io/display-name: all}, sectionName: http}\n      default: {connectionTimeout: 2s}\n",
    "type: MeshTimeout\nname: t2\nspec:\n  targetRef: {kind: Dataplane, labels: {app: web}}\n  to:\n    - targetRef: {kind: Mesh}\n      default: {idleTimeout: 8s, connectionTimeout: 3s}\n",
    // Every kind of policy, in pairs where they are alike.
    "type: MeshTimeout\nname: z\nspec:\n  targetRef: {kind: Dataplane, labels: {kuma.io/workload: web}}\n  to:\n    - targetRef: {kind: Mesh}\n      default: {idleTimeout: 5s}\n",
    "type: MeshTimeout\nname: r\nspec:\n  to:\n    - targetRef: {kind: MeshHTTPRoute, labels: {kuma.io/display-name: r}}\n      default: {http: {requestTimeout: 7s}}\n",
    "type: MeshTLS\nname: tls\nspec:\n  targetRef: {kind: Dataplane, labels: {app: api}}\n  rules: [{default: {mode: Permissive}}]\n",
    "type: MeshTrafficPermission\nname: no\nspec:\n  rules:\n    - default:\n        deny: [{spiffeID: {type: Prefix, value: \"spiffe://default.default.mesh.local/workload/web\"}}]\n",
    "type: MeshLoadBalancingStrategy\nname: lb\nspec:\n  to:\n    - targetRef: {kind: MeshService, labels: {kuma.io/display-name: api}}\n      default: {localityAwareness: {localZone: {affinityTags: [{key: zone}, {key: app}]}}, loadBalancer: {type: RingHash}}\n",
    "type: MeshRetry\nname: re\nspec:\n  to:\n    - targetRef: {kind: MeshService, labels: {kuma.io/display-name: api}}\n      default: {http: {numRetries: 2}}\n",
    "type: MeshRetry\nname: re\nspec:\n  to:\n    - targetRef: {kind: Mesh}\n      default: {http: {numRetries: 3}, tcp: {maxConnectAttempt: 2}}\n",
    "type: MeshRetry\nname: of-route\nspec:\n  to:\n    - targetRef: {kind: MeshHTTPRoute, labels: {kuma.io/display-name: r}}\n      default: {http: {numRetries: 4}}\n",
    "type: MeshRetry\nname: web\nspec:\n  targetRef: {kind: Dataplane, labels: {app: web}}\n  to:\n    - targetRef: {kind: Mesh}\n      default: {http: {perTryTimeout: 1s}}\n",
    "type: MeshCircuitBreaker\nname: mesh-circuit-breaker-all-default\nspec:\n  to: [{targetRef: {kind: Mesh}, default: {connectionLimits: {maxConnections: 2}}}]\n",
    "type: MeshTCPRoute\nname: tr\nspec:\n  to:\n    - targetRef: {kind: MeshService, labels: {kuma.io/display-name: api}}\n      rules: [{default: {backendRefs: [{kind: MeshService, labels: {tier: back}, port: 80}]}}]\n",
    "type: MeshAccessLog\nname: log\nspec:\n  to: [{targetRef: {kind: Mesh}, default: {backends: [{type: OpenTelemetry, openTelemetry: {backendRef: {kind: MeshOpenTelemetryBackend, labels: {is: otel}}}}]}}]\n",
    "type: MeshMetric\nname: me\nspec:\n  default: {backends: [{type: Prometheus, prometheus: {port: 8080}}]}\n",
    "type: MeshPassthrough\nname: pa\nspec:\n  targetRef: {kind: Dataplane, labels: {app: all}}\n  default: {passthroughMode: None}\n",
    "type: MeshRateLimit\nname: rl\nspec:\n  targetRef: {kind: Dataplane, labels: {app: web}, sectionName: http}\n  rules: [{default: {local: {http: {requestRate: {num: 1, interval: 1s}}}}}]\n",
    "type: MeshCircuitBreaker\nname: cb\nspec:\n  to: [{targetRef: {kind: Mesh}, default: {connectionLimits: {maxPendingRequests: 2}}}]\n  rules: [{default: {connectionLimits: {maxConnections: 3}}}]\n",
    "type: MeshHealthCheck\nname: hc\nspec:\n  to: [{targetRef: {kind: Mesh}, default: {interval: 9s, tcp: {}}}]\n",
    "type: MeshTrace\nname: tc\nspec:\n  default: {backends: [{type: Zipkin, zipkin: {url: \"http://zipkin.example.com/api/v2/spans\"}}]}\n",
    "type: MeshFaultInjection\nname: fi\nspec:\n  rules: [{default: {http: [{abort: {httpStatus: 503, percentage: 10}}]}}]\n",
    "type: Mesh\nname: default\nskipCreatingInitialPolicies: [\"*\"]\n",
    "# meshc: file-ignore[selects-nothing] not there yet\ntype: MeshTimeout\nname: q\nlabels: {kuma.io/effect: shadow}\nspec:\n  targetRef: {kind: Dataplane, labels: {app: web}}\n  to:\n    - targetRef: {kind: MeshService, labels: {kuma.io/display-name: gone}}\n      default: {idleTimeout: 3s}\n",
];

/// Everything that a compilation says.
fn all(compiled: &Compiled) -> String {
    let mut text = String::from_utf8(compiled.bundle.encode().unwrap()).unwrap();
    text.push_str(&render(
        Format::Json,
        &compiled.diagnostics,
        &compiled.sources,
    ));
    text.push_str(&summary(&compiled.diagnostics, &compiled.sources));
    text + &format!("{:?}{:?}", compiled.secrets.inline, compiled.provenance)
}

/// A commit: which files become what; a text beyond the last removes the file.
fn commit() -> impl Strategy<Value = Vec<(usize, usize)>> {
    prop::collection::vec((0..FILES.len(), 0..TEXTS.len() + 5), 1..4)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_came_before_the_answer_is_that_of_a_cold_compiler(
        first in prop::collection::vec(0..TEXTS.len(), FILES.len()),
        commits in prop::collection::vec((commit(), any::<bool>()), 1..10),
    ) {
        let name = |file: usize| format!("{}.yaml", FILES[file]);
        let mut files = BTreeMap::new();
        for (file, text) in first.into_iter().enumerate() {
            files.insert(name(file), TEXTS[text].as_bytes().to_vec());
        }
        let mut compiler = Compiler::default();
        for (edits, partial) in commits {
            for (file, text) in edits {
                match TEXTS.get(text) {
                    Some(text) => drop(files.insert(name(file), text.as_bytes().to_vec())),
                    None => drop(files.remove(&name(file))),
                }
            }
            let world = MemoryWorld { files: files.clone() };
            let settings = Settings { partial, ..Settings::default() };
            let warm = compiler.compile(&world, &settings);
            prop_assert_eq!(all(&warm), all(&compile(&world, &settings)));
            // Who wants the findings alone is told the same ones.
            prop_assert_eq!(warm.diagnostics, check(&world, &settings).diagnostics);
            prop_assert!(compiler.files.len() <= files.len());
        }
    }
}

/// What looks at proxies: services, identities, policies of some of them, with and without effect.
const BESIDE_PROXIES: &str = "\
type: Mesh
name: default
---
type: MeshService
name: api
spec:
  selector: {dataplaneLabels: {matchLabels: {app: web}}}
  ports: [{port: 80, name: http, targetPort: 8080, appProtocol: http}, {port: 90, name: other, targetPort: 9080, appProtocol: http}]
---
type: MeshService
name: a
spec:
  selector: {dataplaneLabels: {matchLabels: {zone: a}}}
  ports: [{port: 80, name: http, targetPort: 8080, appProtocol: http}]
---
type: MeshIdentity
name: id
spec:
  selector: {dataplane: {matchLabels: {}}}
  spiffeID: {trustDomain: t, path: '/{{ label \"tier\" }}'}
  provider: {type: Bundled, bundled: {insecureAllowSelfSigned: true, autogenerate: {enabled: true}}}
---
type: MeshIdentity
name: of-edge
spec:
  selector: {dataplane: {matchLabels: {edge: is}}}
  spiffeID: {trustDomain: t, path: '/{{ label \"tier\" }}'}
  provider: {type: Bundled, bundled: {insecureAllowSelfSigned: true, autogenerate: {enabled: true}}}
---
type: MeshTimeout
name: v2
spec:
  targetRef: {kind: Dataplane, labels: {version: v2}}
  rules: [{default: {http: {requestTimeout: 2s}}}]
---
type: HostnameGenerator
name: prod
spec: {selector: {meshService: {matchLabels: {kuma.io/env: prod}}}, template: '{{ .DisplayName }}.prod'}
---
type: MeshTrafficPermission
name: web
spec:
  targetRef: {kind: Dataplane, labels: {app: web}}
  rules: [{default: {allow: [{spiffeID: {type: Prefix, value: 'spiffe://t/x'}}]}}]
---
type: MeshTLS
name: tls
spec:
  targetRef: {kind: Dataplane, labels: {zone: a}}
  rules: [{default: {mode: Permissive}}]
";

/// Documents of one proxy, each another than the others in something that somebody looks at, or nobody.
fn proxies() -> Vec<String> {
    const OUTBOUND: &str =
        "outbound: [{port: 10001, backendRef: {kind: MeshService, name: api, port: 80}}]";
    const CLASH: &str = "outbound: [{address: 10.0.0.7, port: 9080, backendRef: {kind: MeshService, name: api, port: 80}}]";
    let text = |name: &str, labels: &str, protocol: &str, outbound: &str| {
        format!(
            "type: Dataplane\nname: {name}\nlabels: {{tier: front, {labels}}}\nnetworking:\n  address: 10.0.0.7\n  inbound: [{{name: http, port: 8080, protocol: {protocol}, servicePort: 80}}]\n  {outbound}\n"
        )
    };
    let labelled = |labels: &str| text("web-1", labels, "http", OUTBOUND);
    let plain = labelled("app: web, kuma.io/workload: web");
    let second = text("web-2", "app: web", "http", OUTBOUND);
    vec![
        plain.clone(),
        plain.replace("tier: front", "tier: back"),
        format!("# moved down\n\n{plain}"),
        labelled("app: web, zone: a, kuma.io/workload: web"),
        labelled("app: web, version: v2, kuma.io/workload: web"),
        labelled("app: web, edge: is, kuma.io/workload: web"),
        labelled("app: web, kuma.io/env: prod, kuma.io/workload: web"),
        labelled("app: api, kuma.io/workload: web"),
        labelled("app: web, kuma.io/workload: shop"),
        // Of no workload, as nobody was of the one before.
        labelled("app: web"),
        // The second document of its file.
        format!(
            "type: MeshTimeout\nname: beside\nspec: {{to: [{{targetRef: {{kind: Mesh}}, default: {{idleTimeout: 1h}}}}]}}\n---\n{plain}"
        ),
        labelled("app: web, kuma.io/zone: east, kuma.io/workload: web"),
        text("web-1", "app: web, kuma.io/workload: web", "http", ""),
        text("web-1", "app: web, kuma.io/workload: web", "http", CLASH),
        text("web-1", "app: web, kuma.io/workload: web", "tcp", OUTBOUND),
        plain.replace("name: http", "name: main"),
        plain.replace("8080", "8081"),
        second.clone(),
        format!("{plain}---\n{second}"),
        format!("{second}---\n{plain}"),
        String::new(),
    ]
}

/// Each in the place of each other, where little but the labels differs, and in the place of the first and back.
#[test]
fn a_proxy_in_the_place_of_another_is_told_as_by_a_cold_compiler() {
    const LABELS: usize = 12;
    let texts = proxies();
    // The first of a workload is what a service is generated from.
    let other = texts[0].replace("web-1", "web-9");
    let other = other.replace("port: 8080", "port: 9080");
    let mut files = BTreeMap::new();
    for (path, text) in [
        ("a.yaml", BESIDE_PROXIES),
        ("p/0.yaml", &other.replace("10001", "10002")),
    ] {
        files.insert(path.to_owned(), text.as_bytes().to_vec());
    }
    let mut compiler = Compiler::default();
    let settings = Settings::default();
    let mut cold = Vec::new();
    for text in &texts {
        files.insert("p/1.yaml".to_owned(), text.as_bytes().to_vec());
        let files = files.clone();
        cold.push(all(&compile(&MemoryWorld { files }, &settings)));
    }
    for before in 0..texts.len() {
        for after in 0..texts.len() {
            if before * after > 0 && before.max(after) >= LABELS {
                continue;
            }
            for text in [before, after] {
                let bytes = texts[text].as_bytes().to_vec();
                files.insert("p/1.yaml".to_owned(), bytes);
                let files = files.clone();
                let warm = compiler.compile(&MemoryWorld { files }, &settings);
                assert!(text != 0 || !warm.diagnostics.has_errors());
                assert!(all(&warm) == cold[text], "{before} to {after}");
            }
        }
    }
}

#[test]
fn a_file_that_did_not_change_is_not_read_again() {
    let mut files = BTreeMap::new();
    for (file, text) in FILES.iter().zip(TEXTS) {
        files.insert(format!("{file}.yaml"), text.as_bytes().to_vec());
    }
    let mut compiler = Compiler::default();
    compiler.compile(
        &MemoryWorld {
            files: files.clone(),
        },
        &Settings::default(),
    );
    let before = compiler.files.clone();
    files.insert("a.yaml".to_owned(), TEXTS[1].as_bytes().to_vec());
    compiler.compile(&MemoryWorld { files }, &Settings::default());
    assert_eq!(before.len(), compiler.files.len());
    for (before, now) in before.iter().zip(&compiler.files) {
        let same = Arc::ptr_eq(&before.file, &now.file);
        assert_eq!(same, *now.path != *"a.yaml", "{}", now.path);
    }
}
