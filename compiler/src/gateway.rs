//! Routes of the Gateway API that are attached to services of the mesh (GAMMA), read as `MeshHTTPRoute`s (language 7).
//!
//! Never reads what is attached to a gateway: that is for the gateway. Nothing of a route is passed over in silence, and all
//! that is made of one stands where it was written, so that findings and origins lead there.

mod filter;
mod grant;
mod rule;
mod tree;

use crate::diag::{Code, Diagnostic, Diagnostics, Location, Pointer, Severity};
use crate::similar;
use crate::source::{Node, NodeKind, Span};

pub(crate) use grant::ungranted;

use tree::{items, list, mapping, text};

const GROUP: &str = "gateway.networking.k8s.io/";
const DISPLAY_NAME: &str = "kuma.io/display-name";
const NAMESPACE: &str = "k8s.kuma.io/namespace";

/// What `spec` can hold.
const SPEC: [&str; 4] = ["parentRefs", "hostnames", "rules", "useDefaultGateways"];

/// A document that is made of a route.
#[derive(Debug)]
pub(crate) struct Made {
    /// A `MeshHTTPRoute` in Kubernetes format.
    pub(crate) root: Node,
    /// The number of the one port that each item of `to` is about, where it is about one.
    pub(crate) ports: Vec<Option<u32>>,
}

/// A service that a route is attached to.
struct Parent<'a> {
    node: &'a Node,
    name: &'a Node,
    namespace: Option<&'a Node>,
    port: Option<u32>,
    section: Option<&'a Node>,
}

/// Is this a route that is attached to a service, whatever else it is attached to?
pub(crate) fn is_route(root: &Node) -> bool {
    let text = |name: &str| root.get(name).and_then(Node::as_str);
    let ours = text("apiVersion").is_some_and(|version| version.starts_with(GROUP));
    ours && text("kind") == Some("HTTPRoute") && parents(root).any(|(_, parent)| is_service(parent))
}

/// What a route becomes: a producer route for the services of its own namespace, a consumer route for those of others.
pub(crate) fn routes(root: &Node, at: &Location, diagnostics: &mut Diagnostics) -> Vec<Made> {
    let mut told = Told { at, diagnostics };
    let spec_at = Pointer::default().field("spec");
    let Some(spec) = root.get("spec") else {
        return Vec::new();
    };
    told.only(
        root,
        &Pointer::default(),
        &["apiVersion", "kind", "metadata", "spec", "status"],
    );
    told.only(spec, &spec_at, &SPEC);
    if let Some(hostnames) = spec.entry("hostnames")
        && !items(&hostnames.value).is_empty()
    {
        let message = "a route of a service is about all of its names: `hostnames` has no effect";
        let help = "match the header `host` in the rules, or attach the route to a gateway alone";
        told.warn(Code::NO_EFFECT, &spec_at.field("hostnames"), message)
            .help(help);
    }
    let namespace = namespace(root);
    let (mut own, mut others) = (Vec::new(), Vec::new());
    for (index, parent) in parents(root).filter(|(_, parent)| is_service(parent)) {
        let at = spec_at.field("parentRefs").index(index);
        if let Some(parent) = Parent::read(parent, &at, &mut told) {
            let of = parent.namespace.and_then(Node::as_str);
            match of.is_none_or(|of| of == namespace) {
                true => own.push(parent),
                false => others.push(parent),
            }
        }
    }
    let Some(rules) = rule::rules(spec, &spec_at, namespace, &mut told) else {
        return Vec::new();
    };
    let both = !own.is_empty() && !others.is_empty();
    let mut made = Vec::new();
    for (parents, is_producer) in [(own, true), (others, false)] {
        let suffix = if both && !is_producer {
            "-consumer"
        } else {
            ""
        };
        if !parents.is_empty() {
            made.push(document(
                root,
                namespace,
                &parents,
                is_producer,
                suffix,
                &rules,
            ));
        }
    }
    made
}

