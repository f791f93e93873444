//! A document that a fix makes: what took the place of a part of another one.
//!
//! Never refers to its own text: it is named like any resource, and written in the format of the document that it comes from.

use serde_json::{Map, Value};

use crate::yaml;

/// A resource with a `spec`, as it is put into a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewDocument {
    /// Its kind.
    pub kind: &'static str,
    /// The mesh that it belongs to.
    pub mesh: String,
    /// In Kubernetes format, the namespace.
    pub namespace: Option<String>,
    /// Its name.
    pub name: String,
    /// What it says.
    pub spec: Map<String, Value>,
    /// Another one of this kind and name serves as well, whatever it says.
    pub or_any: bool,
}

impl NewDocument {
    /// What makes two of them the same resource.
    #[must_use]
    pub fn key(&self) -> (&'static str, &str, &str) {
        (self.kind, &self.mesh, &self.name)
    }

    /// Its text, from the first key to the last line break.
    #[must_use]
    pub fn text(&self) -> String {
        let (kind, mesh) = (self.kind, yaml::scalar(&self.mesh));
        let name = yaml::scalar(&self.name);
        let head = match &self.namespace {
            None => format!("type: {kind}\nmesh: {mesh}\nname: {name}\n"),
            Some(namespace) => {
                let namespace = yaml::scalar(namespace);
                format!(
                    "apiVersion: kuma.io/v1alpha1\nkind: {kind}\nmetadata:\n  name: {name}\n  namespace: {namespace}\n  labels: {{kuma.io/mesh: {mesh}}}\n"
                )
            }
        };
        format!("{head}spec:\n{}", yaml::block(&self.spec, 2))
    }
}
