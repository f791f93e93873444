//! How values, places and people are written.
//!
//! Never shows a certificate: its fingerprint tells it apart.

use std::collections::BTreeSet;

use mesh_bundle::{Digest, Kri, SpiffeId};
use serde_json::Value;

use super::meaning::text;
use crate::flow::Reach;
use crate::flow::callers::Caller;

/// Names that are listed before the rest is counted.
pub(super) const LISTED: usize = 4;

/// `api:http`, or `api` for the service as a whole.
#[must_use]
pub(super) fn port(kri: &Kri) -> String {
    match kri.section() {
        "" => kri.name().to_owned(),
        section => format!("{}:{section}", kri.name()),
    }
}

/// What is different between identities of one mesh.
#[must_use]
pub(super) fn identity(id: &SpiffeId) -> String {
    let path = id.path();
    let short = path.strip_prefix("/workload/").unwrap_or(path);
    match short {
        "" => id.to_string(),
        short if short.contains('/') => id.to_string(),
        short => short.to_owned(),
    }
}

/// Somebody who calls.
#[must_use]
pub(super) fn caller(caller: &Caller) -> String {
    match caller {
        Caller::Named(id) => identity(id),
        other => other.to_string(),
    }
}

pub(super) fn reach(reach: Reach) -> &'static str {
    match reach {
        Reach::No => "no",
        Reach::Partly => "partly",
        Reach::Yes => "yes",
    }
}

/// A value at a place, without origins.
pub(super) fn value(path: &str, value: &Value) -> String {
    match value {
        Value::String(text) if text.starts_with("-----BEGIN") => {
            format!("certificate {}", fingerprint(text))
        }
        Value::String(text) => match text.parse::<Kri>() {
            Ok(kri) if !path.is_empty() => port(&kri),
            _ => text.clone(),
        },
        Value::Object(map) => {
            let only = |key: &str| (map.len() == 1).then(|| map.get(key)).flatten();
            if only("peer").is_some() {
                // Whom it is about, the path says.
                return "listed".to_owned();
            }
            if let Some(inner) = only("value") {
                return self::value(path, inner);
            }
            route(value).unwrap_or_else(|| text(value))
        }
        Value::Array(list) if path.ends_with("backends") => split(list),
        Value::Array(list) => {
            let list: Vec<String> = list.iter().map(|each| self::value(path, each)).collect();
            list.join(", ")
        }
        other => other.to_string(),
    }
}

fn fingerprint(text: &str) -> String {
    let digest = Digest::of(text.as_bytes()).to_string();
    digest.chars().take("sha256:".len() + 12).collect()
}

/// What an element of a list is about, where that is less than all of it.
pub(super) fn element(value: &Value) -> Option<String> {
    let map = value.as_object()?;
    if let Some(matches) = map.get("match") {
        return Some(request(matches));
    }
    if let Some(whom) = map.get("peer") {
        return Some(peer(whom));
    }
    if map.contains_key("weight") {
        let cluster = map.get("cluster").and_then(Value::as_str);
        return Some(cluster.map_or("unresolved".to_owned(), |text| {
            self::value("cluster", &text.into())
        }));
    }
    let address = map.get("address").and_then(Value::as_str)?;
    let number = map
        .get("port")
        .map_or(String::new(), |port| format!(":{port}"));
    Some(format!("{address}{number}"))
}

/// A route as a whole: where it leads.
fn route(value: &Value) -> Option<String> {
    let map = value.as_object()?;
    let backends = map.get("backends")?.as_array()?;
    let filters = map.get("filters").and_then(Value::as_array);
    let filters = filters
        .into_iter()
        .flatten()
        .filter_map(|filter| filter.get("type")?.as_str());
    let filters: Vec<&str> = filters.collect();
    let mut words = split(backends);
    if !filters.is_empty() {
        let with = if words.is_empty() { "" } else { " with " };
        words.push_str(&format!("{with}{}", filters.join(", ")));
    }
    Some(words)
}

/// Where traffic goes, in which shares: `90 api-v1:http + 10 api-v2:http`.
fn split(backends: &[Value]) -> String {
    let share = |backend: &Value| {
        let name = element(backend)?;
        Some(format!("{} {name}", backend.get("weight")?))
    };
    let shares: Vec<String> = backends.iter().filter_map(share).collect();
    shares.join(" + ")
}

/// The routes of a destination, where a document says some: `/a* 90 api-v1:http + 10 api-v2:http`.
pub(super) fn routes(destination: &Value) -> Option<String> {
    let routes = destination.get("traffic")?.get("routes")?.as_array()?;
    let said = |each: &Value| Some(format!("{}: {}", element(each)?, route(each)?));
    let said: Vec<String> = routes.iter().filter_map(said).collect();
    (!said.is_empty()).then(|| said.join("; "))
}

/// Whom a rule is about.
fn peer(value: &Value) -> String {
    let spiffe = value.get("spiffeId").map(|own| {
        let text = own.get("value").and_then(Value::as_str).unwrap_or_default();
        let star = own.get("type").and_then(Value::as_str) == Some("prefix");
        match (text.parse(), star) {
            (Ok(id), false) => identity(&id),
            (_, true) => format!("{text}*"),
            (Err(_), false) => text.to_owned(),
        }
    });
    let sni = value.get("sni").and_then(Value::as_str);
    let sni = sni.map(|name| format!("server name {name}"));
    let parts: Vec<String> = spiffe.into_iter().chain(sni).collect();
    parts.join(" with ")
}

/// What a request must look like.
pub(super) fn request(value: &Value) -> String {
    let matched = |value: &Value| {
        let text = value
            .get("value")
            .and_then(Value::as_str)
            .unwrap_or_default();
        match value
            .get("type")
            .and_then(Value::as_str)
            .unwrap_or_default()
        {
            "prefix" => format!("{}*", text.trim_end_matches('*')),
            "regex" => format!("~{text}"),
            "present" => "present".to_owned(),
            "absent" => "absent".to_owned(),
            _ => text.to_owned(),
        }
    };
    let mut parts = Vec::new();
    if let Some(method) = value.get("method").and_then(Value::as_str) {
        parts.push(method.to_owned());
    }
    if let Some(path) = value.get("path") {
        parts.push(matched(path));
    }
    for (list, sign) in [("headers", ":"), ("query", "=")] {
        let rules = value.get(list).and_then(Value::as_array);
        for rule in rules.into_iter().flatten() {
            let name = rule.get("name").and_then(Value::as_str).unwrap_or_default();
            let value = rule.get("value").map(matched).unwrap_or_default();
            parts.push(format!("{name}{sign}{value}"));
        }
    }
    match parts.is_empty() {
        true => "all other requests".to_owned(),
        false => parts.join(" "),
    }
}

/// Some names, and how many more.
pub(super) fn listed(names: &BTreeSet<String>) -> String {
    let shown: Vec<&str> = names.iter().take(LISTED).map(String::as_str).collect();
    match names.len().saturating_sub(LISTED) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}
