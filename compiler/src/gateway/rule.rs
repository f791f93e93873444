//! The rules of a route: what they match, and where requests go.
//!
//! Never looks for what is referred to; whether a route may refer to another namespace is for the grants of that namespace.

use crate::diag::{Code, Pointer};
use crate::source::{MappingEntry, Node, NodeKind, Span};

use super::tree::{each, fields, items, list, lower, mapping, text, with};
use super::{DISPLAY_NAME, NAMESPACE, Told, filter};

/// What of a rule other resources of the mesh do, each with the one that does.
const ELSEWHERE: [(&str, &str); 3] = [
    (
        "timeouts",
        "use a MeshTimeout `to` the MeshHTTPRoute of this name",
    ),
    (
        "retry",
        "use a MeshRetry `to` the MeshHTTPRoute of this name",
    ),
    (
        "sessionPersistence",
        "use a MeshLoadBalancingStrategy with `hashPolicies`",
    ),
];

/// The rules of a spec. One that does not say what it matches is about everything, and so is a route without rules. `None`
/// where they are no list.
pub(super) fn rules(
    spec: &Node,
    at: &Pointer,
    namespace: &str,
    told: &mut Told<'_>,
) -> Option<Node> {
    let at = at.field("rules");
    let Some(rules) = spec.get("rules") else {
        return Some(list(Vec::new(), spec.span));
    };
    if !matches!(rules.kind, NodeKind::Sequence(..)) {
        let message = format!("`rules` must be a list, found {}", rules.noun());
        told.tell(Code::WRONG_TYPE, &at, message);
        return None;
    }
    Some(each(rules, |(index, one)| {
        Some(rule(one, &at.index(index), namespace, told))
    }))
}

fn rule(rule: &Node, at: &Pointer, namespace: &str, told: &mut Told<'_>) -> Node {
    let mut known = vec!["name", "matches", "filters", "backendRefs"];
    known.extend(ELSEWHERE.map(|(name, _)| name));
    told.only(rule, at, &known);
    for (name, help) in ELSEWHERE {
        if rule.get(name).is_some() {
            let message = format!("`{name}` of a route has no effect in this version");
            told.warn(Code::NOT_IMPLEMENTED, &at.field(name), message)
                .help(help);
        }
    }
    let start = rule
        .entries()
        .first()
        .map_or(rule.span, |first| first.key_span);
    let key = |name: &str| rule.entry(name).map_or(start, |entry| entry.key_span);
    let matches = rule
        .get("matches")
        .filter(|matches| !items(matches).is_empty());
    let matches = matches.map_or_else(
        || list(vec![everything(start)], start),
        |matches| each(matches, |(_, one)| Some(matched(one))),
    );
    let mut conf = Vec::new();
    if let Some(filters) = rule.get("filters") {
        let at = at.field("filters");
        let filters = each(filters, |(index, one)| {
            filter::filter(one, &at.index(index), namespace, told)
        });
        conf.push(("filters", key("filters"), filters));
    }
    if let Some(backends) = rule.get("backendRefs") {
        let at = at.field("backendRefs");
        let backends = each(backends, |(index, one)| {
            backend(one, &at.index(index), namespace, told)
        });
        conf.push(("backendRefs", key("backendRefs"), backends));
    }
    let fields = vec![
        ("matches", key("matches"), matches),
        ("default", start, mapping(conf, rule.span)),
    ];
    mapping(fields, rule.span)
}

/// One match, with what it leaves out: the prefix `/`, whole values.
fn matched(one: &Node) -> Node {
    let matched = fields(one, |key, value| match key {
        "path" => path(value),
        "headers" => each(value, |(_, header)| {
            let header = with(header.clone(), "type", "Exact");
            Some(fields(&header, |key, value| match key {
                "name" => lower(value),
                _ => value.clone(),
            }))
        }),
        "queryParams" => each(value, |(_, one)| Some(with(one.clone(), "type", "Exact"))),
        _ => value.clone(),
    });
    let NodeKind::Mapping(mut entries, layout) = matched.kind else {
        return matched;
    };
    // Unlike in a match of the mesh, where one without a path is tried after all that have one.
    let named = entries.iter_mut().find(|entry| entry.key == "path");
    match named {
        Some(path) if !path.value.is_null() => {}
        Some(path) => path.value = every_path(path.key_span),
        None => {
            let key_span = entries.first().map_or(one.span, |first| first.key_span);
            entries.push(MappingEntry {
                key: "path".to_owned(),
                key_span,
                value: every_path(key_span),
            });
        }
    }
    Node {
        kind: NodeKind::Mapping(entries, layout),
        span: one.span,
    }
}

/// A match that is about everything.
fn everything(at: Span) -> Node {
    mapping(vec![("path", at, every_path(at))], at)
}

fn every_path(at: Span) -> Node {
    let path = vec![
        ("type", at, text("PathPrefix", at)),
        ("value", at, text("/", at)),
    ];
    mapping(path, at)
}

/// A prefix with a slash at its end matches what it matches without.
fn path(path: &Node) -> Node {
    let path = with(with(path.clone(), "type", "PathPrefix"), "value", "/");
    let prefix = path.get("type").and_then(Node::as_str) == Some("PathPrefix");
    fields(&path, |key, value| match (key, value.as_str()) {
        ("value", Some(prefixed)) if prefix && prefixed.len() > 1 => {
            text(prefixed.strip_suffix('/').unwrap_or(prefixed), value.span)
        }
        _ => value.clone(),
    })
}

/// A reference to a service, as the mesh refers to one.
pub(super) fn backend(
    one: &Node,
    at: &Pointer,
    namespace: &str,
    told: &mut Told<'_>,
) -> Option<Node> {
    let known = [
        "group",
        "kind",
        "name",
        "namespace",
        "port",
        "weight",
        "filters",
    ];
    told.only(one, at, &known);
    if one
        .get("filters")
        .is_some_and(|filters| !items(filters).is_empty())
    {
        let message =
            "filters of one backend are not possible: a rule has filters for all of its backends";
        told.tell(Code::UNSUPPORTED, &at.field("filters"), message)
            .help("move them to the rule, or make a rule of its own for this backend");
    }
    let kind = match one
        .get("kind")
        .map(|kind| kind.as_str().unwrap_or_default())
    {
        None | Some("Service" | "MeshService") => "MeshService",
        Some("MeshExternalService") => "MeshExternalService",
        Some("MeshMultiZoneService") => "MeshMultiZoneService",
        Some(other) => {
            let message = format!("a route cannot send requests to a `{other}`");
            told.tell(Code::UNSUPPORTED, &at.field("kind"), message)
                .help("refer to a Service, a MeshService or a MeshExternalService");
            return None;
        }
    };
    let Some(name) = one.get("name").filter(|name| name.as_str().is_some()) else {
        told.missing(at, "name");
        return None;
    };
    if kind == "MeshService" && one.get("port").is_none() {
        told.missing(at, "port")
            .help("`port` is the port of the service");
    }
    let span = |key: &str| one.entry(key).map_or(name.span, |entry| entry.key_span);
    let own = || text(namespace, name.span);
    let labels = vec![
        (DISPLAY_NAME, name.span, name.clone()),
        (
            NAMESPACE,
            name.span,
            one.get("namespace").cloned().unwrap_or_else(own),
        ),
    ];
    let mut made = vec![
        ("kind", span("kind"), text(kind, span("kind"))),
        ("labels", name.span, mapping(labels, name.span)),
    ];
    for key in ["port", "weight"] {
        made.extend(one.get(key).map(|value| (key, span(key), value.clone())));
    }
    Some(mapping(made, one.span))
}
