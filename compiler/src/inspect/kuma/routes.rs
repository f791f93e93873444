//! `_routes`: the rules of all routes to a destination, merged.
//!
//! Never in the order of trying: rules stand as they were merged, the strongest first.

use mesh_bundle::Kri;
use serde_json::{Value, json};

use crate::inspect::asked::Proxy;
use crate::inspect::effective::{Effective, is_route};

use super::policies::{origins, towards};

pub(super) fn of_outbound(proxy: &Proxy<'_>, outbound: &Kri) -> Value {
    let towards = towards(outbound);
    let merged = proxy.route_rules(&towards);
    let tables = proxy.tables().into_iter().filter(|table| is_route(table));
    let effective = tables.filter_map(|table| proxy.towards(table, &towards));
    let routes = effective.map(|effective: Effective| {
        let rules = effective.conf.get("rules").and_then(Value::as_array);
        let rules = rules
            .into_iter()
            .flatten()
            .enumerate()
            .map(|(place, rule)| {
                // Kuma does not say which document a TCP route is of.
                let of = merged
                    .get(place)
                    .filter(|_| effective.kind == "MeshHTTPRoute");
                json!({
                    "kri": of.map_or(String::new(), |rule| rule.by.resource.to_string()),
                    "matches": rule.get("matches"),
                    "conf": rule.get("default"),
                })
            });
        json!({
            "kind": effective.kind,
            "origins": origins(&effective.origins),
            "rules": rules.collect::<Vec<_>>(),
        })
    });
    json!({"routes": routes.collect::<Vec<_>>()})
}
