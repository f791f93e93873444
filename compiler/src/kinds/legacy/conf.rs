//! Fields inside of the confs of policies that moved (language 8.1).
//!
//! Never shows what a document holds as a secret: helps repeat names, addresses and numbers only.

use serde_json::json;

use crate::diag::Change;
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
            let form = Form::field(policies.at.clone(), &name, help);
            let value = policies.node.to_json();
            forms.add(match conf.node.entry("hashPolicies").is_none() {
                true => form.safely(vec![
                    Change::Insert(conf.at.clone(), "hashPolicies".to_owned(), value),
                    Change::Remove(policies.at),
                ]),
                false => form,
            });
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
            let change = Change::Insert(backend.at.clone(), "type".to_owned(), name.into());
            forms.add(Form::value(backend.at.clone(), message, help).safely(vec![change]));
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
        let form = Form::field(regex.at.clone(), "sidecar.regex", help);
        let pattern = regex
            .node
            .as_str()
            .filter(|_| sidecar.node.entry("profiles").is_none());
        forms.add(match pattern {
            Some(pattern) => form.safely(vec![
                Change::Rename(regex.at.clone(), "profiles".to_owned()),
                Change::Replace(
                    regex.at,
                    json!({ "include": [{ "type": "Regex", "match": pattern }] }),
                ),
            ]),
            None => form,
        });
    }
    if let Some(used) = sidecar.field("usedOnly") {
        let all = sidecar.scalar("usedOnly").as_deref() != Some("true");
        let help = format!("use `includeUnused: {all}`");
        let form = Form::field(used.at.clone(), "sidecar.usedOnly", help);
        forms.add(match sidecar.node.entry("includeUnused").is_none() {
            true => form.safely(vec![
                Change::Rename(used.at.clone(), "includeUnused".to_owned()),
                Change::Replace(used.at, all.into()),
            ]),
            false => form,
        });
    }
}
