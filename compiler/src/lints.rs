//! What is wrong between resources: each finding once, at the document that causes it.
//!
//! Never changes what is compiled.

mod decisions;
mod expiry;
mod fit;
mod identities;
mod listeners;
mod passthrough;
mod permissions;
mod precedence;
mod protocols;
mod references;
mod retries;
mod routes;
mod selection;
mod telemetry;
mod unused;

use std::collections::BTreeMap;

use mesh_bundle::resource::{InboundPolicy, Resource};
use mesh_bundle::{BundledProxy, Digest, Key, Kri};

use crate::diag::Diagnostics;
use crate::parallel;
use crate::provenance::Provenance;
use crate::repository::MeshView;
use crate::service::Instance;

/// One mesh, and what its proxies were given.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Compared<'a> {
    pub(crate) mesh: &'a MeshView<'a>,
    pub(crate) proxies: &'a BTreeMap<Kri, BundledProxy>,
    pub(crate) resources: &'a BTreeMap<Digest, Box<Resource>>,
    pub(crate) provenance: &'a Provenance,
    /// Seconds since 1970, where findings may depend on the time.
    pub(crate) now: Option<i64>,
}

/// All findings of one mesh.
pub(crate) fn check(compared: Compared<'_>, diagnostics: &mut Diagnostics) {
    let found = parallel::map(&LINTS, 1, |lint| {
        let mut found = Diagnostics::default();
        lint(compared, &mut found);
        found
    });
    for found in found {
        diagnostics.list.extend(found.list);
    }
}

/// None knows of the others.
const LINTS: [fn(Compared<'_>, &mut Diagnostics); 15] = [
    |of, found| references::check(of.mesh, found),
    |of, found| selection::check(of.mesh, found),
    |of, found| telemetry::check(of.mesh, found),
    |of, found| passthrough::check(of.mesh, found),
    |of, found| protocols::check(of.mesh, found),
    |of, found| routes::check(of.mesh, found),
    |of, found| retries::check(of.mesh, found),
    listeners::check,
    |of, found| fit::check(of.mesh, found),
    |of, found| identities::check(of.mesh, found),
    |of, found| unused::check(of.mesh, found),
    |of, found| expiry::check(of.mesh, of.now, found),
    |of, found| decisions::check(of.mesh, found),
    permissions::check,
    precedence::check,
];

impl<'a> Compared<'a> {
    fn resource(&self, proxy: Instance<'_>, key: &Key) -> Option<&'a Resource> {
        let entries = &self.proxies.get(&proxy.meta.kri)?.manifest.entries;
        self.resources.get(entries.get(key)?).map(Box::as_ref)
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
fn several(names: &[String]) -> String {
    /// More than a person reads in one line.
    const MOST: usize = 3;
    let shown: Vec<&str> = names.iter().take(MOST).map(String::as_str).collect();
    match names.len().saturating_sub(MOST) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}
