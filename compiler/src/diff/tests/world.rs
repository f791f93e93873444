//! A small mesh, in the choices that a change may make otherwise.
//!
//! Never an unsound one: whatever is chosen compiles without an error.

mod routes;

use std::collections::BTreeSet;

use mesh_bundle::Bundle;
use proptest::prelude::*;

use crate::compile::compile;
use crate::model::Settings;
use crate::world::MemoryWorld;
use routes::routes;
pub(super) use routes::{Routes, Rule};

/// The choices.
#[derive(Debug, Clone)]
pub(super) struct Small {
    /// Who is listed by `api`, by `db` and by everybody: allow, deny.
    pub(super) lists: [[Vec<usize>; 2]; 3],
    /// What the inbounds of `api` and of `db` accept.
    pub(super) modes: [Option<Mode>; 2],
    /// Documents with routes.
    pub(super) routes: Vec<Routes>,
    /// Who has an outbound to `api`, and who to `db`.
    pub(super) sends: [BTreeSet<usize>; 2],
    pub(super) identities: Identities,
    /// How long requests to `api` may take, and those that take the routes of the first document.
    pub(super) timeouts: [Option<u32>; 2],
    /// How often requests to `api` are sent again.
    pub(super) retries: Option<u32>,
    /// Does `db` speak anything but HTTP?
    pub(super) is_tcp: bool,
    /// Is the second instance of `web` there?
    pub(super) is_large: bool,
    /// How the files are called: no meaning.
    pub(super) prefix: String,
    /// And in which order their documents are.
    pub(super) reversed: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    Permissive,
    Strict,
}

/// Who has which identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Identities {
    Nobody,
    Everybody,
    /// All but `batch` and `db`, which speak plaintext.
    Some,
    /// Everybody, but `web` is called otherwise.
    Renamed,
    /// Everybody, but `web` is of a trust domain of its own.
    Apart,
}

/// Dataplanes, `name: label`.
pub(super) const WHO: [(&str, &str); 5] = [
    ("web-1", "web"),
    ("web-2", "web"),
    ("batch-1", "batch"),
    ("api-1", "api"),
    ("db-1", "db"),
];
const NAMED: [(&str, &str); 6] = [
    ("Exact", "spiffe://td/workload/web"),
    ("Exact", "spiffe://td/workload/batch"),
    ("Prefix", "spiffe://td/workload"),
    ("Prefix", "spiffe://td/workload/w"),
    ("Exact", "spiffe://td/elsewhere"),
    ("Exact", "spiffe://apart/workload/web"),
];
const SERVICES: [&str; 2] = ["api", "db"];
pub(super) fn small() -> impl Strategy<Value = Small> {
    let list = || prop::collection::vec(0..NAMED.len(), 0..3);
    let mode = prop_oneof![Just(Mode::Permissive), Just(Mode::Strict)];
    let whom = (
        prop::array::uniform3(prop::array::uniform2(list())),
        prop::array::uniform2(prop::option::of(mode)),
        prop_oneof![
            1 => Just(Identities::Nobody),
            6 => Just(Identities::Everybody),
            1 => Just(Identities::Some),
            1 => Just(Identities::Renamed),
            1 => Just(Identities::Apart),
        ],
    );
    let how = (
        prop::collection::vec(routes(), 0..4),
        prop::array::uniform2(prop::collection::btree_set(0..WHO.len(), 0..4)),
        prop::array::uniform2(prop::option::of(1_u32..3)),
        prop::option::of(1_u32..3),
        prop::bool::weighted(0.2),
        prop::bool::weighted(0.8),
    );
    let written = ("[a-c]", any::<bool>());
    (whom, how, written).prop_map(|(whom, how, (prefix, reversed))| {
        let (lists, modes, identities) = whom;
        let (routes, sends, timeouts, retries, is_tcp, is_large) = how;
        Small {
            lists,
            modes,
            routes,
            sends,
            identities,
            timeouts,
            retries,
            is_tcp,
            is_large,
            prefix,
            reversed,
        }
    })
}

