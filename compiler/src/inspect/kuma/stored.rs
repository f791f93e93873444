//! Documents as Kuma has them stored: their names and labels as they are written.
//!
//! Never shows what was computed, but of documents that nobody wrote.

use serde_json::{Value, json};

use crate::diag::Pointer;
use crate::kinds::{KINDS, Resource};
use crate::model::{Format, Meta};
use crate::source::Node;

use super::Api;

impl Api<'_> {
    /// The name in the store.
    pub(super) fn name(&self, meta: &Meta) -> String {
        let written = |path: &[&str]| {
            let value = self.written(meta, path)?;
            value.as_str().map(str::to_owned)
        };
        let name = match meta.format {
            Format::Universal => written(&["name"]),
            Format::Kubernetes => {
                written(&["metadata", "name"]).map(|name| match meta.kri.namespace.as_str() {
                    "" => name,
                    namespace => format!("{name}.{namespace}"),
                })
            }
        };
        name.unwrap_or_else(|| meta.kri.name.clone())
    }

    /// The labels in the store.
    pub(super) fn labels(&self, meta: &Meta) -> Value {
        let path: &[&str] = match meta.format {
            Format::Universal => &["labels"],
            Format::Kubernetes => &["metadata", "labels"],
        };
        match self.written(meta, path) {
            Some(labels) if labels.is_object() => labels,
            _ if meta.virtual_document => json!(meta.labels),
            _ => json!({}),
        }
    }

    /// Is this its name in the store, or the one that people see?
    pub(super) fn goes_by(&self, meta: &Meta, name: &str) -> bool {
        self.name(meta) == name || meta.kri.name == name
    }

    /// What Kuma says of a resource wherever it mentions one.
    pub(super) fn meta(&self, meta: &Meta) -> Value {
        let kind = KINDS.iter().find(|kind| kind.short == meta.kri.kind);
        json!({
            "type": kind.map_or("", |kind| kind.name),
            "mesh": meta.kri.mesh,
            "name": self.name(meta),
            "labels": self.labels(meta),
        })
    }

    /// The documents of the mesh.
    pub(super) fn documents(&self) -> impl Iterator<Item = &Resource> {
        let views = self.asked.meshes.iter();
        let documents = views.flat_map(|view| view.documents.iter().copied());
        documents.filter(|document| document.meta.kri.mesh == self.mesh)
    }

    fn written(&self, meta: &Meta, path: &[&str]) -> Option<Value> {
        let pointer = path
            .iter()
            .fold(Pointer::default(), |at, name| at.field(*name));
        let trees = self.asked.analysis.compiled.sources.trees(&meta.at.file);
        let mut root = trees.into_iter().nth(meta.at.document)??;
        // As it was read: of a key that is written twice, the last counts.
        root.keep_last();
        let node = root.find(&pointer);
        node.filter(|_| !meta.virtual_document).map(Node::to_json)
    }
}
