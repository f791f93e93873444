//! Identities that nobody can believe: no `MeshTrust` says by which authorities.
//!
//! Never about those whose authority meshd publishes by itself.

use std::collections::BTreeSet;

use crate::diag::{Code, Diagnostic, Diagnostics, Pointer};
use crate::repository::MeshView;

pub(super) fn check(mesh: &MeshView, diagnostics: &mut Diagnostics) {
    let trusted = mesh.trusts();
    let trusted: BTreeSet<_> = trusted
        .filter_map(|(_, trust)| trust.trust_domain.as_deref())
        .collect();
    for identity in &mesh.identities {
        let domain = identity.trust_domain.as_str();
        if !identity.needs_trust() || trusted.contains(domain) {
            continue;
        }
        let meta = &identity.meta;
        let message = format!(
            "nobody believes the certificates of `{}`: no MeshTrust is about `{domain}`",
            meta.kri.name()
        );
        let at = meta.within(&Pointer::default().field("provider"));
        let mut diagnostic = Diagnostic::new(Code::UNTRUSTED_IDENTITY, at, message);
        diagnostic.help("add a MeshTrust with the authorities of that trust domain");
        diagnostics.push(diagnostic);
    }
}