/// What one change does to a mesh: from small to large.
pub(super) fn changed(one: &Small, other: Small, which: usize) -> Small {
    let mut after = one.clone();
    match which {
        0 => after.lists = other.lists,
        1 => after.routes = other.routes,
        2 => after.sends = other.sends,
        3 => after.modes = other.modes,
        4 => after.identities = other.identities,
        5 => {
            after.timeouts = other.timeouts;
            after.retries = other.retries;
        }
        // One route fewer, and the order of the others.
        6 => {
            after.routes.pop();
            after.routes.iter_mut().for_each(|own| own.rules.reverse());
        }
        // Every weight of every rule.
        7 => {
            let rules = after.routes.iter_mut().flat_map(|own| &mut own.rules);
            rules.for_each(|rule| rule.weights = rule.weights.map(|own| own.map(|own| own + 1)));
        }
        8 => after.is_tcp = !one.is_tcp,
        9 => after.is_large = !one.is_large,
        _ => after = other,
    }
    after
}

impl Small {
    /// Nothing but services and who calls them.
    pub(super) fn plain() -> Self {
        Self {
            lists: Default::default(),
            modes: [None, None],
            routes: Vec::new(),
            sends: [BTreeSet::from([0]), BTreeSet::new()],
            identities: Identities::Everybody,
            timeouts: [None, None],
            retries: None,
            is_tcp: false,
            is_large: true,
            prefix: "a".to_owned(),
            reversed: false,
        }
    }

    fn documents(&self) -> Vec<String> {
        let mut all = vec!["type: Mesh\nname: default\n".to_owned()];
        all.extend(self.identity_documents());
        let who = WHO.iter().enumerate();
        for (place, (name, app)) in who.filter(|(_, (name, _))| self.is_large || *name != "web-2") {
            let mut text = format!(
                "type: Dataplane\nname: {name}\nlabels: {{app: {app}, kuma.io/workload: {app}}}\nnetworking:\n  address: 10.0.0.{}\n  inbound: [{{port: 9080, servicePort: 8080, name: main, protocol: {}}}]\n",
                place + 1,
                self.protocol(app),
            );
            let sent = SERVICES.iter().zip(&self.sends).enumerate();
            let sent = sent.filter(|(_, (_, senders))| senders.contains(&place));
            let sent: String = sent
                .map(|(number, (service, _))| {
                    format!("{{port: 1008{number}, backendRef: {{kind: MeshService, name: {service}, port: 80}}}},")
                })
                .collect();
            if !sent.is_empty() {
                text.push_str(&format!("  outbound: [{sent}]\n"));
            }
            all.push(text);
        }
        for service in SERVICES {
            all.push(format!("type: MeshService\nname: {service}\nspec:\n  selector: {{dataplaneLabels: {{matchLabels: {{app: {service}}}}}}}\n  ports: [{{port: 80, targetPort: main, name: http, appProtocol: {}}}]\n", self.protocol(service)));
        }
        for (whose, lists) in ["api", "db", "mesh"].iter().zip(&self.lists) {
            let entries = |list: &[usize]| {
                let one = |which: &usize| {
                    let (kind, value) = NAMED[*which];
                    format!("{{spiffeID: {{type: {kind}, value: '{value}'}}}}")
                };
                list.iter().map(one).collect::<Vec<_>>().join(", ")
            };
            let [allow, deny] = lists;
            if !allow.is_empty() || !deny.is_empty() {
                let target = match *whose {
                    "mesh" => "{kind: Mesh}".to_owned(),
                    app => format!("{{kind: Dataplane, labels: {{app: {app}}}}}"),
                };
                all.push(format!("type: MeshTrafficPermission\nname: {whose}\nspec:\n  targetRef: {target}\n  rules: [{{default: {{allow: [{}], deny: [{}]}}}}]\n", entries(allow), entries(deny)));
            }
        }
        for (service, mode) in SERVICES.iter().zip(self.modes) {
            if let Some(mode) = mode {
                all.push(format!("type: MeshTLS\nname: {service}\nspec:\n  targetRef: {{kind: Dataplane, labels: {{app: {service}}}}}\n  rules: [{{default: {{mode: {mode:?}}}}}]\n"));
            }
        }
        let routes = self.routes.iter().enumerate();
        all.extend(routes.map(|(place, routes)| routes.document(place, self.is_tcp)));
        all.extend(self.limits());
        if self.reversed {
            all.reverse();
        }
        all
    }

