//! What some texts mean: findings, and what questions are answered from.
//!
//! Never changes: new texts have a new one.

use std::collections::BTreeMap;
use std::sync::Arc;

use mesh_bundle::Kri;

use crate::analysis::Analysis;
use crate::kinds::Resource;
use crate::policy::Table;
use crate::policy::applies::{Selection, Subject};
use crate::policy::target::{Target, TargetKind};
use crate::repository::MeshView;
use crate::service::{Instance, Service};
use crate::source::{Document, Span};

/// What the texts of a repository mean.
#[derive(Debug)]
pub(super) struct Meaning {
    pub(super) analysis: Analysis,
    whole: bool,
}

impl Meaning {
    pub(super) fn new(analysis: Analysis) -> Self {
        // What is empty has no outline either, and is nowhere.
        let read =
            |document: &Document| document.outline.is_some() || document.span == Span::default();
        let mut files = analysis.compiled.sources.files();
        let whole = files.all(|(_, file)| file.documents.iter().all(read));
        drop(files);
        Self { analysis, whole }
    }

    /// Could every document be read?
    pub(super) fn is_whole(&self) -> bool {
        self.whole
    }

    /// The meshes, by name.
    pub(super) fn views(&self) -> &[Arc<MeshView>] {
        &self.analysis.meshes
    }

    /// A mesh.
    pub(super) fn view(&self, mesh: &str) -> Option<&MeshView> {
        let of_mesh = |view: &&Arc<MeshView>| {
            let first = view.documents.first();
            first.is_some_and(|document| document.meta.kri.mesh() == mesh)
        };
        self.views().iter().find(of_mesh).map(Arc::as_ref)
    }

    /// A document, by its place.
    pub(super) fn resource(&self, file: &str, document: usize) -> Option<&Resource> {
        let resources = &self.analysis.resources;
        // They are in the order of places.
        let before = |resource: &Arc<Resource>| {
            let at = &resource.meta.at;
            (at.file.as_str(), at.document) < (file, document)
        };
        let found = resources.get(resources.partition_point(before))?;
        let at = &found.meta.at;
        (at.file == file && at.document == document).then_some(found)
    }

    /// The service that a document is.
    pub(super) fn service(&self, kri: &Kri) -> Option<&Service> {
        let services = &self.view(kri.mesh())?.services;
        services.iter().find(|service| service.meta.kri == *kri)
    }

    /// The proxies that a policy is about. `None`: it is none.
    pub(super) fn affected(&self, policy: &Resource) -> Option<Vec<Instance<'_>>> {
        self.table(policy)?;
        let view = self.view(policy.meta.kri.mesh())?;
        let target = Target::read(policy.body.get("targetRef"));
        let selection = Selection {
            meta: &policy.meta,
            target: &target,
        };
        let everybody = BTreeMap::new();
        let labels = match target.kind {
            TargetKind::Mesh => &everybody,
            _ => &target.labels,
        };
        let applies = |instance: &Instance<'_>| {
            let sections = instance.sections();
            selection.applies(&Subject {
                meta: instance.meta,
                sections: &sections,
            })
        };
        Some(view.carrying(labels).filter(applies).collect())
    }

    /// The policies of the kind of one.
    pub(super) fn table(&self, policy: &Resource) -> Option<&Table> {
        let view = self.view(policy.meta.kri.mesh())?;
        let short = policy.meta.kri.kind();
        let mut kinds = crate::kinds::KINDS.iter();
        let kind = kinds.find(|kind| kind.short == short && kind.is_policy)?;
        let tables = view.policies.all();
        tables.into_iter().find(|table| table.kind == kind.name)
    }
}
