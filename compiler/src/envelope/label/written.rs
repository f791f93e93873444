//! Labels as a document has them: what its author wrote is what it is, as in a control plane that stored it before.
//!
//! Never computes a label that the author could have written, but for the name: everything can be selected by that.

use std::collections::BTreeMap;

use super::{Computed, Labelled, NAME, NAMESPACE, ORIGIN, ROLE, ZONE};
use crate::model::Format;

pub(super) fn labelled(computed: &Computed<'_>, mut labels: BTreeMap<String, String>) -> Labelled {
    let mut absent = |key: &str, value: &str| {
        let value = || value.to_owned();
        labels.entry(key.to_owned()).or_insert_with(value);
    };
    absent(NAME, computed.name);
    if computed.format == Format::Kubernetes {
        if !computed.namespace.is_empty() {
            absent(NAMESPACE, computed.namespace);
        }
        if let Some(role) = computed.role {
            absent(ROLE, role);
        }
    }
    let label = |key: &str| labels.get(key).cloned().unwrap_or_default();
    let zone = match label(ORIGIN).as_str() {
        "global" => String::new(),
        _ => label(ZONE),
    };
    Labelled {
        name: label(NAME),
        zone,
        namespace: label(NAMESPACE),
        labels,
    }
}
