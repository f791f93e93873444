//! What is said of labels that nothing carries, or more than one thing does.
//!
//! Never decides which one is taken.

use std::collections::{BTreeMap, BTreeSet};

use crate::diag::Code;
use crate::model::Meta;
use crate::policy::target::DISPLAY_NAME;
use crate::similar::{listed, nearest};

use super::Unresolved;

/// Nothing of the kind carries all of the labels.
pub(crate) fn nobody(kind: &str, metas: &[&Meta], labels: &BTreeMap<String, String>) -> Unresolved {
    let mut unresolved = Unresolved::dangling(format!("no {kind} carries {}", written(labels)));
    unresolved.help = Some(nearest_label(kind, metas, labels));
    unresolved
}

/// What was probably meant: for each label, the nearest value that something of the kind carries.
fn nearest_label(kind: &str, metas: &[&Meta], labels: &BTreeMap<String, String>) -> String {
    if metas.is_empty() {
        return format!("there is no {kind} in this mesh");
    }
    let wrong = labels.iter().find(|(key, value)| {
        !metas
            .iter()
            .any(|meta| meta.labels.get(*key) == Some(*value))
    });
    let Some((key, value)) = wrong else {
        return "each of these labels is carried by one, but none carries all".to_owned();
    };
    let values: BTreeSet<&str> = metas
        .iter()
        .filter_map(|meta| meta.labels.get(key).map(String::as_str))
        .collect();
    if values.is_empty() {
        return format!("no {kind} has a label `{key}`");
    }
    match nearest(value, values.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("`{key}` is one of {}", list(values.iter().copied())),
    }
}

/// Several things of the kind carry the labels, one of them is taken.
pub(crate) fn several(kind: &str, chosen: &Meta, others: &[&Meta]) -> Option<Unresolved> {
    if others.is_empty() {
        return None;
    }
    let related = others.iter().map(|other| {
        let words = format!("`{}` carries the same labels", other.kri.name());
        (other.at.clone(), words)
    });
    Some(Unresolved {
        code: Code::AMBIGUOUS_REF,
        message: format!(
            "{} {kind} carry these labels, `{}` is taken",
            others.len() + 1,
            chosen.kri.name()
        ),
        help: Some(format!(
            "name it: `labels: {{{DISPLAY_NAME}: {}}}`",
            chosen.kri.name()
        )),
        related: related.collect(),
    })
}

/// Labels as people write them.
pub(crate) fn written(labels: &BTreeMap<String, String>) -> String {
    let pairs: Vec<String> = labels
        .iter()
        .map(|(key, value)| format!("`{key}: {value}`"))
        .collect();
    pairs.join(" and ")
}

pub(super) fn list<'a>(names: impl Iterator<Item = &'a str>) -> String {
    /// More than a person reads in one line.
    const MOST: usize = 5;
    listed(names.take(MOST), "and")
}
