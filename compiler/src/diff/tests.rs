//! Judged by brute force: everybody, every port and every class of requests, asked before and after.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;
use crate::compile::compile;
use crate::flow::callers::callers;
use crate::flow::classes::classes;
use crate::model::Settings;
use crate::world::MemoryWorld;

/// A small mesh, in the choices that a change may make otherwise.
#[derive(Debug, Clone)]
struct Small {
    /// Who is listed by `api` and by `db`: allow, deny.
    lists: [[Vec<usize>; 2]; 2],
    /// The inbounds of `api` accept plaintext.
    permissive: bool,
    /// Match and backends of the routes to `api`.
    routes: Vec<(usize, [u32; 2])>,
    /// Who has an outbound to `api`.
    sends: BTreeSet<usize>,
    /// Has the mesh identities?
    identity: bool,
    timeout: u32,
    /// How the files are called: no meaning.
    prefix: String,
    /// And in which order their documents are.
    reversed: bool,
}

const WHO: [&str; 3] = ["web", "batch", "api"];
const NAMED: [(&str, &str); 5] = [
    ("Exact", "spiffe://td/workload/web"),
    ("Exact", "spiffe://td/workload/batch"),
    ("Prefix", "spiffe://td/workload"),
    ("Prefix", "spiffe://td/workload/w"),
    ("Exact", "spiffe://td/elsewhere"),
];
const MATCHES: [&str; 4] = [
    "{path: {type: PathPrefix, value: /a}}",
    "{path: {type: Exact, value: /a/b}, method: GET}",
    "{method: POST}",
    "{path: {type: PathPrefix, value: /}, headers: [{name: x-beta, value: '1'}]}",
];

fn small() -> impl Strategy<Value = Small> {
    let list = || prop::collection::vec(0..NAMED.len(), 0..3);
    let lists = prop::array::uniform2(prop::array::uniform2(list()));
    let route = (0..MATCHES.len(), prop::array::uniform2(0_u32..2));
    let routes = prop::collection::vec(route, 0..3);
    let sends = prop::collection::btree_set(0..WHO.len(), 0..3);
    let rest = (
        any::<bool>(),
        prop::bool::weighted(0.8),
        1_u32..3,
        "[a-c]",
        any::<bool>(),
    );
    (lists, routes, sends, rest).prop_map(|(lists, routes, sends, rest)| {
        let (permissive, identity, timeout, prefix, reversed) = rest;
        Small {
            lists,
            permissive,
            routes,
            sends,
            identity,
            timeout,
            prefix,
            reversed,
        }
    })
}

