//! Tags of a Dataplane, which became labels, and fields that moved (language 8.1).
//!
//! Never merges what contradicts: where tags of several inbounds differ, each is told with its own.

use crate::source::Node;
use crate::yaml;

use super::{Form, Forms, Place, labels_of};

/// The forms of a Dataplane. `root` says in which format it is.
pub(super) fn find(body: &Place<'_>, root: &Node, forms: &mut Forms) {
    if let Some(probes) = body.field("probes") {
        forms.add(Form::field(
            probes.at,
            "probes",
            "remove it: probes of the kubelet reach the workload",
        ));
    }
    if let Some(metrics) = body.field("metrics") {
        let name = match root.entry("metadata") {
            Some(metadata) => metadata.value.get("name"),
            None => root.get("name"),
        };
        let name = name.and_then(Node::as_str).unwrap_or("<name>");
        let labels = yaml::mapping(&[("kuma.io/display-name", name)]);
        let help =
            format!("use a MeshMetric with `targetRef: {{kind: Dataplane, labels: {labels}}}`");
        forms.add(Form::field(metrics.at, "metrics", help));
    }
    let Some(networking) = body.field("networking") else {
        return;
    };
    advertised(&networking, forms);
    let mut first = None;
    for inbound in networking.items("inbound") {
        inbound_form(&inbound, &mut first, forms);
    }
    for outbound in networking.items("outbound") {
        outbound_form(&outbound, forms);
    }
    if let Some(services) = networking.path(&["transparentProxying", "reachableServices"]) {
        forms.add(reachable(&services));
    }
    let gateway = networking.field("gateway");
    if let Some(gateway) = gateway.filter(|gateway| gateway.text("type") == Some("BUILTIN")) {
        let help = "run a gateway of your choice beside the proxy, and use `type: DELEGATED`";
        let message = "builtin gateways do not exist any more";
        let form = Form::value(gateway.at.field("type"), message, help);
        forms.add(form.covering(gateway.at));
    }
}

/// `first` is the service of the first inbound that has one.
fn inbound_form(inbound: &Place<'_>, first: &mut Option<String>, forms: &mut Forms) {
    if let Some(interface) = inbound.field("interface") {
        forms.add(listener(&interface, inbound));
    }
    let Some(tags) = inbound.field("tags") else {
        return;
    };
    let pairs = super::pairs(tags.node);
    let tag = |key: &str| {
        pairs
            .iter()
            .find(|(name, _)| name == key)
            .map(|(_, value)| value.clone())
    };
    let mut parts = Vec::new();
    let service = tag("kuma.io/service");
    let labels: Vec<(String, String)> = labels_of(&pairs);
    let other = match (&*first, &service) {
        (Some(first), Some(service)) if first != service => Some(service.clone()),
        (None, Some(service)) => {
            *first = Some(service.clone());
            None
        }
        _ => None,
    };
    let kept = labels
        .into_iter()
        .filter(|(key, _)| other.is_none() || key != "kuma.io/workload");
    let kept: Vec<(String, String)> = kept.collect();
    if !kept.is_empty() {
        parts.push(format!(
            "`labels: {}` for the Dataplane",
            yaml::mapping(&kept)
        ));
    }
    if let Some(protocol) = tag("kuma.io/protocol") {
        parts.push(format!(
            "`protocol: {}` for the inbound",
            yaml::scalar(&protocol)
        ));
    }
    if let Some(service) = other {
        parts.push(format!(
            "a MeshService `{service}` whose `targetPort` is the name of this inbound"
        ));
    }
    let help = match parts.is_empty() {
        true => "remove it: labels of the Dataplane take the place of tags".to_owned(),
        false => format!("use {}", parts.join(", and ")),
    };
    forms.add(Form::field(tags.at, "inbound.tags", help));
}