fn document(
    root: &Node,
    namespace: &str,
    parents: &[Parent<'_>],
    is_producer: bool,
    suffix: &str,
    rules: &Node,
) -> Made {
    let span = |key: &str| root.entry(key).map_or(root.span, |entry| entry.key_span);
    let first = parents.first().map_or(root.span, |parent| parent.node.span);
    let target = match is_producer {
        true => mapping(vec![("kind", first, text("Mesh", first))], first),
        false => {
            let labels = vec![(NAMESPACE, first, text(namespace, first))];
            let labels = mapping(labels, first);
            let kind = text("Dataplane", first);
            mapping(
                vec![("kind", first, kind), ("labels", first, labels)],
                first,
            )
        }
    };
    let to = parents.iter().map(|parent| {
        let fields = vec![
            ("targetRef", parent.name.span, parent.target(namespace)),
            ("rules", first_key(rules), rules.clone()),
        ];
        mapping(fields, parent.node.span)
    });
    let spec = vec![
        ("targetRef", first, target),
        ("to", first, list(to.collect(), first)),
    ];
    let metadata = root.entry("metadata").map(|entry| entry.value.clone());
    let metadata = metadata.map_or_else(|| mapping(Vec::new(), root.span), |it| named(it, suffix));
    let version = text("kuma.io/v1alpha1", span("apiVersion"));
    let fields = vec![
        ("apiVersion", span("apiVersion"), version),
        ("kind", span("kind"), text("MeshHTTPRoute", span("kind"))),
        ("metadata", span("metadata"), metadata),
        ("spec", span("spec"), mapping(spec, span("spec"))),
    ];
    Made {
        root: mapping(fields, root.span),
        ports: parents.iter().map(|parent| parent.port).collect(),
    }
}

fn first_key(rules: &Node) -> Span {
    Span {
        start: rules.span.start,
        end: rules.span.start,
    }
}

/// The metadata of a route that becomes two.
fn named(mut metadata: Node, suffix: &str) -> Node {
    if let NodeKind::Mapping(entries, _) = &mut metadata.kind {
        for entry in entries.iter_mut().filter(|entry| entry.key == "name") {
            if let NodeKind::Text(name, _) = &mut entry.value.kind {
                name.push_str(suffix);
            }
        }
    }
    metadata
}

fn parents(root: &Node) -> impl Iterator<Item = (usize, &Node)> {
    let parents = root.get("spec").and_then(|spec| spec.get("parentRefs"));
    parents.map(items).unwrap_or_default().iter().enumerate()
}

/// Of the core or of the mesh. Everything else is for others.
fn is_service(parent: &Node) -> bool {
    let kind = parent.get("kind").and_then(Node::as_str);
    matches!(kind, Some("Service" | "MeshService"))
}

/// Where a document of Kubernetes stands that does not say so.
fn namespace(root: &Node) -> &str {
    let metadata = root.get("metadata");
    let namespace = metadata.and_then(|metadata| metadata.get("namespace"));
    namespace.and_then(Node::as_str).unwrap_or("default")
}

impl<'a> Parent<'a> {
    fn read(node: &'a Node, at: &Pointer, told: &mut Told<'_>) -> Option<Self> {
        let known = ["group", "kind", "name", "namespace", "port", "sectionName"];
        told.only(node, at, &known);
        let name = node.get("name").filter(|name| name.as_str().is_some());
        let Some(name) = name else {
            told.missing(at, "name");
            return None;
        };
        let port = node.get("port").map(Node::to_json);
        let number = port.as_ref().and_then(serde_json::Value::as_u64);
        let number = number.and_then(|port| u32::try_from(port).ok());
        if port.is_some() && number.is_none_or(|port| port == 0 || port > 65535) {
            told.invalid(&at.field("port"), "a port must be 1 to 65535");
        }
        Some(Self {
            node,
            name,
            namespace: node.get("namespace"),
            port: number,
            section: node.get("sectionName"),
        })
    }

    /// The reference that takes its place.
    fn target(&self, namespace: &str) -> Node {
        let (node, name) = (self.node, self.name);
        let own = || text(namespace, name.span);
        let labels = vec![
            (DISPLAY_NAME, name.span, name.clone()),
            (
                NAMESPACE,
                name.span,
                self.namespace.cloned().unwrap_or_else(own),
            ),
        ];
        let kind = node.entry("kind").map_or(node.span, |kind| kind.value.span);
        let mut fields = vec![
            ("kind", kind, text("MeshService", kind)),
            ("labels", name.span, mapping(labels, name.span)),
        ];
        if let Some(section) = self.section {
            fields.push(("sectionName", section.span, section.clone()));
        }
        mapping(fields, node.span)
    }
}

/// What is found in a route before it is read as one of the mesh.
struct Told<'a> {
    at: &'a Location,
    diagnostics: &'a mut Diagnostics,
}

impl Told<'_> {
    fn tell(&mut self, code: Code, at: &Pointer, message: impl Into<String>) -> &mut Diagnostic {
        let at = Location {
            pointer: at.clone(),
            ..self.at.clone()
        };
        self.diagnostics.push(Diagnostic::new(code, at, message))
    }

    fn warn(&mut self, code: Code, at: &Pointer, message: impl Into<String>) -> &mut Diagnostic {
        let finding = self.tell(code, at, message);
        finding.at.key = true;
        finding.severity = Severity::Warning;
        finding
    }

    fn invalid(&mut self, at: &Pointer, message: &str) -> &mut Diagnostic {
        self.tell(Code::INVALID_VALUE, at, message)
    }

    fn missing(&mut self, at: &Pointer, name: &str) -> &mut Diagnostic {
        self.tell(Code::MISSING_FIELD, at, format!("`{name}` must be set"))
    }

    /// Keys that nobody here reads.
    fn only(&mut self, node: &Node, at: &Pointer, known: &[&str]) {
        for entry in node.entries() {
            let key = entry.key.as_str();
            if known.contains(&key) {
                continue;
            }
            let finding = self.tell(
                Code::UNKNOWN_FIELD,
                &at.field(key),
                format!("there is no field `{key}` here"),
            );
            finding.at.key = true;
            match similar::nearest(key, known.iter().copied()) {
                Some(near) => finding.help(format!("did you mean `{near}`?")),
                None => finding.help(format!(
                    "the fields are {}",
                    similar::listed(known.iter().copied(), "and")
                )),
            };
        }
    }
}

#[cfg(test)]
mod tests;
