//! How parts of a configuration are written for people.
//!
//! Never shortens a name: what is shown can be searched for in the repository.

use mesh_bundle::resource::{
    Filter, HeaderMatch, HeaderModifier, PathMatch, PathRewrite, PeerMatch, RequestMatch,
    SpiffeMatch, TextMatch,
};
use mesh_bundle::{Kri, Origin};
use serde::Serialize;
use serde_json::Value;

/// A file and line; for a document that nobody wrote, its name.
pub(super) fn origin(origin: &Origin) -> String {
    match origin.line {
        0 => format!("{} {}", origin.resource.name(), origin.file),
        _ => origin.to_string(),
    }
}

/// A service port: `api:http`.
pub(super) fn port(kri: &Kri) -> String {
    format!("{}:{}", name(kri), kri.section())
}

/// A name, with its namespace where there is one.
pub(super) fn name(kri: &Kri) -> String {
    match kri.namespace() {
        "" => kri.name().to_owned(),
        namespace => format!("{}.{namespace}", kri.name()),
    }
}

/// A value as a document could hold it.
pub(super) fn json(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        value => value.to_string(),
    }
}

/// Whom a rule is about.
pub(super) fn peer(peer: &PeerMatch) -> String {
    let mut parts = Vec::new();
    match &peer.spiffe_id {
        Some(SpiffeMatch::Exact(id)) => parts.push(id.to_string()),
        Some(SpiffeMatch::Prefix(id)) => parts.push(format!("{id}… (prefix)")),
        None => {}
    }
    if let Some(sni) = &peer.sni {
        parts.push(format!("server name {sni}"));
    }
    parts.join(" and ")
}

/// Whom a rule is about, that may be about everybody.
pub(super) fn whom(whom: Option<&PeerMatch>) -> String {
    whom.map_or_else(|| "everybody".to_owned(), peer)
}

/// What a request must look like.
pub(super) fn request(matches: &RequestMatch) -> String {
    let RequestMatch {
        path,
        method,
        headers,
        query,
    } = matches;
    let mut parts = Vec::new();
    parts.extend(method.clone());
    parts.push(match path {
        None => "any path".to_owned(),
        Some(PathMatch::Exact(path)) => format!("= {path}"),
        Some(PathMatch::Prefix(path)) if path.ends_with('/') => format!("{path}*"),
        Some(PathMatch::Prefix(path)) => format!("{path}[/*]"),
        Some(PathMatch::Regex(path)) => format!("~ {path}"),
    });
    for header in headers {
        parts.push(self::header(header));
    }
    for parameter in query {
        parts.push(format!(
            "query {}{}",
            parameter.name,
            value(&parameter.value)
        ));
    }
    parts.join(", ")
}

/// What a header must look like.
pub(super) fn header(header: &HeaderMatch) -> String {
    format!("header {}{}", header.name, value(&header.value))
}

/// A value of the bundle that is written like in a document, without quotes.
pub(super) fn document(value: &impl Serialize) -> String {
    match serde_json::to_value(value).unwrap_or_default() {
        Value::String(text) => text,
        value => value.to_string(),
    }
}

fn value(value: &TextMatch) -> String {
    match value {
        TextMatch::Exact(text) => format!(" = {text}"),
        TextMatch::Prefix(text) => format!(" begins with {text}"),
        TextMatch::Regex(text) => format!(" ~ {text}"),
        TextMatch::Present => " is there".to_owned(),
        TextMatch::Absent => " is not there".to_owned(),
    }
}

/// What is done to a request, one line each.
pub(super) fn filter(filter: &Filter) -> Vec<String> {
    match filter {
        Filter::RequestHeaders(headers) => modifier("request header", headers),
        Filter::ResponseHeaders(headers) => modifier("response header", headers),
        Filter::Redirect(redirect) => {
            let mut parts = vec![format!("redirect {}", redirect.status)];
            parts.extend(
                redirect
                    .scheme
                    .as_ref()
                    .map(|scheme| format!("scheme {scheme}")),
            );
            parts.extend(
                redirect
                    .hostname
                    .as_ref()
                    .map(|host| format!("host {host}")),
            );
            parts.extend(redirect.port.map(|port| format!("port {port}")));
            parts.extend(redirect.path.as_ref().map(path));
            vec![parts.join(", ")]
        }
        Filter::Rewrite(rewrite) => {
            let mut parts = Vec::new();
            parts.extend(rewrite.hostname.as_ref().map(|host| format!("host {host}")));
            parts.extend(rewrite.path.as_ref().map(path));
            vec![format!("rewrite {}", parts.join(", "))]
        }
        Filter::Mirror(mirror) => {
            let to = mirror.cluster.as_ref().map_or("nobody".to_owned(), port);
            vec![format!(
                "mirror {} to {to}",
                percent(u64::from(mirror.parts_per_million), 1_000_000)
            )]
        }
    }
}

fn modifier(what: &str, headers: &HeaderModifier) -> Vec<String> {
    let set = headers
        .set
        .iter()
        .map(|h| format!("set {what} {}: {}", h.name, h.value));
    let add = headers
        .add
        .iter()
        .map(|h| format!("add {what} {}: {}", h.name, h.value));
    let remove = headers
        .remove
        .iter()
        .map(|name| format!("remove {what} {name}"));
    set.chain(add).chain(remove).collect()
}

fn path(path: &PathRewrite) -> String {
    match path {
        PathRewrite::Full(path) => format!("path {path}"),
        PathRewrite::Prefix(prefix) => format!("prefix {prefix}"),
    }
}

/// `12.5 %`, exact to a hundredth.
pub(super) fn percent(part: u64, whole: u64) -> String {
    let hundredths = (part * 10_000).checked_div(whole).unwrap_or(0);
    match (hundredths / 100, hundredths % 100) {
        (whole, 0) => format!("{whole} %"),
        (whole, rest) if rest % 10 == 0 => format!("{whole}.{} %", rest / 10),
        (whole, rest) => format!("{whole}.{rest:02} %"),
    }
}
