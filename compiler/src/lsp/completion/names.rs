//! Names that documents have, labels that they carry, ports of services.
//!
//! Never offers a label that, with the others that are written, nothing carries.

use std::collections::{BTreeMap, BTreeSet};

use gen_lsp_types::CompletionItemKind;

use super::super::meaning::Meaning;
use super::super::question::Question;
use super::super::reference::{self, NAME, Referred, candidates};
use super::{Gap, Offer, pairs, word};
use crate::diag::{Pointer, Step};
use crate::policy::carries;
use crate::service::Instance;
use crate::source::Node;
use crate::yaml;

/// The keys of labels.
pub(super) fn labels(question: &Question<'_>, gap: &Gap) -> Vec<Offer> {
    let Some((carriers, written)) = carriers(question, &gap.root, &gap.pointer) else {
        return Vec::new();
    };
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for referred in &carriers {
        for key in referred.meta.labels.keys() {
            *counts.entry(key).or_default() += 1;
        }
    }
    counts.retain(|key, _| !written.contains_key(*key));
    let offer = |(key, count): (&str, usize)| Offer {
        text: match gap.has_colon {
            true => yaml::scalar(key),
            false => format!("{}: ", yaml::scalar(key)),
        },
        detail: format!("carried by {count}"),
        // What finds one by its name is what is meant most.
        rank: u8::from(key != NAME) + u8::from(key.contains("kuma.io/") && key != NAME),
        ..word(key, CompletionItemKind::Property)
    };
    let mut offers: Vec<Offer> = counts.into_iter().map(offer).collect();
    offers.sort_by_key(|offer| offer.rank);
    offers
}

/// What can be the value at a place, where that is a name of something.
pub(super) fn values(question: &Question<'_>, gap: &Gap) -> Vec<Offer> {
    let Some((Step::Field(name), around)) = gap.pointer.steps.split_last() else {
        return Vec::new();
    };
    let around = Pointer {
        steps: around.to_vec(),
    };
    let parent = around.steps.last();
    if matches!(parent, Some(Step::Field(parent)) if parent == "labels" || parent == "matchLabels")
    {
        return of_label(question, gap, name, &around);
    }
    if (around.steps.is_empty() && name == "mesh") || name == "kuma.io/mesh" {
        return meshes(question);
    }
    let Some(reference) = around_reference(&gap.root, &around) else {
        return Vec::new();
    };
    match name.as_str() {
        "name" => {
            let found = all(question, &gap.root, &reference.kind);
            distinct(
                found
                    .iter()
                    .map(|referred| referred.meta.kri.name().to_owned()),
            )
        }
        "sectionName" => ports(question, gap, &reference, true),
        "port" => ports(question, gap, &reference, false),
        _ => Vec::new(),
    }
}

/// The reference that this very mapping is.
fn around_reference(root: &Node, at: &Pointer) -> Option<reference::Reference> {
    reference::reference(root, at).filter(|reference| reference.at == *at)
}

/// The values of a label.
fn of_label(question: &Question<'_>, gap: &Gap, key: &str, labels: &Pointer) -> Vec<Offer> {
    let Some((carriers, _)) = carriers(question, &gap.root, labels) else {
        return Vec::new();
    };
    let values = carriers
        .iter()
        .filter_map(|referred| referred.meta.labels.get(key));
    distinct(values.cloned())
}

/// What carries the labels that are written; of a document's own labels, what is of its kind.
fn carriers<'a>(
    question: &Question<'a>,
    root: &Node,
    labels: &Pointer,
) -> Option<(Vec<Referred<'a>>, BTreeMap<String, String>)> {
    let written = root.find(labels).into_iter().flat_map(pairs);
    let written = written.map(|(key, value)| (key.to_owned(), value.to_owned()));
    let written: BTreeMap<String, String> = written.collect();
    let steps: Vec<&str> = labels
        .steps
        .iter()
        .filter_map(|step| match step {
            Step::Field(name) => Some(name.as_str()),
            _ => None,
        })
        .collect();
    if let ["labels"] | ["metadata", "labels"] = steps.as_slice() {
        let kind = super::schema::kind(root)?;
        return Some((all(question, root, kind), BTreeMap::new()));
    }
    let reference = reference::reference(root, labels)?;
    let mut found = all(question, root, &reference.kind);
    found.retain(|referred| carries(&referred.meta.labels, &written));
    Some((found, written))
}

fn all<'a>(question: &Question<'a>, root: &Node, kind: &str) -> Vec<Referred<'a>> {
    let meaning = question.meaning();
    let view = meaning.and_then(|meaning| meaning.view(&reference::mesh(root)));
    view.map(|view| candidates(view, kind)).unwrap_or_default()
}

fn meshes(question: &Question<'_>) -> Vec<Offer> {
    let resources = question.meaning().into_iter();
    let resources = resources.flat_map(|meaning: &Meaning| meaning.analysis.resources.iter());
    let meshes = resources.filter(|resource| resource.meta.kri.kind() == "m");
    distinct(meshes.map(|mesh| mesh.meta.kri.name().to_owned()))
}

/// The ports of the services, or the inbounds of the proxies, that a reference leads to.
fn ports(
    question: &Question<'_>,
    gap: &Gap,
    reference: &reference::Reference,
    by_name: bool,
) -> Vec<Offer> {
    let Some(meaning) = question.meaning() else {
        return Vec::new();
    };
    let mesh = reference::mesh(&gap.root);
    let mut names = BTreeSet::new();
    for referred in reference.targets(meaning, &mesh, None) {
        if let Some(service) = referred.service {
            names.extend(service.ports.iter().map(|port| match by_name {
                true => port.section.clone(),
                false => port.number.to_string(),
            }));
            continue;
        }
        let at = &referred.meta.at;
        let document = meaning.resource(&at.file, at.document);
        if let Some(instance) = document.and_then(Instance::of) {
            names.extend(instance.sections());
        }
    }
    let offer = |name: String| match by_name {
        true => value(&name),
        false => word(&name, CompletionItemKind::Value),
    };
    names.into_iter().map(offer).collect()
}

fn distinct(values: impl Iterator<Item = String>) -> Vec<Offer> {
    let values: BTreeSet<String> = values.collect();
    values.iter().map(|text| value(text)).collect()
}

fn value(text: &str) -> Offer {
    Offer {
        text: yaml::scalar(text),
        ..word(text, CompletionItemKind::Value)
    }
}