impl Small {
    fn documents(&self) -> Vec<String> {
        let mut all = vec!["type: Mesh\nname: default\n".to_owned()];
        if self.identity {
            all.push("type: MeshIdentity\nname: identity\nlabels: {meshc/allow-deny-all: 'true'}\nspec:\n  selector: {dataplane: {matchLabels: {}}}\n  spiffeID: {trustDomain: td}\n  provider: {type: Bundled, bundled: {insecureAllowSelfSigned: true, autogenerate: {enabled: true}}}\n".to_owned());
        }
        for (place, who) in WHO.iter().chain(&["db"]).enumerate() {
            let mut text = format!(
                "type: Dataplane\nname: {who}-1\nlabels: {{app: {who}, kuma.io/workload: {who}}}\nnetworking:\n  address: 10.0.0.{}\n  inbound: [{{port: 9080, servicePort: 8080, name: main, protocol: http}}]\n",
                place + 1
            );
            if self.sends.contains(&place) {
                text.push_str("  outbound: [{port: 10080, backendRef: {kind: MeshService, name: api, port: 80}}]\n");
            }
            all.push(text);
        }
        for (service, lists) in ["api", "db"].iter().zip(&self.lists) {
            all.push(format!("type: MeshService\nname: {service}\nspec:\n  selector: {{dataplaneLabels: {{matchLabels: {{app: {service}}}}}}}\n  ports: [{{port: 80, targetPort: main, name: http, appProtocol: http}}]\n"));
            let entries = |list: &[usize]| {
                let one = |which: &usize| {
                    let (kind, value) = NAMED[*which];
                    format!("{{spiffeID: {{type: {kind}, value: '{value}'}}}}")
                };
                list.iter().map(one).collect::<Vec<_>>().join(", ")
            };
            let [allow, deny] = lists;
            if !allow.is_empty() || !deny.is_empty() {
                all.push(format!("type: MeshTrafficPermission\nname: {service}\nspec:\n  targetRef: {{kind: Dataplane, labels: {{app: {service}}}}}\n  rules: [{{default: {{allow: [{}], deny: [{}]}}}}]\n", entries(allow), entries(deny)));
            }
        }
        if self.permissive {
            all.push("type: MeshTLS\nname: open\nspec:\n  targetRef: {kind: Dataplane, labels: {app: api}}\n  rules: [{default: {mode: Permissive}}]\n".to_owned());
        }
        let target = "{kind: MeshService, labels: {kuma.io/display-name: api}}";
        if !self.routes.is_empty() {
            let rule = |(which, weights): &(usize, [u32; 2])| {
                let backend = |(name, weight): (&str, &u32)| {
                    format!(
                        "{{kind: MeshService, labels: {{kuma.io/display-name: {name}}}, port: 80, weight: {weight}}}"
                    )
                };
                let backends: Vec<_> = ["api", "db"]
                    .into_iter()
                    .zip(weights)
                    .map(backend)
                    .collect();
                format!(
                    "        - {{matches: [{}], default: {{backendRefs: [{}]}}}}\n",
                    MATCHES[*which],
                    backends.join(", ")
                )
            };
            let rules: String = self.routes.iter().map(rule).collect();
            all.push(format!("type: MeshHTTPRoute\nname: routes\nspec:\n  to:\n    - targetRef: {target}\n      rules:\n{rules}"));
        }
        all.push(format!("type: MeshTimeout\nname: timeout\nspec:\n  to: [{{targetRef: {target}, default: {{http: {{requestTimeout: {}s}}}}}}]\n", self.timeout));
        if self.reversed {
            all.reverse();
        }
        all
    }

    fn bundle(&self) -> Bundle {
        let documents = self.documents().into_iter().enumerate();
        let files = documents
            .map(|(place, text)| (format!("{}{place}.yaml", self.prefix), text.into_bytes()));
        let world = MemoryWorld {
            files: files.collect(),
        };
        compile(&world, &Settings::default()).bundle
    }
}

type Answers = BTreeMap<(Caller, Kri, Option<Asked>), Reach>;

/// Everything that can be asked of a bundle; `others` is the other side, which has questions too.
fn asked(flows: &Flows<'_>, both: &[&Flows<'_>; 2], questions: &[Asked]) -> Answers {
    let mut ports: BTreeSet<Kri> = BTreeSet::new();
    for side in both {
        for proxy in side.bundle().proxies.values() {
            ports.extend(
                proxy
                    .endpoints
                    .iter()
                    .map(|endpoint| endpoint.service.clone()),
            );
        }
    }
    let mut answers = Answers::new();
    for caller in callers(both) {
        let mut clients: Vec<_> = flows.nodes().collect();
        clients.retain(|node| {
            node.identity().map(|identity| &identity.spiffe_id) == caller.identity()
        });
        for port in &ports {
            let access = flows.access(flows.servers(port), caller.peer().as_ref());
            answers.insert((caller.clone(), port.clone(), None), access);
            for question in questions {
                let senders = clients.iter().filter(|node| node.outbound(port).is_some());
                let reaches = senders.map(|node| {
                    let flow = flows.follow(node.kri, port, question);
                    flow.map_or(Reach::No, |flow| flow.reach())
                });
                let reach = Reach::of(reaches.collect::<Vec<_>>());
                answers.insert(
                    (caller.clone(), port.clone(), Some(question.clone())),
                    reach,
                );
            }
        }
    }
    answers
}

