//! The shop of the examples, asked.

use std::collections::BTreeMap;

use mesh_bundle::decide::{Admission, Verdict};

use super::*;
use crate::compile::{Compiled, compile};
use crate::model::Settings;
use crate::world::MemoryWorld;

pub(crate) const SHOP: &[(&str, &str)] = &[
    (
        "mesh.yaml",
        include_str!("../../../examples/shop/mesh.yaml"),
    ),
    (
        "web.yaml",
        include_str!("../../../examples/shop/web/dataplane.yaml"),
    ),
    (
        "outsider.yaml",
        include_str!("../../../examples/shop/outsider/dataplane.yaml"),
    ),
    (
        "services.yaml",
        include_str!("../../../examples/shop/api/services.yaml"),
    ),
    (
        "dataplanes.yaml",
        include_str!("../../../examples/shop/api/dataplanes.yaml"),
    ),
    (
        "canary.yaml",
        include_str!("../../../examples/shop/api/canary.yaml"),
    ),
    (
        "timeouts.yaml",
        include_str!("../../../examples/shop/api/timeouts.yaml"),
    ),
    (
        "permission.yaml",
        include_str!("../../../examples/shop/api/permission.yaml"),
    ),
    ("db.yaml", include_str!("../../../examples/shop/db/db.yaml")),
];

/// The shop with one more file.
fn shop(added: &str) -> Compiled {
    let files = SHOP.iter().copied().chain([("added.yaml", added)]);
    let files: BTreeMap<_, _> = files
        .map(|(path, text)| (path.to_owned(), text.as_bytes().to_vec()))
        .collect();
    let compiled = compile(&MemoryWorld { files }, &Settings::default());
    assert!(
        !compiled.diagnostics.has_errors(),
        "{:?}",
        compiled.diagnostics
    );
    compiled
}

fn dataplane(name: &str) -> Kri {
    format!("kri_dp_default_default__{name}_").parse().unwrap()
}

fn port(service: &str, section: &str) -> Kri {
    format!("kri_msvc_default_default__{service}_{section}")
        .parse()
        .unwrap()
}

/// `place: what` of everything that a flow tells.
fn told(flow: &Flow<'_>) -> Vec<String> {
    let mut told = vec![format!("{} {:?}", flow.origin(), flow.reach())];
    let shares = match &flow.fate {
        Fate::Redirected { status, location } => return vec![format!("{status} {location}")],
        Fate::Split(shares) => shares,
    };
    for Share { backend, of, end } in shares {
        let share = format!("{}/{of} {}", backend.weight, backend.origin);
        match end {
            End::Mesh { tls, arrivals, .. } => told.extend(arrivals.iter().map(|arrival| {
                let name = &arrival.server.node.kri.name();
                let (word, origin) = match arrival.entrance {
                    Entrance::Asked(admission) => {
                        let origin = admission.origin().map(ToString::to_string);
                        let word = match admission {
                            Admission::Asked(Verdict::Deny { .. }) => "deny",
                            Admission::Asked(_) => "permit",
                            Admission::Plain { .. } => "plain",
                            Admission::NeedsTls { .. } => "needs TLS",
                        };
                        (word, origin.unwrap_or_default())
                    }
                    Entrance::ClientUnknown => ("client unknown", String::new()),
                    Entrance::ServerUnknown => ("server unknown", String::new()),
                };
                format!("{share} {name} tls={tls} {word} {origin}")
            })),
            End::Outside { .. } => told.push(format!("{share} outside")),
            End::Unresolved => told.push(format!("{share} unresolved")),
        }
    }
    told
}

#[test]
fn a_canary_is_followed_to_both_versions() {
    let compiled = shop("");
    let flows = Flows::new(&compiled.bundle);
    let get = Asked::new("GET", "/orders");
    let api = port("api", "http");
    let flow = flows.follow(&dataplane("web-1"), &api, &get).unwrap();
    assert_eq!(
        told(&flow),
        [
            "canary.yaml:12 Yes",
            "90/100 canary.yaml:18 api-1 tls=true permit permission.yaml:13",
            "10/100 canary.yaml:23 api-2 tls=true permit permission.yaml:13",
        ]
    );
    let request = &flow.timeouts().request;
    let origin = request.origin.as_ref().map(ToString::to_string);
    assert_eq!(request.value.to_string(), "3s");
    assert_eq!(origin.as_deref(), Some("timeouts.yaml:13"));
}

