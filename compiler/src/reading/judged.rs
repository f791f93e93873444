//! One document: from its envelope to a typed resource, and what can be said about it alone.
//!
//! Never looks at another document, not even of the same file.

use std::sync::Arc;

use serde_json::Value;

use super::Depth;
use crate::diag::{Diagnostic, Diagnostics};
use crate::envelope::Draft;
use crate::kinds::{self, KindInfo, Resource, legacy};
use crate::model::{Compat, Meta, Settings};
use crate::schema;

/// A document whose envelope could be read.
#[derive(Debug)]
pub(crate) struct Judged {
    pub(crate) kind: &'static KindInfo,
    /// It has a name: later stages may see it.
    pub(crate) sound: bool,
    /// Written as an older version had it: told, and not read further.
    pub(crate) legacy: bool,
    /// Without a body that can be read, the envelope alone.
    pub(crate) content: Result<Arc<Resource>, Box<Meta>>,
    /// About its body.
    pub(crate) findings: Vec<Diagnostic>,
}

impl Judged {
    pub(crate) fn meta(&self) -> &Meta {
        match &self.content {
            Ok(resource) => &resource.meta,
            Err(meta) => meta,
        }
    }

    pub(super) fn of(draft: Draft<'_>, settings: &Settings, depth: Depth) -> Self {
        let mut diagnostics = Diagnostics::default();
        if depth < Depth::Body {
            return Self {
                kind: draft.kind,
                sound: draft.sound,
                legacy: false,
                content: Err(Box::new(draft.meta)),
                findings: Vec::new(),
            };
        }
        let forms = legacy::of(&draft, settings);
        forms.report(&draft.meta.at, &mut diagnostics);
        let told = diagnostics.list.len();
        let refused = schema::check(&draft, &mut diagnostics);
        let Draft {
            kind,
            meta,
            body,
            sound,
            ..
        } = draft;
        let body_at = meta.body.clone();
        let mut found = Diagnostics::default();
        let content = kinds::read(kind, meta, body, &refused.values, &mut found);
        let new = found.list.into_iter();
        let new = new.filter(|finding| !refused.explains(finding, &body_at));
        diagnostics.list.extend(new);
        forms.silence(&mut diagnostics, told);
        Self {
            kind,
            sound,
            legacy: !forms.is_empty(),
            content: match settings.compat {
                Compat::Off => content,
                Compat::Kuma => content.map(|resource| kinds::filled(kind, resource)),
            }
            .map(Arc::new)
            .map_err(Box::new),
            findings: diagnostics.list,
        }
    }

    /// A route of the Gateway API names ports by their numbers, one for each item of `to`; a reference of the mesh cannot.
    pub(super) fn about(mut self, ports: &[Option<u32>]) -> Self {
        let resource = self.content.as_mut().ok().map(Arc::make_mut);
        let Some(resource) = resource.filter(|_| ports.iter().any(Option::is_some)) else {
            return self;
        };
        let mut body = resource.body.to_value();
        let items = body.get_mut("to").and_then(Value::as_array_mut);
        for (item, port) in items.into_iter().flatten().zip(ports) {
            let target = item.get_mut("targetRef").and_then(Value::as_object_mut);
            if let (Some(target), Some(port)) = (target, port) {
                target.insert("port".to_owned(), (*port).into());
            }
        }
        resource.body = body.into();
        self
    }
}
