//! Where what a reference leads to is written, and what refers to a document.
//!
//! Never leads to what nobody wrote: of a generated service, to the proxy that it is made of.

use std::collections::BTreeSet;

use gen_lsp_types::{DefinitionParams, Location, ReferenceParams};

use super::hover::is_name;
use super::question::Question;
use super::reference;
use crate::diag::{self, Pointer};
use crate::json::Json;
use crate::kinds::Resource;
use crate::model::Meta;
use crate::policy::carries;
use crate::policy::target::Target;

/// Places that an editor lists.
const MOST: usize = 1_000;

/// The answer to where it is written.
pub(super) fn definition(
    question: &Question<'_>,
    params: &DefinitionParams,
) -> Option<Vec<Location>> {
    let spot = question.spot(params.text_document_position_params.position)?;
    let reference = reference::reference(&spot.root, &spot.pointer)?;
    let mesh = reference::mesh(&spot.root);
    let own = question.resource(&spot);
    let targets = reference.targets(question.meaning()?, &mesh, own);
    let mut seen = BTreeSet::new();
    // A policy that every mesh has by default is in no file.
    let targets = targets
        .iter()
        .filter(|referred| referred.service.is_some() || !referred.meta.virtual_document)
        .map(|referred| referred.meta);
    let targets = targets.filter(|meta| seen.insert(super::question::named(meta)));
    Some(
        targets
            .take(MOST)
            .map(|meta| question.definition(meta))
            .collect(),
    )
}

/// The answer to what refers to it.
pub(super) fn references(
    question: &Question<'_>,
    params: &ReferenceParams,
) -> Option<Vec<Location>> {
    let spot = question.spot(params.text_document_position_params.position)?;
    if !is_name(&spot.pointer) {
        return None;
    }
    let own = question.resource(&spot)?;
    let view = question.meaning()?.view(own.meta.kri.mesh())?;
    let mut found = Vec::new();
    for document in &view.documents {
        if document.meta.virtual_document {
            continue;
        }
        let mut places = Vec::new();
        walk(&document.body, &Pointer::default(), &mut places);
        let meant = places
            .into_iter()
            .filter(|(_, written)| means(written, document, &own.meta));
        found.extend(meant.map(|(at, _)| document.meta.within(&at)));
    }
    let location = |at: &diag::Location| Location {
        uri: question.folder.uri(&at.file).into(),
        range: question.range_of(at),
    };
    Some(found.iter().take(MOST).map(location).collect())
}

/// Everything in a body that could be a reference.
fn walk<'v>(value: &'v Json, at: &Pointer, found: &mut Vec<(Pointer, &'v Json)>) {
    match value {
        Json::Fields(fields) => {
            if value.get("kind").and_then(Json::as_str).is_some() {
                found.push((at.clone(), value));
            }
            for (name, value) in &**fields {
                walk(value, &at.field(&**name), found);
            }
        }
        Json::List(items) => {
            for (index, item) in items.iter().enumerate() {
                walk(item, &at.index(index), found);
            }
        }
        _ => {}
    }
}

/// Does a reference of a document lead to another?
fn means(written: &Json, document: &Resource, meta: &Meta) -> bool {
    let kind = written.get("kind").and_then(Json::as_str);
    let short = kind.and_then(crate::kinds::find).map(|kind| kind.short);
    if short != Some(meta.kri.kind()) {
        return false;
    }
    if let Some(name) = written.get("name").and_then(Json::as_str) {
        return name == meta.kri.name();
    }
    let mut target = Target::read(Some(written));
    target.confine(&document.meta);
    !target.labels.is_empty() && carries(&meta.labels, &target.labels)
}
