//! Kinds that were there once, each with the kind that took its place (language 8.3).
//!
//! Never reads more of such a document than its help repeats.

use crate::source::Node;
use crate::yaml;

use super::from::identity;
use super::{Place, reference};
use crate::diag::Pointer;

/// How a kind of the old policies was attached.
enum Attached {
    /// Sources are the proxies, destinations what they send to.
    Outbound,
    /// Destinations are the proxies, sources who sends to them.
    Inbound,
}

/// What took the place of a kind, where it was one: what is wrong with it, and what to write.
pub(crate) fn replacement(name: &str, root: &Node) -> Option<(String, String)> {
    let help = help(name, root)?;
    let gateway = name.starts_with("MeshGateway") || name.starts_with("Gateway");
    let message = match (name, gateway) {
        ("ProxyTemplate", _) => {
            "`ProxyTemplate` patches the configuration of another proxy than ours".to_owned()
        }
        (_, true) => {
            format!("`{name}` does not exist any more: the mesh has no gateway of its own")
        }
        _ => format!("`{name}` does not exist any more"),
    };
    Some((message, help))
}

fn help(name: &str, root: &Node) -> Option<String> {
    let node = root.get("spec").unwrap_or(root);
    let body = Place {
        node,
        at: Pointer::default(),
    };
    let outbound = |modern: &str| policy(modern, &Attached::Outbound, &body, root);
    let inbound = |modern: &str| policy(modern, &Attached::Inbound, &body, root);
    let help = match name {
        "AccessLog" | "TrafficLog" => outbound("a MeshAccessLog"),
        "CircuitBreaker" => outbound("a MeshCircuitBreaker"),
        "HealthCheck" => outbound("a MeshHealthCheck"),
        "Retry" => outbound("a MeshRetry"),
        "Timeout" => outbound("a MeshTimeout"),
        "TrafficRoute" => match body.path(&["conf", "http"]) {
            Some(_) => outbound("a MeshHTTPRoute, and a MeshTCPRoute for what is not HTTP,"),
            None => outbound("a MeshTCPRoute, or a MeshHTTPRoute where the service speaks HTTP,"),
        },
        "FaultInjection" => inbound("a MeshFaultInjection"),
        "RateLimit" => inbound("a MeshRateLimit"),
        "TrafficPermission" => permission(&body, root),
        "TrafficTrace" => {
            "use a MeshTrace, with the backend that the Mesh names in `default: {backends: […]}`"
                .to_owned()
        }
        "ExternalService" => external(&body),
        "VirtualOutbound" => hostname(&body),
        "ZoneIngress" => zone_proxy("ZoneIngress", &body),
        "ZoneEgress" => zone_proxy("ZoneEgress", &body),
        "DataplaneInsight" => "remove it: meshd knows which proxies are connected".to_owned(),
        "ProxyTemplate" => PATCH.to_owned(),
        "Gateway"
        | "GatewayClass"
        | "MeshGateway"
        | "MeshGatewayConfig"
        | "MeshGatewayInstance" => GATEWAY.to_owned(),
        "MeshGatewayRoute" => {
            format!("{GATEWAY}; a route to a service is a MeshHTTPRoute `to` that service")
        }
        "HTTPRoute" => ROUTE.to_owned(),
        _ => return None,
    };
    Some(help)
}

/// What to write instead of a patch of another proxy.
pub(crate) const PATCH: &str = "use the policy for what the patch does: timeouts a `MeshTimeout`, headers a `MeshHTTPRoute`, who may connect a `MeshTrafficPermission`";

const GATEWAY: &str =
    "run a gateway of your choice beside a proxy whose Dataplane has `gateway: {type: DELEGATED}`";

const ROUTE: &str = "use a MeshHTTPRoute `to` the service";

/// The tags of the items of `sources` or `destinations`; one that is for all stands for them all.
fn matches(body: &Place<'_>, name: &str) -> Vec<Vec<(String, String)>> {
    let items = body.items(name);
    let tags: Vec<Vec<(String, String)>> = items.iter().map(|item| item.pairs("match")).collect();
    let open = |(_, value): &(String, String)| value == "*";
    let all = tags.iter().find(|tags| tags.iter().all(open)).cloned();
    all.map_or(tags, |all| vec![all])
}

/// Several references that became one policy each.
fn more(count: usize) -> &'static str {
    if count > 1 {
        ", and one more policy for each other of them"
    } else {
        ""
    }
}

