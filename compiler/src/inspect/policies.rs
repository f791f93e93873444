//! `policies PROXY`: the documents that apply to a proxy, kind by kind (language 12.1).
//!
//! Never says what they set: that is for the other questions.

use std::collections::{BTreeMap, BTreeSet};

use mesh_bundle::Kri;
use serde::Serialize;

use crate::policy::{Policy, Table};

use super::asked::Proxy;
use super::effective::Contribution;
use super::page::Page;
use super::{Answer, words};

/// The answer.
#[derive(Debug, Serialize)]
pub(super) struct Policies<'a> {
    proxy: &'a Kri,
    policies: Vec<OfKind>,
}

/// The policies of one kind.
#[derive(Debug, Serialize)]
struct OfKind {
    kind: &'static str,
    /// The weakest first.
    documents: Vec<Contribution>,
    /// For kinds with `rules`: those of each inbound, the weakest first.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    inbounds: BTreeMap<String, Vec<Kri>>,
}

impl<'a> Policies<'a> {
    pub(super) fn of(proxy: &Proxy<'a>) -> Self {
        let tables = proxy.tables().into_iter();
        Self {
            proxy: proxy.kri(),
            policies: tables.filter_map(|table| of_kind(proxy, table)).collect(),
        }
    }
}

fn of_kind(proxy: &Proxy<'_>, table: &Table) -> Option<OfKind> {
    let subject = proxy.subject();
    let applied = table
        .policies
        .iter()
        .filter(|policy| policy.applies(&subject));
    let document = |policy: &Policy| proxy.lines.document(&policy.meta).into();
    let documents: Vec<Contribution> = applied.map(document).collect();
    let mut inbounds = BTreeMap::new();
    for section in &proxy.sections {
        let rules = table.inbound(&subject, &section.name).rules;
        // Policies are numbered in their order.
        let policies: BTreeSet<usize> = rules.iter().map(|rule| rule.policy).collect();
        let policies = policies
            .iter()
            .filter_map(|index| table.policies.get(*index));
        let policies: Vec<Kri> = policies.map(|policy| policy.meta.kri.clone()).collect();
        if !policies.is_empty() {
            inbounds.insert(section.name.clone(), policies);
        }
    }
    let of_kind = OfKind {
        kind: table.kind,
        documents,
        inbounds,
    };
    (!of_kind.documents.is_empty()).then_some(of_kind)
}

impl Answer for Policies<'_> {
    fn show(&self, page: &mut Page) {
        page.line(
            0,
            &format!(
                "policies of {}, the strongest last",
                words::name(self.proxy)
            ),
        );
        for of_kind in &self.policies {
            page.gap();
            page.line(0, of_kind.kind);
            for document in &of_kind.documents {
                page.noted(1, &words::name(&document.kri), document);
            }
            for (inbound, policies) in &of_kind.inbounds {
                let names: Vec<String> = policies.iter().map(words::name).collect();
                page.line(1, &format!("inbound {inbound}: {}", names.join(", ")));
            }
        }
    }
}
