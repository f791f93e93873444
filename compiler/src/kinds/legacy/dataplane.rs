//! Tags of a Dataplane, which became labels, and fields that moved (language 8.1).
//!
//! Never merges what contradicts: where tags of several inbounds differ, each is told with its own.

use serde_json::{Map, Value, json};

use crate::diag::Change;
use crate::source::Node;
use crate::yaml;

use super::inbound::Tagged;
use super::{Form, Forms, Home, Place, ServiceTag};

/// The forms of a Dataplane. `root` says in which format it is.
pub(super) fn find(body: &Place<'_>, root: &Node, home: &Home<'_>, forms: &mut Forms) {
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
    let inbounds = networking.items("inbound");
    let mut tagged = Tagged::of(&inbounds, root, home);
    for inbound in &inbounds {
        if let Some(interface) = inbound.field("interface") {
            forms.add(listener(&interface, inbound));
        }
        if let Some(tags) = inbound.field("tags") {
            forms.add(tagged.form(inbound, &tags));
        }
    }
    for outbound in networking.items("outbound") {
        outbound_form(&outbound, forms);
    }
    if let Some(proxying) = networking.field("transparentProxying")
        && let Some(services) = proxying.field("reachableServices")
    {
        forms.add(reachable(&services, &proxying));
    }
    let gateway = networking.field("gateway");
    if let Some(gateway) = gateway.filter(|gateway| gateway.text("type") == Some("BUILTIN")) {
        let help = "run a gateway of your choice beside the proxy, and use `type: DELEGATED`";
        let message = "builtin gateways do not exist any more";
        let form = Form::value(gateway.at.field("type"), message, help);
        forms.add(form.covering(gateway.at));
    }
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
    let numbers = |text: &&str| text.parse::<u16>().is_ok();
    let form = match parts.as_slice() {
        [service, port, rest @ ..]
            if numbers(service) && numbers(port) && inbound.node.entry("port").is_none() =>
        {
            let address = rest.iter().filter(|address| !address.is_empty());
            let address = address.map(|address| ("address", Value::from(*address)));
            let number = |text: &str| text.parse::<u16>().map_or(Value::Null, Value::from);
            let others = address.chain([("servicePort", number(service))]);
            let others = others.filter(|(name, _)| inbound.node.entry(name).is_none());
            let insert = |(name, value): (&str, Value)| {
                Change::Insert(inbound.at.clone(), name.to_owned(), value)
            };
            let mut changes = vec![
                Change::Rename(interface.at.clone(), "port".to_owned()),
                Change::Replace(interface.at.clone(), number(port)),
            ];
            changes.extend(others.map(insert));
            form.safely(changes)
        }
        _ => form,
    };
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
    let named = tagged
        .map(|(_, value)| value.as_str())
        .or(outbound.text("service"));
    let service = yaml::scalar(named.unwrap_or("<service>"));
    let modern = named.and_then(port_of_service);
    let reference = match &modern {
        Some(modern) => format!("`backendRef: {}`", yaml::flow(modern)),
        None => format!("`backendRef: {{kind: MeshService, name: {service}, port: <port>}}`"),
    };
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
    let alone = |other: &&str| *other == key || outbound.node.entry(other).is_none();
    let form = match modern {
        Some(modern) if key == "tags" && old.iter().all(alone) => form.unsafely(vec![
            Change::Rename(outbound.at.field(key), "backendRef".to_owned()),
            Change::Replace(outbound.at.field(key), modern),
        ]),
        _ => form.left_to_you("which port of the service it leads to is not written here"),
    };
    // What is missing beside it stands in it.
    let form = form.covering(outbound.at.field("backendRef"));
    let form = match key {
        "interface" => form.covering(outbound.at.field("port")),
        _ => form,
    };
    let others = old.into_iter().filter(|other| *other != key);
    forms.add(others.fold(form, |form, other| form.covering(outbound.at.field(other))));
}

/// A reference to what the name of a service says, where that names a port of it.
fn port_of_service(name: &str) -> Option<Value> {
    let tag = ServiceTag::read(name)?;
    let port: u16 = tag.port?.parse().ok()?;
    let labels =
        json!({ "kuma.io/display-name": tag.name, "k8s.kuma.io/namespace": tag.namespace });
    Some(json!({ "kind": "MeshService", "labels": labels, "port": port }))
}

/// Services by their names, which is what references are made of.
fn backends(services: &[&str]) -> Value {
    let reference = |name: &&str| {
        let mut made = Map::from_iter([("kind".to_owned(), Value::from("MeshService"))]);
        match ServiceTag::read(name) {
            Some(tag) => {
                made.insert("name".to_owned(), tag.name.into());
                made.insert("namespace".to_owned(), tag.namespace.into());
            }
            None => {
                made.insert("name".to_owned(), (*name).into());
            }
        }
        Value::Object(made)
    };
    json!({ "refs": services.iter().map(reference).collect::<Vec<_>>() })
}

fn reachable(services: &Place<'_>, proxying: &Place<'_>) -> Form {
    let items = services.list();
    let names: Vec<&str> = items.iter().filter_map(|item| item.node.as_str()).collect();
    let help = match names.as_slice() {
        ["*"] => "remove it: everything is reachable by default".to_owned(),
        [] => "use `reachableBackends: {refs: []}`".to_owned(),
        names if names.len() > 4 => {
            let few = yaml::flow(&backends(names.get(..4).unwrap_or_default()));
            format!(
                "use `reachableBackends: {}, …]}}`",
                few.trim_end_matches("]}")
            )
        }
        names => format!("use `reachableBackends: {}`", yaml::flow(&backends(names))),
    };
    let form = Form::field(services.at.clone(), "reachableServices", help);
    let at = services.at.clone();
    if proxying.node.entry("reachableBackends").is_some() || names.len() != items.len() {
        return form;
    }
    match names.contains(&"*") {
        true => form.safely(vec![Change::Remove(at)]),
        // Whether there are services of these names is for other documents to say.
        false => form.unsafely(vec![
            Change::Rename(at.clone(), "reachableBackends".to_owned()),
            Change::Replace(at, backends(&names)),
        ]),
    }
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
