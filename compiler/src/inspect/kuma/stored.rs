//! Documents as Kuma has them stored: their names and labels as they are written.
//!
//! Never shows what was computed, but of documents that nobody wrote.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::diag::Pointer;
use crate::kinds::KINDS;
use crate::model::{Format, Meta};
use crate::source::{Node, Sources};

use super::Api;

/// The documents of each file, as they were read: of a key that is written twice, the last counts.
pub(super) fn written(sources: &Sources) -> BTreeMap<&str, Vec<Option<Node>>> {
    let files = sources.files().map(|(path, _)| {
        let mut trees = sources.trees(path);
        trees.iter_mut().flatten().for_each(Node::keep_last);
        (path, trees)
    });
    files.collect()
}

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
                written(&["metadata", "name"]).map(|name| match meta.kri.namespace() {
                    "" => name,
                    namespace => format!("{name}.{namespace}"),
                })
            }
        };
        name.unwrap_or_else(|| meta.kri.name().to_owned())
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
        self.name(meta) == name || meta.kri.name() == name
    }

    /// What Kuma says of a resource wherever it mentions one.
    pub(super) fn meta(&self, meta: &Meta) -> Value {
        let kind = KINDS.iter().find(|kind| kind.short == meta.kri.kind());
        json!({
            "type": kind.map_or("", |kind| kind.name),
            "mesh": meta.kri.mesh(),
            "name": self.name(meta),
            "labels": self.labels(meta),
        })
    }

    fn written(&self, meta: &Meta, path: &[&str]) -> Option<Value> {
        let pointer = path
            .iter()
            .fold(Pointer::default(), |at, name| at.field(*name));
        let documents = self.written.get(meta.at.file.as_str())?;
        let root = documents.get(meta.at.document)?.as_ref()?;
        let node = root.find(&pointer);
        node.filter(|_| !meta.virtual_document).map(Node::to_json)
    }
}
