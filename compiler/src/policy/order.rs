//! Which of two policies is stronger (language 4.8).
//!
//! The number of labels of a selector never counts, and neither does the order of files.

use std::cmp::Reverse;

use mesh_bundle::Kri;

use crate::model::{Compat, Meta};

use super::target::{Target, TargetKind};

/// For whom a namespaced policy speaks (language 4.4), weakest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Role {
    System,
    Producer,
    Consumer,
    WorkloadOwner,
}

/// Where a policy originates, weakest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum From {
    Global,
    Unknown,
    Zone,
}

/// Keys 0 to 6: what is equal in them is told apart by its name alone. The fields are compared in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Class {
    /// Key 0: false for a default policy, which is weaker than every document.
    user: bool,
    /// Key 1: the policy names Dataplanes.
    pub(crate) dataplane: bool,
    /// Key 2: and one of their inbounds.
    section: bool,
    /// Key 3.
    from: From,
    /// Key 4.
    role: Role,
    /// Keys 5 and 6, only for items of `to`: the kind, and whether a port of a service is meant.
    item: Option<(TargetKind, bool)>,
}

/// Everything that orders policies and their items, weakest first.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Strength {
    /// Keys 0 to 6.
    pub(crate) class: Class,
    /// Key 7: the greater name is weaker.
    name: Reverse<String>,
    /// Policies of one name, in different namespaces: the greater KRI is weaker.
    kri: Reverse<Kri>,
    /// Key 8: later items of one policy are stronger.
    pub(crate) position: usize,
}

impl Strength {
    /// Of a policy, or of one item of its `to`.
    pub(crate) fn of(meta: &Meta, top: &Target, item: Option<&Target>, compat: Compat) -> Self {
        let from = match meta.labels.get("kuma.io/origin").map(String::as_str) {
            Some("global") => From::Global,
            Some("zone") => From::Zone,
            _ => From::Unknown,
        };
        let port = |item: &Target| {
            let one = item.section.is_some() || item.port.is_some();
            item.kind == TargetKind::MeshService && one
        };
        Self {
            class: Class {
                user: !meta.virtual_document || compat == Compat::Kuma,
                dataplane: top.kind == TargetKind::Dataplane,
                section: top.section.is_some(),
                from,
                role: role(meta),
                item: item.map(|item| (item.kind, port(item))),
            },
            name: Reverse(meta.kri.name().to_owned()),
            kri: Reverse(meta.kri.clone()),
            position: 0,
        }
    }

    /// Of the item at a place of its document.
    pub(crate) fn at(self, position: usize) -> Self {
        Self { position, ..self }
    }
}

/// The computed role; what has none is of the system.
pub(crate) fn role(meta: &Meta) -> Role {
    match meta.labels.get("kuma.io/policy-role").map(String::as_str) {
        Some("producer") => Role::Producer,
        Some("consumer") => Role::Consumer,
        Some("workload-owner") => Role::WorkloadOwner,
        _ => Role::System,
    }
}
