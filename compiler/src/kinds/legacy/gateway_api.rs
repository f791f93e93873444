//! The Gateway API, as far as it was meant for the mesh (language 7 and 8.3).
//!
//! Never claims what another gateway reads: a Gateway is ours by its class, an `HTTPRoute` by the gateway that it is attached to.
//! One that is attached to a service is read as a route of the mesh, elsewhere.

use std::collections::BTreeSet;

use crate::source::Node;

const GROUP: &str = "gateway.networking.k8s.io/";

/// What a `GatewayClass` of the mesh names as its controller.
const CONTROLLER: &str = "gateways.kuma.io/";

/// What is known of the gateways of all documents, before any is judged.
#[derive(Debug, Default)]
pub(crate) struct Gateways {
    /// Names of classes that the mesh controlled. The one that an installation makes is always one.
    classes: BTreeSet<String>,
    /// Namespaces and names of gateways of any class, with the class.
    gateways: BTreeSet<(String, String, String)>,
}

impl Gateways {
    /// Notes a document.
    pub(crate) fn note(&mut self, root: &Node) {
        if self.classes.is_empty() {
            self.classes.insert("kuma".to_owned());
        }
        let spec = root.get("spec");
        let text = |name: &str| spec.and_then(|spec| spec.get(name)).and_then(Node::as_str);
        match kind(root) {
            Some("GatewayClass")
                if text("controllerName").is_some_and(|name| name.starts_with(CONTROLLER)) =>
            {
                self.classes.insert(metadata(root, "name").to_owned());
            }
            Some("Gateway") => {
                let class = text("gatewayClassName").unwrap_or_default().to_owned();
                let namespace = namespace(root).to_owned();
                self.gateways
                    .insert((namespace, metadata(root, "name").to_owned(), class));
            }
            _ => {}
        }
    }

    /// Is this a document of the Gateway API that the mesh once read? Then what to do instead.
    pub(crate) fn replacement(&self, root: &Node) -> Option<(String, String)> {
        let name = kind(root)?;
        let spec = root.get("spec")?;
        let text = |name: &str| spec.get(name).and_then(Node::as_str).unwrap_or_default();
        let class = match name {
            "GatewayClass" => text("controllerName").starts_with(CONTROLLER),
            "Gateway" => self.classes.contains(text("gatewayClassName")),
            "HTTPRoute" => return self.route(root, spec),
            _ => false,
        };
        if class {
            super::replacement(name, root)
        } else {
            None
        }
    }

    fn route(&self, root: &Node, spec: &Node) -> Option<(String, String)> {
        let parents = spec.get("parentRefs").map(items).unwrap_or_default();
        let text = |parent: &'_ Node, name: &str| {
            parent.get(name).and_then(Node::as_str).map(str::to_owned)
        };
        for parent in parents {
            let name = text(parent, "name").unwrap_or_default();
            let namespace = text(parent, "namespace").unwrap_or_else(|| namespace(root).to_owned());
            let kind = text(parent, "kind");
            if kind.is_none_or(|kind| kind == "Gateway") && self.is_ours(&namespace, &name) {
                let (message, _) = super::replacement("HTTPRoute", root)?;
                let help = format!(
                    "run a gateway of your choice in the place of `{name}`, beside a Dataplane with `gateway: {{type: DELEGATED}}`"
                );
                return Some((message, help));
            }
        }
        None
    }

    fn is_ours(&self, namespace: &str, name: &str) -> bool {
        let mut classes = self.classes.iter();
        classes.any(|class| {
            let gateway = (namespace.to_owned(), name.to_owned(), class.clone());
            self.gateways.contains(&gateway)
        })
    }
}

/// Is this a document of the Gateway API?
pub(crate) fn is_one(root: &Node) -> bool {
    kind(root).is_some()
}

fn kind(root: &Node) -> Option<&str> {
    let version = root.get("apiVersion")?.as_str()?;
    version
        .starts_with(GROUP)
        .then(|| root.get("kind")?.as_str())
        .flatten()
}

fn metadata<'a>(root: &'a Node, name: &str) -> &'a str {
    let metadata = root.get("metadata").and_then(|metadata| metadata.get(name));
    metadata.and_then(Node::as_str).unwrap_or_default()
}

fn namespace(root: &Node) -> &str {
    match metadata(root, "namespace") {
        "" => "default",
        namespace => namespace,
    }
}

fn items(node: &Node) -> &[Node] {
    match &node.kind {
        crate::source::NodeKind::Sequence(items, _) => items,
        _ => &[],
    }
}