/// `address:port:servicePort`.
fn listener(interface: &Place<'_>, inbound: &Place<'_>) -> Form {
    let text = interface.node.as_str().unwrap_or_default();
    let parts: Vec<&str> = text.rsplitn(3, ':').collect();
    let help = match parts.as_slice() {
        [service, port, address] if !address.is_empty() => {
            format!(
                "use `address: {}`, `port: {port}` and `servicePort: {service}`",
                yaml::scalar(address)
            )
        }
        [service, port] | [service, port, _] => {
            format!("use `port: {port}` and `servicePort: {service}`")
        }
        _ => "use `address`, `port` and `servicePort`".to_owned(),
    };
    let form = Form::field(interface.at.clone(), "interface", help);
    form.covering(inbound.at.field("port"))
}

fn outbound_form(outbound: &Place<'_>, forms: &mut Forms) {
    let old = ["interface", "tags", "service"];
    let Some(key) = old
        .into_iter()
        .find(|key| outbound.node.entry(key).is_some())
    else {
        return;
    };
    let tags = outbound.pairs("tags");
    let tagged = tags.iter().find(|(name, _)| name == "kuma.io/service");
    let service = tagged
        .map(|(_, value)| value.as_str())
        .or(outbound.text("service"));
    let service = yaml::scalar(service.unwrap_or("<service>"));
    let reference = format!("`backendRef: {{kind: MeshService, name: {service}, port: <port>}}`");
    let help = match (key, outbound.text("interface")) {
        ("interface", interface) => {
            match interface.and_then(|interface| interface.rsplit_once(':')) {
                Some((address, port)) if !address.is_empty() => {
                    format!(
                        "use `address: {}`, `port: {port}` and {reference}",
                        yaml::scalar(address)
                    )
                }
                Some((_, port)) => format!("use `port: {port}` and {reference}"),
                None => format!("use `address`, `port` and {reference}"),
            }
        }
        _ => format!("use {reference}"),
    };
    let form = Form::field(outbound.at.field(key), &format!("outbound.{key}"), help);
    // What is missing beside it stands in it.
    let form = form.covering(outbound.at.field("backendRef"));
    let form = match key {
        "interface" => form.covering(outbound.at.field("port")),
        _ => form,
    };
    let others = old.into_iter().filter(|other| *other != key);
    forms.add(others.fold(form, |form, other| form.covering(outbound.at.field(other))));
}

fn reachable(services: &Place<'_>) -> Form {
    let items = services.list();
    let names: Vec<&str> = items.iter().filter_map(|item| item.node.as_str()).collect();
    let help = match names.as_slice() {
        ["*"] => "remove it: everything is reachable by default".to_owned(),
        [] => "use `reachableBackends: {refs: []}`".to_owned(),
        names => {
            let refs = names
                .iter()
                .take(4)
                .map(|name| match super::ServiceTag::read(name) {
                    Some(tag) => format!(
                        "{{kind: MeshService, name: {}, namespace: {}}}",
                        yaml::scalar(tag.name),
                        yaml::scalar(tag.namespace)
                    ),
                    None => format!("{{kind: MeshService, name: {}}}", yaml::scalar(name)),
                });
            let mut refs: Vec<String> = refs.collect();
            if names.len() > refs.len() {
                refs.push("…".to_owned());
            }
            format!("use `reachableBackends: {{refs: [{}]}}`", refs.join(", "))
        }
    };
    Form::field(services.at.clone(), "reachableServices", help)
}

fn advertised(networking: &Place<'_>, forms: &mut Forms) {
    let old = ["advertisedAddress", "advertisedPort"];
    let Some(key) = old
        .into_iter()
        .find(|key| networking.node.entry(key).is_some())
    else {
        return;
    };
    let value = |name: &str, open: &str| networking.scalar(name).unwrap_or_else(|| open.to_owned());
    let help = format!(
        "use a MeshZoneAddress with `address: {}` and `port: {}`",
        value("advertisedAddress", "<address>"),
        value("advertisedPort", "<port>")
    );
    let form = Form::field(networking.at.field(key), key, help);
    forms.add(form.covering(networking.at.field("advertisedPort")));
}
