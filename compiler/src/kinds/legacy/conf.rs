//! Fields inside of the confs of policies that moved (language 8.1).
//!
//! Never shows what a document holds as a secret: helps repeat names, addresses and numbers only.

use crate::yaml;

use super::{Form, Forms, Place};

/// Forms in every conf of a policy.
pub(super) fn find(spec: &Place<'_>, kind: &str, forms: &mut Forms) {
    let items = spec.items("to").into_iter().chain(spec.items("rules"));
    let confs = items.filter_map(|item| item.field("default"));
    for conf in confs.chain(spec.field("default")) {
        match kind {
            "MeshLoadBalancingStrategy" => hash_policies(&conf, forms),
            "MeshHealthCheck" => panic_threshold(&conf, forms),
            "MeshAccessLog" => backends(&conf, &["file", "tcp", "openTelemetry"], forms),
            "MeshTrace" => backends(&conf, &["zipkin", "datadog", "openTelemetry"], forms),
            "MeshMetric" => {
                backends(&conf, &[], forms);
                sidecar(&conf, forms);
            }
            _ => return,
        }
    }
}

fn hash_policies(conf: &Place<'_>, forms: &mut Forms) {
    for algorithm in ["ringHash", "maglev"] {
        let path = ["loadBalancer", algorithm, "hashPolicies"];
        if let Some(policies) = conf.path(&path) {
            let help = "move it up: `hashPolicies` is a field of `default`, beside `loadBalancer`";
            let name = format!("{algorithm}.hashPolicies");
            forms.add(Form::field(policies.at, &name, help));
        }
    }
}

fn panic_threshold(conf: &Place<'_>, forms: &mut Forms) {
    let Some(threshold) = conf.field("healthyPanicThreshold") else {
        return;
    };
    let value = conf.scalar("healthyPanicThreshold");
    let value = value.unwrap_or_else(|| "<percentage>".to_owned());
    let help = format!(
        "make a MeshCircuitBreaker with the same `to`, and `default: {{outlierDetection: {{disabled: true, healthyPanicThreshold: {value}}}}}`"
    );
    forms.add(Form::field(threshold.at, "healthyPanicThreshold", help));
}

/// Backends without a type, and with the address of a collector in the policy.
fn backends(conf: &Place<'_>, members: &[&str], forms: &mut Forms) {
    for backend in conf.items("backends") {
        let set = members
            .iter()
            .filter(|name| backend.node.get(name).is_some());
        let set: Vec<&&str> = set.collect();
        if let ([member], None) = (set.as_slice(), backend.node.get("type")) {
            let (first, rest) = member.split_at(1);
            let name = format!("{}{rest}", first.to_uppercase());
            let message = format!("a backend is not known by its `{member}` alone any more");
            let help = format!("add `type: {name}`");
            forms.add(Form::value(backend.at.clone(), message, help));
        }
        if let Some(endpoint) = backend.path(&["openTelemetry", "endpoint"]) {
            let help = collector(endpoint.node.as_str().unwrap_or_default());
            forms.add(
                Form::field(endpoint.at, "openTelemetry.endpoint", help)
                    .covering(backend.at.field("openTelemetry").field("backendRef")),
            );
        }
    }
}

fn collector(endpoint: &str) -> String {
    let (address, port) = endpoint.rsplit_once(':').unwrap_or((endpoint, "4317"));
    let labels = |c: char| !c.is_ascii_alphanumeric() && c != '-';
    let name = address
        .split(labels)
        .next()
        .unwrap_or_default()
        .to_lowercase();
    let starts = name.starts_with(|c: char| c.is_ascii_lowercase());
    let name = if starts { name.as_str() } else { "collector" };
    let address = match address.is_empty() {
        true => "<address>".to_owned(),
        false => yaml::scalar(address),
    };
    let labels = yaml::mapping(&[("kuma.io/display-name", name)]);
    format!(
        "make a MeshOpenTelemetryBackend `{name}` with `endpoint: {{address: {address}, port: {port}}}`, and refer to it: `backendRef: {{kind: MeshOpenTelemetryBackend, labels: {labels}}}`"
    )
}

fn sidecar(conf: &Place<'_>, forms: &mut Forms) {
    let Some(sidecar) = conf.field("sidecar") else {
        return;
    };
    if let Some(regex) = sidecar.field("regex") {
        let pattern = regex
            .node
            .as_str()
            .map_or_else(|| "<regex>".to_owned(), yaml::scalar);
        let help = format!("use `profiles: {{include: [{{type: Regex, match: {pattern}}}]}}`");
        forms.add(Form::field(regex.at, "sidecar.regex", help));
    }
    if let Some(used) = sidecar.field("usedOnly") {
        let all = sidecar.scalar("usedOnly").as_deref() != Some("true");
        let help = format!("use `includeUnused: {all}`");
        forms.add(Form::field(used.at, "sidecar.usedOnly", help));
    }
}