fn policy(modern: &str, attached: &Attached, body: &Place<'_>, root: &Node) -> String {
    let sources = matches(body, "sources");
    let destinations = matches(body, "destinations");
    let (Some(source), Some(destination)) = (sources.first(), destinations.first()) else {
        return format!("use {}", modern.trim_end_matches(','));
    };
    match attached {
        Attached::Outbound => format!(
            "use {modern} with `targetRef: {}` and `to: [{{targetRef: {}, …}}]`{}",
            reference::proxies(source),
            reference::service(destination),
            more(sources.len().max(destinations.len()))
        ),
        Attached::Inbound => {
            let clients = clients(&sources, root);
            let rule = match clients.is_empty() {
                true => "{default: …}".to_owned(),
                false => format!("{{matches: [{}], default: …}}", clients.join(", ")),
            };
            format!(
                "use {modern} with `targetRef: {}` and `rules: [{rule}]`{}",
                reference::proxies(destination),
                more(destinations.len())
            )
        }
    }
}

/// SPIFFE IDs of sources; none where they are all.
fn clients(sources: &[Vec<(String, String)>], root: &Node) -> Vec<String> {
    let kubernetes = root.entry("apiVersion").is_some();
    let named = sources.iter().take(4).filter_map(|tags| {
        let service = tags.iter().find(|(key, _)| key == "kuma.io/service");
        match service.map(|(_, value)| value.as_str()) {
            Some("*") => None,
            Some(name) => Some(identity(name, kubernetes)),
            None if tags.is_empty() => None,
            None => Some("spiffe://<trust domain>/<client>".to_owned()),
        }
    });
    named
        .map(|id| format!("{{spiffeID: {{type: Exact, value: {id}}}}}"))
        .collect()
}

fn permission(body: &Place<'_>, root: &Node) -> String {
    let sources = matches(body, "sources");
    let destinations = matches(body, "destinations");
    let Some(destination) = destinations.first() else {
        return "use a MeshTrafficPermission".to_owned();
    };
    let mut allowed = clients(&sources, root);
    if allowed.is_empty() {
        allowed.push("{spiffeID: {type: Prefix, value: spiffe://<trust domain>}}".to_owned());
    }
    format!(
        "use a MeshTrafficPermission with `targetRef: {}` and `rules: [{{default: {{allow: [{}]}}}}]`{}",
        reference::proxies(destination),
        allowed.join(", "),
        more(destinations.len())
    )
}

fn external(body: &Place<'_>) -> String {
    let address = body
        .field("networking")
        .and_then(|networking| networking.text("address"));
    let Some((host, port)) = address.and_then(|address| address.rsplit_once(':')) else {
        return "use a MeshExternalService".to_owned();
    };
    let tags = body.pairs("tags");
    let protocol = tags.iter().find(|(key, _)| key == "kuma.io/protocol");
    let protocol = protocol.map_or("tcp", |(_, value)| value.as_str());
    format!(
        "use a MeshExternalService with `match: {{type: HostnameGenerator, port: {port}, protocol: {}}}` and `endpoints: [{{address: {}, port: {port}}}]`",
        yaml::scalar(protocol),
        yaml::scalar(host)
    )
}

/// Parameters of a template, by the tags that they were read from.
fn hostname(body: &Place<'_>) -> String {
    let Some(conf) = body.field("conf") else {
        return "use a HostnameGenerator".to_owned();
    };
    let mut template = conf.text("host").unwrap_or_default().to_owned();
    for parameter in conf.items("parameters") {
        let Some(name) = parameter.text("name") else {
            continue;
        };
        let key = parameter.text("tagKey").unwrap_or(name);
        let modern = match key {
            "kuma.io/service" => "{{ .DisplayName }}".to_owned(),
            "kuma.io/zone" => "{{ .Zone }}".to_owned(),
            "k8s.kuma.io/namespace" => "{{ .Namespace }}".to_owned(),
            key => format!("{{{{ label \"{key}\" }}}}"),
        };
        for old in [format!("{{{{.{name}}}}}"), format!("{{{{ .{name} }}}}")] {
            template = template.replace(&old, &modern);
        }
    }
    format!(
        "use a HostnameGenerator with `selector: {{meshService: {{matchLabels: {{}}}}}}` and `template: '{template}'`"
    )
}

fn zone_proxy(kind: &str, body: &Place<'_>) -> String {
    let networking = body.field("networking");
    let value = |name: &str| {
        networking
            .as_ref()
            .and_then(|networking| networking.scalar(name))
    };
    let address = value("address").unwrap_or_else(|| "<address>".to_owned());
    let port = value("port").unwrap_or_else(|| "<port>".to_owned());
    let listener = format!(
        "{{type: {kind}, address: {}, port: {port}}}",
        yaml::scalar(&address)
    );
    let dataplane = format!("use a Dataplane with `listeners: [{listener}]`");
    match (kind, value("advertisedAddress")) {
        ("ZoneIngress", advertised) => {
            let address = advertised.unwrap_or_else(|| "<address>".to_owned());
            let port = value("advertisedPort").unwrap_or(port);
            format!(
                "{dataplane}, and a MeshZoneAddress with `address: {}` and `port: {port}`",
                yaml::scalar(&address)
            )
        }
        _ => dataplane,
    }
}
