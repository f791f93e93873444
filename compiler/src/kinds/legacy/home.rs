//! Where documents belong that take the place of a part of another one.
//!
//! Never passes one that has an error: a fix makes nothing that somebody would have to mend.

use serde_json::{Map, Value};

use crate::diag::NewDocument;
use crate::kinds;
use crate::model::{Format, Meta, Mode, Settings};
use crate::reading;

/// Where documents of a document belong.
#[derive(Debug)]
pub(crate) struct Home<'a> {
    mesh: &'a str,
    /// Of the document itself.
    namespace: &'a str,
    format: Format,
    settings: &'a Settings,
}

impl<'a> Home<'a> {
    /// Of a document. What a Mesh becomes belongs to that mesh.
    pub(crate) fn of(meta: &'a Meta, settings: &'a Settings) -> Self {
        let mesh = match meta.kri.mesh() {
            "" => meta.kri.name(),
            mesh => mesh,
        };
        Self {
            mesh,
            namespace: meta.kri.namespace(),
            format: meta.format,
            settings,
        }
    }

    /// Of a document of which no more is known than its settings.
    pub(crate) fn unknown(settings: &'a Settings) -> Self {
        Self {
            mesh: "default",
            namespace: "",
            format: Format::Universal,
            settings,
        }
    }

    pub(super) fn mesh(&self) -> &'a str {
        self.mesh
    }

    pub(super) fn namespace(&self) -> &'a str {
        self.namespace
    }

    /// A document of this name, in the format of the one that it comes from. In Kubernetes it belongs to the operator of the
    /// mesh, as a policy that is for all proxies and a service that is not made of one have to.
    pub(super) fn document(&self, kind: &'static str, name: &str, spec: Value) -> NewDocument {
        let namespace = match self.format {
            Format::Universal => None,
            Format::Kubernetes => Some(self.settings.system_namespace.clone()),
        };
        NewDocument {
            kind,
            mesh: self.mesh.to_owned(),
            namespace,
            name: name.to_owned(),
            spec: match spec {
                Value::Object(spec) => spec,
                _ => Map::new(),
            },
            or_any: false,
        }
    }

    /// The zone of every document, where all are of one.
    pub(super) fn zone(&self) -> Option<&'a str> {
        let known = self.settings.mode == Mode::Zone && self.settings.knows_zone();
        known.then_some(self.settings.zone.as_str())
    }

    /// What is wrong with a document that would be made.
    pub(super) fn flaw(&self, made: &NewDocument) -> Option<String> {
        debug_assert!(kinds::find(made.kind).is_some(), "{}", made.kind);
        reading::first_error(&made.text(), self.settings)
    }
}
