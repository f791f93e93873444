//! The role of a policy: whom it speaks for, and to whom (language 4.4).
//!
//! Never reads more of a policy than the references of its `to` items.

use serde_json::Value;

use super::Written;
use super::reader::Reader;
use crate::diag::{Code, Location};
use crate::model::Format;

/// The role, where the kind is a policy.
pub(super) fn of(reader: &mut Reader<'_>, written: &Written) -> Option<&'static str> {
    if !written.kind.is_policy {
        return None;
    }
    let namespace = written.namespace.as_str();
    let system =
        written.format == Format::Universal || namespace == reader.settings.system_namespace;
    if system {
        return Some("system");
    }
    let items = written
        .body
        .as_ref()
        .and_then(|body| body.get("to"))
        .and_then(Value::as_array);
    let items = items.map(Vec::as_slice).unwrap_or_default();
    let produced =
        |item: &Value| is_producer(item.get("targetRef").unwrap_or(&Value::Null), namespace);
    let Some(first) = items.first().map(produced) else {
        return Some("workload-owner");
    };
    let (role, other) = if first {
        ("producer", "consumer")
    } else {
        ("consumer", "producer")
    };
    let Some(odd) = items.iter().position(|item| produced(item) != first) else {
        return Some(role);
    };
    let to = written.body_at.field("to");
    let first_at = Location {
        pointer: to.index(0),
        ..reader.at.clone()
    };
    reader
        .error(
            Code::MIXED_ROLES,
            &to.index(odd),
            format!("this item is for a {other} policy, the first one for a {role} policy"),
        )
        .related(first_at, format!("this makes it a {role} policy"))
        .help("write two policies: one for the services of this namespace, one for all others");
    Some(role)
}

/// An item that configures how everybody reaches a service of the policy's own namespace.
fn is_producer(target: &Value, namespace: &str) -> bool {
    let text = |value: Option<&Value>| value.and_then(Value::as_str).map(str::to_owned);
    let kind = text(target.get("kind"));
    if !matches!(kind.as_deref(), Some("MeshService" | "MeshHTTPRoute")) {
        return false;
    }
    let Some(labels) = target.get("labels").and_then(Value::as_object) else {
        return false;
    };
    let only = labels.iter().all(|(key, value)| match key.as_str() {
        "kuma.io/display-name" => true,
        "k8s.kuma.io/namespace" => value.as_str() == Some(namespace),
        _ => false,
    });
    only && labels.contains_key("kuma.io/display-name")
}
