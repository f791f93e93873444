//! What is wrong between resources: each finding once, at the document that causes it.
//!
//! Never changes what is compiled.

mod decisions;
mod expiry;
mod fit;
mod identities;
mod listeners;
mod passthrough;
pub(crate) mod permissions;
mod precedence;
mod protocols;
mod references;
mod retries;
mod routes;
mod selection;
mod telemetry;
mod trusts;
mod unused;

use std::collections::BTreeSet;
use std::sync::Arc;

use mesh_bundle::Key;
use mesh_bundle::resource::{InboundPolicy, Resource};

use crate::diag::{Diagnostic, Diagnostics};
use crate::kinds::{self, Resource as Document, Spec};
use crate::lower::Given;
use crate::model::{Meta, Settings};
use crate::parallel::{self, SMALL};
use crate::policy::applies::Selection;
use crate::policy::target::Target;
use crate::policy::{Policy, Table, carries, is_shadow};
use crate::repository::{Changes, MeshView, Stale};
use crate::service::Instance;

/// One mesh, and what its proxies were given.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Compared<'a> {
    pub(crate) mesh: &'a MeshView,
    /// In the order of its Dataplanes.
    pub(crate) given: &'a [Arc<Given>],
    pub(crate) settings: &'a Settings,
}

/// What was found in a mesh.
#[derive(Debug, Default)]
pub(crate) struct Found {
    facts: Facts,
    /// About each document of which there is something to say, in the order of their KRIs.
    documents: Vec<(Arc<Document>, Vec<Diagnostic>)>,
    /// Between services and proxies.
    roster: Vec<Diagnostic>,
}

/// What findings about one document depend on beside services and proxies.
#[derive(Debug, Default, PartialEq)]
struct Facts {
    known: identities::Known,
    everywhere: decisions::Everywhere,
}

impl Found {
    /// Finds again what may be another thing after documents changed.
    pub(crate) fn update(&mut self, of: Compared<'_>, changes: &Changes, stale: &Stale) {
        let facts = Facts {
            known: identities::Known::of(of.mesh),
            everywhere: decisions::Everywhere::of(of.mesh),
        };
        let selecting = selecting(of.mesh, changes, stale);
        let anew = stale.findings || selecting.is_none() || self.facts != facts;
        self.facts = facts;
        if stale.roster {
            self.roster = parallel::map(&ROSTER, 1, |lint| {
                let mut found = Diagnostics::default();
                lint(of.mesh, &mut found);
                found.list
            })
            .concat();
        }
        let again = selecting.unwrap_or_default();
        let old = changes.gone.iter().chain(&again);
        let old: BTreeSet<_> = old.map(Arc::as_ptr).collect();
        self.documents
            .retain(|(document, _)| !anew && !old.contains(&Arc::as_ptr(document)));
        let again = changes.new.iter().chain(&again).cloned();
        let again: Vec<_> = again.collect();
        let new = if anew { &of.mesh.documents } else { &again };
        let found = parallel::map(new, SMALL, |document| {
            let mut found = Diagnostics::default();
            self::document(of, &self.facts, document, &mut found);
            found.list
        });
        for (document, found) in new.iter().zip(found) {
            if !found.is_empty() {
                let kri = &document.meta.kri;
                let place = self
                    .documents
                    .partition_point(|(known, _)| known.meta.kri < *kri);
                self.documents.insert(place, (Arc::clone(document), found));
            }
        }
    }

    /// All that is to be said.
    pub(crate) fn tell(&self, of: Compared<'_>, diagnostics: &mut Diagnostics) {
        let documents = self.documents.iter().flat_map(|(_, found)| found);
        diagnostics
            .list
            .extend(self.roster.iter().chain(documents).cloned());
        for lint in CHEAP {
            lint(of, diagnostics);
        }
    }
}

