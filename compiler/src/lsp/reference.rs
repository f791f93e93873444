//! What a place of a document refers to: by the kind and the labels or the name that stand there.
//!
//! Never decides what a policy is about: tables and catalogues do, and this asks them.

use std::collections::BTreeMap;

use super::meaning::Meaning;
use crate::diag::{Pointer, Step};
use crate::json::Json;
use crate::kinds::{self, Resource};
use crate::model::Meta;
use crate::policy::applies::Selection;
use crate::policy::carries;
use crate::policy::target::{DISPLAY_NAME, Target, TargetKind};
use crate::repository::MeshView;
use crate::service::Service;
use crate::source::Node;

/// A reference as it is written.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Reference {
    /// Of what is referred to.
    pub(super) kind: String,
    pub(super) labels: BTreeMap<String, String>,
    pub(super) name: Option<String>,
    /// The mapping that is the reference; or the value that is the name.
    pub(super) at: Pointer,
    /// As JSON.
    value: Json,
}

/// Something that is referred to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Referred<'a> {
    pub(super) meta: &'a Meta,
    /// Where it is a service, or what stands for one.
    pub(super) service: Option<&'a Service>,
}

/// The fields whose `matchLabels` select, and what.
const SELECTORS: [(&str, &str); 5] = [
    ("dataplane", "Dataplane"),
    ("dataplaneLabels", "Dataplane"),
    ("meshExternalService", "MeshExternalService"),
    ("meshMultiZoneService", "MeshMultiZoneService"),
    ("meshService", "MeshService"),
];

/// The innermost reference that a place is in.
pub(super) fn reference(root: &Node, pointer: &Pointer) -> Option<Reference> {
    (1..=pointer.steps.len()).rev().find_map(|depth| {
        let steps = pointer.steps.iter().take(depth).cloned().collect();
        let at = Pointer { steps };
        let node = root.find(&at)?;
        let field = |back: usize| {
            let step = depth.checked_sub(back).and_then(|at| pointer.steps.get(at));
            match step {
                Some(Step::Field(name)) => Some(name.as_str()),
                _ => None,
            }
        };
        let text = |name: &str| Some(node.get(name)?.as_str()?.to_owned());
        let own = field(1);
        let of_mesh = (depth == 1 && own == Some("mesh")) || own == Some("kuma.io/mesh");
        let (kind, labels, name) = match own {
            _ if of_mesh => ("Mesh".to_owned(), None, Some(node.as_str()?.to_owned())),
            Some("matchLabels") => {
                let (_, kind) = SELECTORS.iter().find(|(name, _)| field(2) == Some(*name))?;
                ((*kind).to_owned(), Some(node), None)
            }
            // Selects the workloads of a MeshService in an older form.
            Some("dataplaneTags") => return None,
            _ => (text("kind")?, node.get("labels"), text("name")),
        };
        let pairs = labels.into_iter().flat_map(Node::entries);
        let pairs =
            pairs.filter_map(|entry| Some((entry.key.clone(), entry.value.as_str()?.to_owned())));
        Some(Reference {
            labels: pairs.collect(),
            value: node.to_json().into(),
            kind,
            name,
            at,
        })
    })
}

/// The mesh that a document belongs to, as it says.
pub(super) fn mesh(root: &Node) -> String {
    let own = root.get("mesh").and_then(Node::as_str);
    let labels = || {
        root.get("metadata")?
            .get("labels")?
            .get("kuma.io/mesh")?
            .as_str()
    };
    own.or_else(labels).unwrap_or("default").to_owned()
}

impl Reference {
    /// What is referred to. `own` is the document, where it is known.
    pub(super) fn targets<'a>(
        &self,
        meaning: &'a Meaning,
        mesh: &str,
        own: Option<&Resource>,
    ) -> Vec<Referred<'a>> {
        let plain = |meta: &'a Meta| Referred {
            meta,
            service: None,
        };
        let named = |meta: &Meta| {
            self.name
                .as_ref()
                .is_none_or(|name| meta.kri.name() == name)
        };
        if self.kind == "Mesh" {
            let name = self.name.as_deref().unwrap_or(mesh);
            let resources = meaning
                .analysis
                .resources
                .iter()
                .map(|resource| &*resource.meta);
            let found = resources.filter(|meta| meta.kri.kind() == "m" && meta.kri.name() == name);
            return found.map(plain).collect();
        }
        let (Some(view), Some(kind)) = (meaning.view(mesh), kinds::find(&self.kind)) else {
            return Vec::new();
        };
        // Of nothing nothing is selected.
        if self.labels.is_empty() && self.name.is_none() {
            return Vec::new();
        }
        let target = self.target(own);
        let selected = |meta: &Meta| named(meta) && carries(&meta.labels, &target.labels);
        match self.kind.as_str() {
            "Dataplane" => {
                let policy = own.filter(|own| own.body.get("targetRef") == Some(&self.value));
                let found = view.carrying(&target.labels).map(|instance| instance.meta);
                let found = found.filter(|meta| selected(meta));
                let found = found.filter(|meta| {
                    policy.is_none_or(|policy| {
                        let (meta, target, policy) = (meta, &target, &policy.meta);
                        Selection {
                            meta: policy,
                            target,
                        }
                        .reaches(meta)
                    })
                });
                found.map(plain).collect()
            }
            "MeshService" | "MeshExternalService" | "MeshMultiZoneService" => {
                let services = view.services.iter();
                let found = services
                    .filter(|service| service.kind().as_str() == self.kind)
                    .filter(|service| selected(&service.meta));
                found
                    .map(|service| Referred {
                        meta: &service.meta,
                        service: Some(service),
                    })
                    .collect()
            }
            _ => {
                let of_kind = view.of_kind(kind.short).iter();
                let metas = of_kind.map(|resource| &*resource.meta);
                metas.filter(|meta| selected(meta)).map(plain).collect()
            }
        }
    }

    /// As policies read it.
    fn target(&self, own: Option<&Resource>) -> Target {
        let mut target = Target::read(Some(&self.value));
        target.labels.clone_from(&self.labels);
        let items = own.and_then(|own| own.body.get("to")?.as_array());
        let mut items = items.into_iter().flatten();
        if let Some(own) = own
            && items.any(|item| item.get("targetRef") == Some(&self.value))
        {
            target.confine(&own.meta);
        }
        target
    }
}

/// What could be referred to, of a kind.
pub(super) fn candidates<'a>(view: &'a MeshView, kind: &str) -> Vec<Referred<'a>> {
    let is_service = [
        TargetKind::MeshService,
        TargetKind::MeshExternalService,
        TargetKind::MeshMultiZoneService,
    ]
    .iter()
    .any(|service| service.as_str() == kind);
    if is_service {
        let services = view.services.iter();
        let services = services.filter(|service| service.kind().as_str() == kind);
        let referred = services.map(|service| Referred {
            meta: &service.meta,
            service: Some(service),
        });
        return referred.collect();
    }
    let short = kinds::find(kind).map_or("", |kind| kind.short);
    let documents = view.of_kind(short).iter();
    let documents = documents.filter(|document| !document.meta.virtual_document);
    let referred = documents.map(|document| Referred {
        meta: &document.meta,
        service: None,
    });
    referred.collect()
}

/// The label that every resource is found by.
pub(super) const NAME: &str = DISPLAY_NAME;
