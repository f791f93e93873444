//! What is shown over a place: what a field is for, what a reference leads to, what is effective, what a document is about.
//!
//! Never says what a document does not say of itself: field by field it is what the reference pages say.

mod document;
mod effective;

use gen_lsp_types::{Hover, HoverParams};

use super::cursor::Spot;
use super::page::Page;
use super::question::Question;
use super::reference::{self, Referred};
use super::schema::{self, Shape};
use crate::diag::{Pointer, Step};

/// The answer.
pub(super) fn hover(question: &Question<'_>, params: &HoverParams) -> Option<Hover> {
    let position = params.text_document_position_params.position;
    let spot = question.spot(position)?;
    let mut page = Page::new(question.client.markdown);
    effective::show(question, &spot, &mut page);
    refer(question, &spot, &mut page);
    if is_name(&spot.pointer) {
        document::show(question, &spot, &mut page);
    }
    field(&spot, &mut page);
    if page.is_empty() {
        return None;
    }
    Some(Hover {
        contents: page.contents(),
        range: Some(question.range(spot.span)),
    })
}

/// Is it what names the document, or its kind?
pub(super) fn is_name(pointer: &Pointer) -> bool {
    let [first, rest @ ..] = pointer.steps.as_slice() else {
        return false;
    };
    let named = |step: &Step, names: &[&str]| matches!(step, Step::Field(name) if names.contains(&name.as_str()));
    match rest {
        [] => named(first, &["type", "kind", "name"]),
        [second] => named(first, &["metadata"]) && named(second, &["name"]),
        _ => false,
    }
}

/// What a field is for.
fn field(spot: &Spot, page: &mut Page) {
    let shape = Shape::of_document(&spot.root).at(&spot.pointer);
    let at_kind = matches!(spot.pointer.steps.as_slice(), [Step::Field(name)] if name == "type" || name == "kind");
    if at_kind
        && !spot.on_key
        && let Some(kind) = schema::kind(&spot.root)
    {
        let mut kinds = schema::kinds().into_iter();
        if let Some((_, purpose)) = kinds.find(|(name, _)| *name == kind) {
            page.add(format!("{}: {purpose}", page.strong(kind)));
        }
        return;
    }
    let Some((Step::Field(name), around)) = spot.pointer.steps.split_last() else {
        return;
    };
    let around = Pointer {
        steps: around.to_vec(),
    };
    // Of a key that the user has chosen there is nothing to be said.
    if shape.is_empty() || Shape::of_document(&spot.root).at(&around).is_map() {
        return;
    }
    let remark = shape.remark();
    page.add(format!("{}: {}", page.strong(name), shape.noun()));
    page.add(remark.text);
    if remark.required {
        page.add("It must be set.");
    }
    if let Some(default) = remark.default {
        page.add(format!("Default: {default}"));
    }
    if let Some(built_in) = remark.built_in {
        page.add(format!("Where no policy sets it: {built_in}"));
    }
}

/// What a reference leads to.
fn refer(question: &Question<'_>, spot: &Spot, page: &mut Page) {
    let found = reference::reference(&spot.root, &spot.pointer);
    let (Some(reference), Some(meaning)) = (found, question.meaning()) else {
        return;
    };
    let mesh = reference::mesh(&spot.root);
    let own = question.resource(spot);
    let targets = reference.targets(meaning, &mesh, own);
    let kind = &reference.kind;
    if targets.is_empty() {
        // A mesh that nobody declares is no mistake of this place.
        if kind != "Mesh" {
            page.add(format!("no {kind} is meant by this"));
        }
        return;
    }
    let line = |referred: &Referred<'_>| {
        let name = format!("{kind} `{}`", referred.meta.kri.name());
        let ports = referred.service.map(|service| {
            let ports = service.ports.iter();
            let ports = ports.map(|port| match port.section == port.number.to_string() {
                true => format!("{} ({})", port.number, port.protocol.as_str()),
                false => format!(
                    "{} `{}` ({})",
                    port.number,
                    port.section,
                    port.protocol.as_str()
                ),
            });
            let ports: Vec<String> = ports.collect();
            ports.join(", ")
        });
        let ports = ports.filter(|ports| !ports.is_empty());
        let ports = ports.map_or_else(String::new, |ports| format!(", ports {ports}"));
        let at = place(question, page, referred);
        format!("{name}{ports}: {at}")
    };
    let lines: Vec<String> = targets.iter().map(line).collect();
    page.list(lines.into_iter());
}

/// Where something is, as a link.
fn place(question: &Question<'_>, page: &Page, referred: &Referred<'_>) -> String {
    let meta = referred.meta;
    let Some(meaning) = question.meaning() else {
        return String::new();
    };
    let line = meaning.analysis.compiled.sources.line(&meta.at);
    let uri = question.folder.uri(&meta.at.file);
    if let Some(service) = referred
        .service
        .filter(|service| service.meta.virtual_document)
    {
        let from = page.link(&format!("{}:{line}", meta.at.file), &uri, line);
        return format!("{} of {from}", service.origin.file);
    }
    page.link(&format!("{}:{line}", meta.at.file), &uri, line)
}