#[test]
fn who_is_not_listed_is_told_which_list_it_is_not_in() {
    let compiled = shop("");
    let flows = Flows::new(&compiled.bundle);
    let get = Asked::new("GET", "/");
    let flow = flows.follow(&dataplane("outsider-1"), &port("api", "http"), &get);
    let flow = flow.unwrap();
    assert_eq!(flow.reach(), Reach::No);
    assert_eq!(
        told(&flow)[1],
        "90/100 canary.yaml:18 api-1 tls=true deny permission.yaml:12"
    );
    let nowhere = flows.follow(&dataplane("web-1"), &port("db", "sql"), &get);
    assert!(matches!(nowhere.unwrap_err(), NoFlow::NoOutbound { .. }));
    let nobody = flows.follow(&dataplane("nobody"), &port("db", "sql"), &get);
    assert!(matches!(nobody.unwrap_err(), NoFlow::NoProxy(_)));
}

#[test]
fn connections_are_followed_too() {
    let compiled = shop("");
    let flows = Flows::new(&compiled.bundle);
    let asked = Asked::new("GET", "/");
    let flow = flows.follow(&dataplane("api-1"), &port("db", "sql"), &asked);
    let flow = flow.unwrap();
    assert!(matches!(flow.route, Route::Tcp { .. }));
    assert_eq!(
        told(&flow)[1],
        "1/1 db.yaml:17 db-1 tls=true permit db.yaml:44"
    );
}

const ROUTES: &str = "
type: MeshHTTPRoute
mesh: default
name: special
spec:
  to:
    - targetRef: {kind: MeshService, labels: {kuma.io/display-name: api}}
      rules:
        - matches:
            - path: {type: PathPrefix, value: /old}
          default:
            filters:
              - type: RequestRedirect
                requestRedirect: {path: {type: ReplacePrefixMatch, replacePrefixMatch: /new}, statusCode: 301}
        - matches:
            - path: {type: Exact, value: /orders}
              method: POST
              headers: [{name: x-beta, value: '1'}]
          default:
            backendRefs: [{kind: MeshService, labels: {kuma.io/display-name: api-v2}, port: 80}]
";

#[test]
fn rules_that_lost_are_told() {
    let compiled = shop(ROUTES);
    let flows = Flows::new(&compiled.bundle);
    let ask = |asked: &Asked| flows.follow(&dataplane("web-1"), &port("api", "http"), asked);
    let beta = Asked::new("POST", "/orders").with("X-Beta", "1");
    let flow = ask(&beta).unwrap();
    assert_eq!(told(&flow).len(), 2);
    let Route::Http { passed, late, .. } = &flow.route else {
        panic!("{flow:?}");
    };
    assert_eq!(passed.len(), 0);
    assert_eq!(late.len(), 1, "the canary");
    for (asked, expected) in [
        (
            Asked::new("POST", "/orders"),
            Mismatch::Header("x-beta".to_owned()),
        ),
        (
            Asked::new("GET", "/orders").with("x-beta", "1"),
            Mismatch::Method,
        ),
        (
            Asked::new("POST", "/order").with("x-beta", "1"),
            Mismatch::Path,
        ),
    ] {
        let flow = ask(&asked).unwrap();
        let Route::Http { passed, .. } = &flow.route else {
            panic!("{flow:?}");
        };
        assert_eq!(passed[0].1, expected, "{asked}");
    }
    let redirected = ask(&Asked::new("GET", "/old/7?x=1").with("host", "api")).unwrap();
    assert_eq!(told(&redirected), ["301 http://api/new/7?x=1"]);
    let refused = ask(&Asked::new("GET", "/..")).unwrap_err();
    assert_eq!(refused, NoFlow::BadPath(BadPath::AboveRoot));
}

#[test]
fn who_proves_nothing_needs_a_permissive_inbound() {
    let plain = "type: MeshTLS\nmesh: default\nname: open\nspec:\n  targetRef: {kind: Dataplane, labels: {app: db}}\n  rules: [{default: {mode: Permissive}}]\n";
    for (added, expected) in [("", Reach::No), (plain, Reach::Yes)] {
        let compiled = shop(added);
        let flows = Flows::new(&compiled.bundle);
        let access = flows.access(flows.servers(&port("db", "sql")), None);
        assert_eq!(access, expected);
    }
}

#[test]
fn an_identity_that_nobody_vouches_for_is_unknown() {
    let compiled = shop("");
    let flows = Flows::new(&compiled.bundle);
    let servers = flows.servers(&port("db", "sql"));
    for (id, expected) in [
        ("spiffe://default.default.mesh.local/workload/api", true),
        ("spiffe://elsewhere/workload/api", false),
    ] {
        let id = id.parse().unwrap();
        let peer = mesh_bundle::decide::Peer {
            identity: Some(&id),
            sni: None,
        };
        let arrival = flows.arrival(&servers[0], Some(&peer));
        assert_eq!(
            arrival.entrance != Entrance::ClientUnknown,
            expected,
            "{id}"
        );
    }
}