    fn identity_documents(&self) -> Vec<String> {
        let document = |name: &str, labels: &str, domain: &str, path: &str| {
            format!(
                "type: MeshIdentity\nname: {name}\nlabels: {{meshc/allow-deny-all: 'true'}}\nspec:\n  selector: {{dataplane: {{matchLabels: {labels}}}}}\n  spiffeID: {{trustDomain: {domain}, path: '{path}'}}\n  provider: {{type: Bundled, bundled: {{insecureAllowSelfSigned: true, autogenerate: {{enabled: true}}}}}}\n"
            )
        };
        let usual = "/workload/{{ .Workload }}";
        let everybody = document("identity", "{}", "td", usual);
        match self.identities {
            Identities::Nobody => Vec::new(),
            Identities::Everybody => vec![everybody],
            Identities::Some => vec![
                document("web", "{app: web}", "td", usual),
                document("api", "{app: api}", "td", usual),
            ],
            Identities::Renamed => vec![everybody, document("web", "{app: web}", "td", "/front")],
            Identities::Apart => vec![everybody, document("web", "{app: web}", "apart", usual)],
        }
    }

    fn limits(&self) -> Vec<String> {
        let target = "{kind: MeshService, labels: {kuma.io/display-name: api}}";
        let mut all = Vec::new();
        if let Some(seconds) = self.timeouts[0] {
            all.push(format!("type: MeshTimeout\nname: timeout\nspec:\n  to: [{{targetRef: {target}, default: {{http: {{requestTimeout: {seconds}s}}}}}}]\n"));
        }
        let first = self.routes.first();
        let of_requests = first.filter(|routes| !self.is_tcp || routes.to == 0);
        if let (Some(seconds), Some(_)) = (self.timeouts[1], of_requests) {
            all.push(format!("type: MeshTimeout\nname: of-route\nspec:\n  to: [{{targetRef: {{kind: MeshHTTPRoute, labels: {{kuma.io/display-name: routes-0}}}}, default: {{http: {{requestTimeout: {seconds}00ms}}}}}}]\n"));
        }
        if let Some(number) = self.retries {
            all.push(format!("type: MeshRetry\nname: retry\nspec:\n  to: [{{targetRef: {target}, default: {{http: {{numRetries: {number}}}}}}}]\n"));
        }
        all
    }

    fn protocol(&self, app: &str) -> &'static str {
        match self.is_tcp && app == "db" {
            true => "tcp",
            false => "http",
        }
    }

    pub(super) fn bundle(&self) -> Bundle {
        let documents = self.documents().into_iter().enumerate();
        let files = documents
            .map(|(place, text)| (format!("{}{place}.yaml", self.prefix), text.into_bytes()));
        let world = MemoryWorld {
            files: files.collect(),
        };
        let compiled = compile(&world, &Settings::default());
        let errors = compiled.diagnostics.list.iter();
        let errors = errors.filter(|own| own.severity == crate::diag::Severity::Error);
        let errors: Vec<_> = errors.map(|own| (own.code, &own.message)).collect();
        assert!(errors.is_empty(), "{errors:?} {self:?}");
        compiled.bundle
    }
}