/// The policies that may be about Dataplanes that came or went, beside new ones; `None`: too many came and went to ask.
///
/// Of proxies, what is said of one document looks at those alone that the document selects; and where nothing but labels
/// changed of them, only permissions look further than at who is selected.
fn selecting(mesh: &MeshView, changes: &Changes, stale: &Stale) -> Option<Vec<Arc<Document>>> {
    /// To look at each policy so often costs about as much as to find everything again.
    const MOST: usize = 16;
    fn proxies(list: &[Arc<Document>]) -> Vec<&Meta> {
        let proxies = list.iter().filter(|one| Instance::of(one).is_some());
        proxies.map(|proxy| &*proxy.meta).collect()
    }
    let (gone, new) = (proxies(&changes.gone), proxies(&changes.new));
    if gone.len() + new.len() > MOST {
        return None;
    }
    let selecting = |table: &Table, policy: &Policy| {
        let wanted = &policy.target.labels;
        let selects = |proxy: &&&Meta| carries(&proxy.labels, wanted);
        match stale.roster || table.kind == "MeshTrafficPermission" {
            true => gone.iter().chain(&new).any(|proxy| selects(&proxy)),
            // Each new one stands in the place of the one before.
            false => gone
                .iter()
                .map(|p| selects(&p))
                .ne(new.iter().map(|p| selects(&p))),
        }
    };
    let tables = mesh.policies.all().into_iter();
    let selecting = tables.flat_map(|table| {
        let policies = table.policies.iter().chain(&table.shadows);
        policies.filter(move |policy| selecting(table, policy))
    });
    let new: BTreeSet<_> = changes.new.iter().map(Arc::as_ptr).collect();
    let documents = selecting.flat_map(|policy| mesh.named(&policy.meta.kri));
    let known = documents.filter(|document| !new.contains(&Arc::as_ptr(document)));
    Some(known.cloned().collect())
}

/// None knows of the others.
const ROSTER: [fn(&MeshView, &mut Diagnostics); 3] =
    [protocols::check, selection::check, listeners::check];

/// What looks at few documents, or only at what is kept of each proxy.
const CHEAP: [fn(Compared<'_>, &mut Diagnostics); 8] = [
    |of, found| passthrough::check(of.mesh, found),
    |of, found| retries::check(of.mesh, found),
    |of, found| unused::check(of.mesh, found),
    |of, found| expiry::check(of.mesh, of.settings.now, found),
    |of, found| trusts::check(of.mesh, found),
    listeners::metrics,
    permissions::denies_all,
    precedence::check,
];

/// What is to be said of one document.
fn document(of: Compared<'_>, facts: &Facts, document: &Document, found: &mut Diagnostics) {
    let mesh = of.mesh;
    references::check(mesh, document, found);
    telemetry::check(mesh, document, found);
    protocols::document(mesh, document, found);
    routes::check(document, found);
    fit::check(mesh, document, found);
    identities::check(mesh, &facts.known, document, found);
    let kinds = kinds::KINDS.iter();
    let mut of_kind = kinds.filter(|kind| kind.short == document.meta.kri.kind());
    if !of_kind.any(|kind| kind.is_policy) {
        return;
    }
    let target = Target::read(document.body.get("targetRef"));
    let policy = Selection {
        meta: &document.meta,
        target: &target,
    };
    selection::policy(mesh, policy, found);
    let counts = of.settings.with_shadow || !is_shadow(&document.meta);
    if counts && matches!(document.spec, Spec::MeshTrafficPermission) {
        decisions::check(&facts.everywhere, document, found);
        permissions::check(of, policy, found);
    }
}

impl<'a> Compared<'a> {
    fn resource(&self, proxy: Instance<'_>, key: &Key) -> Option<&'a Resource> {
        let kri = |given: &Arc<Given>| given.dataplane.meta.kri.cmp(&proxy.meta.kri);
        let place = self.given.binary_search_by(kri).ok()?;
        self.given.get(place)?.resource(key)
    }

    /// Has the proxy an identity?
    fn has_identity(&self, proxy: Instance<'_>) -> bool {
        match self.resource(proxy, &Key::Proxy) {
            Some(Resource::Proxy(proxy)) => proxy.identity.is_some(),
            _ => false,
        }
    }

    /// What was made of an inbound.
    fn policy(&self, proxy: Instance<'_>, section: &str) -> Option<&'a InboundPolicy> {
        match self.resource(proxy, &Key::InboundPolicy(section.to_owned())) {
            Some(Resource::InboundPolicy(policy)) => Some(policy),
            _ => None,
        }
    }
}

/// A few names for a message, and how many more there are.
fn several<T>(all: &[T], name: impl Fn(&T) -> String) -> String {
    /// More than a person reads in one line.
    const MOST: usize = 3;
    let shown: Vec<String> = all.iter().take(MOST).map(name).collect();
    match all.len().saturating_sub(MOST) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}
