//! The same for programs.
//!
//! Never has a shape of its own for what the bundle has one for: resources are as the bundle writes them.

use mesh_bundle::{Key, Kri, ProxyConfig};
use serde_json::{Map, Value, json};

use crate::provenance::Provenance;

pub(super) fn table(configs: &[ProxyConfig]) -> String {
    let row = |config: &ProxyConfig| {
        json!({
            "proxy": config.proxy.kri,
            "spiffeId": config.proxy.identity.as_ref().map(|identity| &identity.spiffe_id),
            "inbounds": config.inbounds.keys().collect::<Vec<_>>(),
            "outbounds": config
                .outbounds
                .iter()
                .map(|(address, outbound)| (address.clone(), json!(outbound.destination)))
                .collect::<Map<_, _>>(),
        })
    };
    text(&Value::Array(configs.iter().map(row).collect()))
}

pub(super) fn proxy(config: &ProxyConfig, provenance: &Provenance) -> String {
    text(&configuration(config, provenance))
}

/// All that is effective for a proxy, and what that overrode.
pub(super) fn configuration(config: &ProxyConfig, provenance: &Provenance) -> Value {
    let by_kri = |kri: &Kri| kri.to_string();
    let inbounds: Map<String, Value> = config
        .inbounds
        .iter()
        .map(|(name, (inbound, policy))| {
            (name.clone(), json!({"listener": inbound, "policy": policy}))
        })
        .collect();
    let destinations: Map<String, Value> = config
        .destinations
        .iter()
        .map(|(kri, destination)| (by_kri(kri), json!(destination)))
        .collect();
    let clusters: Map<String, Value> = config
        .clusters
        .iter()
        .map(|(kri, cluster)| (by_kri(kri), json!(cluster)))
        .collect();
    json!({
        "proxy": config.proxy,
        "trust": config.trust,
        "inbounds": inbounds,
        "outbounds": config.outbounds,
        "destinations": destinations,
        "clusters": clusters,
        "metrics": config.wide.metrics,
        "tracing": config.wide.tracing,
        "passthrough": config.wide.passthrough,
        "overridden": overridden(&config.proxy.kri, provenance),
    })
}

/// By resource, then by the place of the value in it.
fn overridden(proxy: &Kri, provenance: &Provenance) -> Value {
    let place = |(key, notes): (&Key, &std::sync::Arc<crate::provenance::Notes>)| {
        let notes: Map<String, Value> = notes
            .overridden
            .iter()
            .map(|(place, overridden)| {
                let values = overridden
                    .iter()
                    .map(|one| json!({"value": one.value, "origin": one.origin}));
                (place.clone(), values.collect())
            })
            .collect();
        (!notes.is_empty()).then(|| (key.to_string(), Value::Object(notes)))
    };
    let notes = provenance.notes.get(proxy);
    Value::Object(
        notes
            .into_iter()
            .flat_map(|notes| notes.iter())
            .filter_map(place)
            .collect(),
    )
}

pub(super) fn text(value: &Value) -> String {
    // What is made of JSON values has a text.
    let mut text = serde_json::to_string_pretty(value).unwrap_or_default();
    text.push('\n');
    text
}
