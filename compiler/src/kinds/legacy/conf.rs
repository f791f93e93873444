//! Fields inside of the confs of policies that moved (language 8.1).
//!
//! Never shows what a document holds as a secret: helps repeat names, addresses and numbers only.

use serde_json::json;

use crate::diag::Change;
use crate::yaml;

use super::{Form, Forms, Home, Place};

/// Where collectors listen unless they say otherwise.
const DEFAULT_PORT: u16 = 4317;

/// Forms in every conf of a policy.
pub(super) fn find(spec: &Place<'_>, kind: &str, home: &Home<'_>, forms: &mut Forms) {
    let items = spec.items("to").into_iter().chain(spec.items("rules"));
    let confs = items.filter_map(|item| item.field("default"));
    for conf in confs.chain(spec.field("default")) {
        match kind {
            "MeshLoadBalancingStrategy" => hash_policies(&conf, forms),
            "MeshHealthCheck" => panic_threshold(&conf, forms),
            "MeshAccessLog" => {
                backends(&conf, &["file", "tcp", "openTelemetry"], forms);
                formats(&conf, forms);
            }
            "MeshTrace" => backends(&conf, &["zipkin", "datadog", "openTelemetry"], forms),
            "MeshMetric" => sidecar(&conf, forms),
            _ => return,
        }
        if ["MeshAccessLog", "MeshTrace", "MeshMetric"].contains(&kind) {
            collectors(&conf, home, forms);
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

/// Backends without a type.
fn backends(conf: &Place<'_>, members: &[&str], forms: &mut Forms) {
    for backend in conf.items("backends") {
        untyped(&backend, "a backend", members, forms);
    }
}

/// Formats of records without a type.
fn formats(conf: &Place<'_>, forms: &mut Forms) {
    for backend in conf.items("backends") {
        for member in ["file", "tcp"] {
            if let Some(format) = backend.path(&[member, "format"]) {
                untyped(&format, "a format", &["plain", "json"], forms);
            }
        }
    }
}

/// What was known by its only member alone.
fn untyped(place: &Place<'_>, noun: &str, members: &[&str], forms: &mut Forms) {
    let set = members.iter().filter(|name| place.node.get(name).is_some());
    let set: Vec<&&str> = set.collect();
    if let ([member], None) = (set.as_slice(), place.node.get("type")) {
        let (first, rest) = member.split_at(1);
        let name = format!("{}{rest}", first.to_uppercase());
        let message = format!("{noun} is not known by its `{member}` alone any more");
        let help = format!("add `type: {name}`");
        let change = Change::Insert(place.at.clone(), "type".to_owned(), name.into());
        forms.add(Form::value(place.at.clone(), message, help).safely(vec![change]));
    }
}

/// Collectors by their address, which are resources of their own now.
fn collectors(conf: &Place<'_>, home: &Home<'_>, forms: &mut Forms) {
    for backend in conf.items("backends") {
        let Some(endpoint) = backend.path(&["openTelemetry", "endpoint"]) else {
            continue;
        };
        let collector = Collector::at(endpoint.node.as_str().unwrap_or_default());
        let reference = backend.at.field("openTelemetry").field("backendRef");
        let form = Form::field(
            endpoint.at.clone(),
            "openTelemetry.endpoint",
            collector.help(),
        );
        let referred = backend.path(&["openTelemetry", "backendRef"]);
        let form = match (&collector.port, referred) {
            (_, Some(_)) => form.unsafely(vec![Change::Remove(endpoint.at)]),
            (Some(port), None) => {
                let spec = json!({ "endpoint": { "address": collector.address, "port": port } });
                let made = home.document("MeshOpenTelemetryBackend", &collector.name, spec);
                let labels = json!({ "kuma.io/display-name": collector.name });
                let refers = json!({ "kind": "MeshOpenTelemetryBackend", "labels": labels });
                let changes = vec![
                    Change::Rename(endpoint.at.clone(), "backendRef".to_owned()),
                    Change::Replace(endpoint.at, refers),
                ];
                form.moving(vec![made], changes, true, home)
            }
            (None, None) => form.left_to_you("the endpoint has no port that is a number"),
        };
        forms.add(form.covering(reference));
    }
}

/// Where spans, metrics and records went.
struct Collector<'a> {
    /// Made of the address, so that one collector gets one name in all documents.
    name: String,
    address: &'a str,
    port: Option<u16>,
}

impl<'a> Collector<'a> {
    fn at(endpoint: &'a str) -> Self {
        let (address, port) = match endpoint.rsplit_once(':') {
            Some((address, port)) => (address, port.parse().ok()),
            None => (endpoint, Some(DEFAULT_PORT)),
        };
        let mut name: String = address
            .chars()
            .map(|c| match c.to_ascii_lowercase() {
                c if c.is_ascii_lowercase() || c.is_ascii_digit() || c == '.' => c,
                _ => '-',
            })
            .collect();
        if let Some(port) = port.filter(|port| *port != DEFAULT_PORT) {
            name.push_str(&format!("-{port}"));
        }
        // The value of a label is not longer.
        name.truncate(63);
        let name = name.trim_matches(['-', '.']).to_owned();
        Self {
            name,
            address,
            port,
        }
    }

    fn help(&self) -> String {
        let address = match self.address.is_empty() {
            true => "<address>".to_owned(),
            false => yaml::scalar(self.address),
        };
        let port = self.port.unwrap_or(DEFAULT_PORT);
        let labels = yaml::mapping(&[("kuma.io/display-name", self.name.as_str())]);
        format!(
            "make a MeshOpenTelemetryBackend `{}` with `endpoint: {{address: {address}, port: {port}}}`, and refer to it: `backendRef: {{kind: MeshOpenTelemetryBackend, labels: {labels}}}`",
            self.name
        )
    }
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