/// The classes of requests that the routes of any proxy tell apart, and some more.
fn questions(both: &[&Flows<'_>; 2]) -> Vec<Asked> {
    let mut found = BTreeSet::new();
    for method in ["GET", "POST", "PUT"] {
        for path in ["/", "/a", "/a/b", "/ab", "/c"] {
            found.insert(Asked::new(method, path));
            found.insert(Asked::new(method, path).with("x-beta", "1"));
        }
    }
    let mut tables = Vec::new();
    for side in both {
        for node in side.nodes() {
            for (_, outbound) in node.outbounds() {
                let (digest, destination) = node.destination(&outbound.destination).unwrap();
                tables.push(side.routes(digest, destination).unwrap());
            }
        }
    }
    let tables: Vec<_> = tables.iter().map(AsRef::as_ref).collect();
    found.extend(
        classes(&tables)
            .unwrap()
            .into_iter()
            .map(|class| class.example),
    );
    found.into_iter().collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn what_diff_says_is_what_decide_says(one in small(), other in small(), which in 0_usize..6) {
        let mut after = one.clone();
        match which {
            0 => after.lists = other.lists,
            1 => after.routes = other.routes,
            2 => after.sends = other.sends,
            3 => after.permissive = !one.permissive,
            4 => after.identity = other.identity,
            _ => after = other,
        }
        let (before, after) = (one.bundle(), after.bundle());
        let difference = diff(&before, &after);
        let (old, new) = (Flows::new(&before), Flows::new(&after));
        let both = [&old, &new];
        let questions = questions(&both);
        let (was, is) = (asked(&old, &both, &questions), asked(&new, &both, &questions));
        for (key, before) in &was {
            let (caller, port, question) = key;
            let after = is[key];
            let edge = difference.edges.iter().find(|edge| edge.caller == *caller && edge.port == *port);
            match question {
                None => {
                    let said = edge.map_or((*before, *before), |edge| edge.access);
                    prop_assert_eq!(said, (*before, after), "{} {}", caller, port);
                }
                // A request of no changed class is one that fares as before: every change has its class.
                Some(question) if *before != after => {
                    let traffic = edge.map_or([].as_slice(), |edge| &edge.traffic);
                    let told = traffic.iter().any(|t| (t.before, t.after) == (*before, after));
                    prop_assert!(told, "{} {} {}: {:?} {:?}", caller, port, question, before, after);
                }
                Some(_) => {}
            }
        }
        // And nothing is said that is not so.
        for edge in &difference.edges {
            for traffic in &edge.traffic {
                let one = [traffic.example.clone()];
                let key = (edge.caller.clone(), edge.port.clone(), Some(traffic.example.clone()));
                prop_assert_eq!(asked(&old, &both, &one)[&key], traffic.before);
                prop_assert_eq!(asked(&new, &both, &one)[&key], traffic.after);
                prop_assert!(traffic.before != traffic.after);
            }
        }
    }

    #[test]
    fn names_of_files_and_order_mean_nothing(one in small(), prefix in "[d-f]") {
        let other = Small { prefix, reversed: !one.reversed, ..one.clone() };
        let (before, after) = (one.bundle(), other.bundle());
        prop_assert!(before.digest != after.digest);
        let difference = diff(&before, &after);
        prop_assert!(difference.is_empty(), "{}", human(&difference, None));
        prop_assert_eq!(difference.proxies.moved, before.proxies.len());
    }
}

#[test]
fn a_change_of_a_value_names_both_and_the_line() {
    let one = Small {
        lists: Default::default(),
        permissive: false,
        routes: Vec::new(),
        sends: BTreeSet::from([0]),
        identity: true,
        timeout: 1,
        prefix: "a".to_owned(),
        reversed: false,
    };
    let other = Small {
        timeout: 2,
        ..one.clone()
    };
    let text = human(&diff(&one.bundle(), &other.bundle()), None);
    assert!(
        text.starts_with(
            "1 setting, 1 proxy\n\nsettings\n  ~ timeouts.request 1s -> 2s: web-1 to api:http  (a8.yaml:4)\n"
        ),
        "{text}"
    );
}
