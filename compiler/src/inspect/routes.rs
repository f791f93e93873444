//! `routes PROXY DESTINATION`: where requests or connections to a destination go, in the order of trying (language 12.3).
//!
//! Never shows a rule for one match only: a rule with several is one entry for each.

use mesh_bundle::Kri;
use mesh_bundle::resource::RequestMatch;
use serde::Serialize;
use serde_json::Value;

use crate::json::Json;
use crate::kinds;
use crate::lower::route::{Rank, Rule, is_everything, rank, read_matches};
use crate::policy::Table;
use crate::policy::outbound::Towards;
use crate::service::{Port, Service};

use super::asked::Proxy;
use super::effective::{Contribution, Effective, Leaf, show_values};
use super::page::Page;
use super::{Answer, NotShown, words};

/// The answer.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Routes<'a> {
    proxy: &'a Kri,
    destination: Kri,
    /// What no entry matches goes to the destination itself.
    routes: Vec<Route>,
    /// What holds for connections, where no HTTP route is about the destination.
    #[serde(skip_serializing_if = "Option::is_none")]
    tcp: Option<Effective>,
}

/// One entry.
#[derive(Debug, Serialize)]
struct Route {
    kri: Kri,
    #[serde(rename = "match")]
    matches: Value,
    conf: Value,
    origin: Contribution,
    values: Vec<Leaf>,
    /// What holds for the requests that it matches: timeouts, retries, access logs, hash policies.
    policies: Vec<Effective>,
    #[serde(skip)]
    words: String,
    /// Nothing after it is ever tried.
    #[serde(skip)]
    is_last: bool,
}

/// Kinds whose items may name a route.
const FOR_ROUTES: [&str; 4] = [
    "MeshLoadBalancingStrategy",
    "MeshAccessLog",
    "MeshTimeout",
    "MeshRetry",
];

/// One port of a service, by its name or number; `api:http` in front of it names the service.
pub(super) fn port<'s>(service: &'s Service, section: &str) -> Result<&'s Port, NotShown> {
    let number = |port: &&Port| port.number.to_string() == section;
    let found = match (section, service.ports.as_slice()) {
        ("", [only]) => Some(only),
        _ => service
            .section(section)
            .or_else(|| service.ports.iter().find(number)),
    };
    found.ok_or_else(|| NotShown::NoPort {
        service: service.meta.kri.name().to_owned(),
        section: section.to_owned(),
        ports: service
            .ports
            .iter()
            .map(|port| port.section.clone())
            .collect(),
    })
}

impl<'a> Routes<'a> {
    pub(super) fn of(proxy: &Proxy<'a>, service: &Service, port: &Port) -> Self {
        let destination = service.kri(port);
        let towards = Towards::Port(destination.clone());
        let mut entries: Vec<(Rank, Route)> = Vec::new();
        for rule in proxy.route_rules(&towards) {
            for written in rule.written.as_array().into_iter().flatten() {
                let one = Json::List([written.clone().into()].into());
                if let [matches] = read_matches(Some(&one)).as_slice() {
                    let route = Route::of(proxy, &destination, &rule, matches, written);
                    entries.push((rank(matches), route));
                }
            }
        }
        // Stable: of equal ones the stronger stays first.
        entries.sort_by_key(|(rank, _)| *rank);
        let routes: Vec<Route> = entries.into_iter().map(|(_, route)| route).collect();
        let tables = proxy.tables().into_iter();
        let mut tcp = tables.filter(|table| table.kind == "MeshTCPRoute" && routes.is_empty());
        Self {
            tcp: tcp.find_map(|table| proxy.towards(table, &towards)),
            proxy: proxy.kri(),
            destination,
            routes,
        }
    }
}

impl Route {
    fn of(
        proxy: &Proxy<'_>,
        destination: &Kri,
        rule: &Rule,
        matches: &RequestMatch,
        written: &Value,
    ) -> Self {
        // The defaults of a rule are those of its list.
        let mut filled =
            serde_json::json!({"rules": [{"matches": [written], "default": rule.conf.to_value()}]});
        kinds::filled_conf("MeshHTTPRoute", &["to"], &mut filled);
        let mut taken = |pointer: &str| {
            filled
                .pointer_mut(pointer)
                .map(Value::take)
                .unwrap_or_default()
        };
        Self {
            kri: rule.by.resource.clone(),
            matches: taken("/rules/0/matches/0"),
            conf: taken("/rules/0/default"),
            origin: proxy.contribution(&rule.by),
            values: proxy.values(&rule.conf),
            policies: for_route(proxy, destination, &rule.by.resource),
            words: words::request(matches),
            is_last: is_everything(matches),
        }
    }
}

/// What holds for the requests to a destination that a route matched.
pub(super) fn for_route(proxy: &Proxy<'_>, destination: &Kri, route: &Kri) -> Vec<Effective> {
    let subject = proxy.subject();
    let effective = |table: &Table| {
        let outbound = table.outbound(&subject);
        let items = outbound.for_route(destination, route);
        proxy.made_of(table, &outbound, &items)
    };
    let tables = proxy.tables().into_iter();
    let tables = tables.filter(|table| FOR_ROUTES.contains(&table.kind));
    tables.filter_map(effective).collect()
}

impl Answer for Routes<'_> {
    fn show(&self, page: &mut Page) {
        let title = format!(
            "routes of {} to {}, tried from the top",
            words::name(self.proxy),
            words::port(&self.destination)
        );
        page.line(0, &title);
        for route in &self.routes {
            page.gap();
            page.noted(0, &route.words, &route.origin);
            show_values(page, 1, &route.values);
            for policy in &route.policies {
                policy.show(page, 1);
            }
        }
        if let Some(tcp) = &self.tcp {
            page.gap();
            tcp.show(page, 0);
        }
        if !self.routes.iter().any(|route| route.is_last) {
            page.gap();
            let itself = words::port(&self.destination);
            page.line(0, &format!("anything else goes to {itself}"));
        }
    }
}
