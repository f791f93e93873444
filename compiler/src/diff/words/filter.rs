//! What a route does beside choosing where a request goes, in words.
//!
//! Never leaves out a part: two filters that do not do the same are not called the same.

use mesh_bundle::resource::{Filter, HeaderModifier, Mirror, PathRewrite, Redirect, Rewrite};
use serde_json::Value;

use super::Names;

/// Millionths in a percent.
const PERCENT: f64 = 10_000.0;

/// `None`: it is no filter.
pub(super) fn filter(names: &Names, value: &Value) -> Option<String> {
    // Most values are none, and are told apart without being read.
    value.get("type")?.as_str()?;
    value.get("value")?.as_object()?;
    let filter = serde_json::from_value(value.clone()).ok()?;
    Some(match filter {
        Filter::RequestHeaders(modifier) => headers("request", &modifier),
        Filter::ResponseHeaders(modifier) => headers("response", &modifier),
        Filter::Redirect(redirect) => redirected(&redirect),
        Filter::Rewrite(rewrite) => rewritten(&rewrite),
        Filter::Mirror(mirror) => mirrored(names, &mirror),
    })
}

fn headers(of: &str, modifier: &HeaderModifier) -> String {
    let HeaderModifier { set, add, remove } = modifier;
    let pairs = [("set", set), ("add", add)].into_iter();
    let pairs = pairs.flat_map(|(verb, pairs)| {
        let pairs = pairs.iter();
        pairs.map(move |pair| format!("{verb} {}: {}", pair.name, pair.value))
    });
    let removed = remove.iter().map(|name| format!("remove {name}"));
    let changes: Vec<String> = pairs.chain(removed).collect();
    format!("{of} headers {}", changes.join(", "))
}

fn redirected(redirect: &Redirect) -> String {
    let Redirect {
        scheme,
        hostname,
        port,
        path,
        status,
    } = redirect;
    let scheme = scheme.as_ref().map(|scheme| format!("{scheme}://"));
    let port = port.map(|port| format!(":{port}"));
    let place: String = [scheme, hostname.clone(), port]
        .into_iter()
        .flatten()
        .collect();
    let parts = [
        (!place.is_empty()).then_some(place),
        path.as_ref().map(replaced),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    format!("redirect {status} to {}", parts.join(" with "))
}

fn rewritten(rewrite: &Rewrite) -> String {
    let Rewrite { hostname, path } = rewrite;
    let host = hostname.as_ref().map(|name| format!("host {name}"));
    let parts: Vec<String> = host
        .into_iter()
        .chain(path.as_ref().map(replaced))
        .collect();
    format!("rewrite to {}", parts.join(" with "))
}

fn replaced(path: &PathRewrite) -> String {
    match path {
        PathRewrite::Full(path) => format!("path {path}"),
        PathRewrite::Prefix(path) => format!("prefix {path}"),
    }
}

fn mirrored(names: &Names, mirror: &Mirror) -> String {
    let share = f64::from(mirror.parts_per_million) / PERCENT;
    let cluster = mirror.cluster.as_ref();
    let to = cluster.map_or("unresolved".to_owned(), |port| names.port(port));
    format!("copy {share} % to {to}")
}
