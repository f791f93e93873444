//! Which routes may refer to services of another namespace: those that a `ReferenceGrant` of that namespace names.
//!
//! Never resolves a reference: a granted one can still lead nowhere.

use std::collections::BTreeSet;

use crate::diag::{Code, Diagnostic, Location, Pointer};
use crate::source::Node;
use crate::yaml;

use super::tree::items;
use super::{GROUP, is_route, namespace};

/// Who may refer to what: the namespace of the route, the namespace, group and kind of the service, and its name where the
/// grant is for one.
type Grant = (String, String, String, String, Option<String>);

/// References across namespaces that nothing allows, of all documents of the Gateway API.
pub(crate) fn ungranted<'a>(
    documents: impl Iterator<Item = &'a (Location, Node)> + Clone,
) -> Vec<Diagnostic> {
    let mut grants = BTreeSet::new();
    for (_, root) in documents.clone() {
        grants.extend(granted(root));
    }
    let routes = documents.filter(|(_, root)| is_route(root));
    let found = routes.flat_map(|(at, root)| {
        let references = references(root).into_iter();
        let grants = &grants;
        references.filter_map(move |(pointer, one)| refused(at, root, &pointer, one, grants))
    });
    found.collect()
}

/// What a document grants.
fn granted(root: &Node) -> Vec<Grant> {
    let text = |node: &Node, name: &str| {
        let text = node.get(name).and_then(Node::as_str);
        text.unwrap_or_default().to_owned()
    };
    let is_grant = text(root, "kind") == "ReferenceGrant";
    let Some(spec) = root.get("spec").filter(|_| is_grant) else {
        return Vec::new();
    };
    let listed = |name: &str| spec.get(name).map(items).unwrap_or_default();
    let routes = listed("from").iter().filter(|from| {
        text(from, "kind") == "HTTPRoute" && format!("{}/", text(from, "group")) == GROUP
    });
    let mut grants = Vec::new();
    for from in routes {
        for to in listed("to") {
            let name = to.get("name").and_then(Node::as_str).map(str::to_owned);
            grants.push((
                text(from, "namespace"),
                namespace(root).to_owned(),
                text(to, "group"),
                text(to, "kind"),
                name,
            ));
        }
    }
    grants
}

/// Every reference of a route to where requests or copies of them go.
fn references(root: &Node) -> Vec<(Pointer, &Node)> {
    let Some(spec) = root.get("spec") else {
        return Vec::new();
    };
    let mut found = Vec::new();
    let rules_at = Pointer::default().field("spec").field("rules");
    let rules = spec.get("rules").map(items).unwrap_or_default();
    for (index, rule) in rules.iter().enumerate() {
        let at = rules_at.index(index);
        let backends = rule.get("backendRefs").map(items).unwrap_or_default();
        let places = (0..).map(|index| at.field("backendRefs").index(index));
        found.extend(places.zip(backends));
        let filters = rule.get("filters").map(items).unwrap_or_default();
        for (index, filter) in filters.iter().enumerate() {
            let mirror = filter.get("requestMirror");
            if let Some(backend) = mirror.and_then(|mirror| mirror.get("backendRef")) {
                let at = at.field("filters").index(index).field("requestMirror");
                found.push((at.field("backendRef"), backend));
            }
        }
    }
    found
}

fn refused(
    at: &Location,
    root: &Node,
    pointer: &Pointer,
    one: &Node,
    grants: &BTreeSet<Grant>,
) -> Option<Diagnostic> {
    let own = namespace(root);
    let text = |name: &str| one.get(name).and_then(Node::as_str);
    let other = text("namespace").filter(|other| *other != own)?;
    let name = text("name")?;
    let kind = text("kind").unwrap_or("Service");
    let group = text("group").unwrap_or(if kind == "Service" { "" } else { "kuma.io" });
    let grant = |name: Option<&str>| {
        let (own, other) = (own.to_owned(), other.to_owned());
        (
            own,
            other,
            group.to_owned(),
            kind.to_owned(),
            name.map(str::to_owned),
        )
    };
    if grants.contains(&grant(None)) || grants.contains(&grant(Some(name))) {
        return None;
    }
    let at = Location {
        pointer: pointer.field("namespace"),
        ..at.clone()
    };
    let message =
        format!("nothing in the namespace `{other}` lets routes of `{own}` refer to its `{kind}`s");
    let mut finding = Diagnostic::new(Code::DANGLING_REF, at, message);
    let to = yaml::mapping(&[("group", group), ("kind", kind)]);
    finding.help(format!(
        "add a ReferenceGrant to `{other}` with `from: [{{group: gateway.networking.k8s.io, kind: HTTPRoute, namespace: {own}}}]` and `to: [{to}]`"
    ));
    Some(finding)
}
