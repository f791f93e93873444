//! `identity PROXY`: who a proxy is, and whom it believes (language 12.6).
//!
//! Never shows a key or a certificate: only where they come from.

use std::collections::{BTreeMap, BTreeSet};

use mesh_bundle::{Kri, SpiffeId, TrustDomain};
use serde::Serialize;

use crate::identity::{announced, winner};

use super::asked::Proxy;
use super::effective::Contribution;
use super::page::Page;
use super::{Answer, words};

/// The answer.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Identity<'a> {
    proxy: &'a Kri,
    /// `None`: plaintext only.
    spiffe_id: Option<SpiffeId>,
    /// The `MeshIdentity` that gives it.
    identity: Option<Contribution>,
    /// What clients may expect of it: more than one while a mesh moves to another trust domain.
    announced: BTreeSet<SpiffeId>,
    /// What vouches for each trust domain.
    trust: BTreeMap<TrustDomain, Vec<Contribution>>,
}

impl<'a> Identity<'a> {
    pub(super) fn of(proxy: &Proxy<'a>) -> Self {
        let (mesh, lines) = (proxy.mesh, proxy.lines);
        let given = winner(&mesh.identities, proxy.instance.meta);
        let mut trust: BTreeMap<TrustDomain, Vec<Contribution>> = BTreeMap::new();
        let mut vouches =
            |domain: TrustDomain, by: Contribution| trust.entry(domain).or_default().push(by);
        for (meta, spec) in mesh.trusts() {
            let domain = spec
                .trust_domain
                .as_ref()
                .and_then(|domain| domain.parse().ok());
            if let Some(domain) = domain {
                vouches(domain, lines.document(meta).into());
            }
        }
        for identity in &mesh.identities {
            let issuer = identity.issuer(lines, &mut BTreeMap::new());
            if let Some(issuer) = issuer.filter(|issuer| issuer.publish_trust) {
                vouches(issuer.trust_domain, issuer.origin.into());
            }
        }
        Self {
            proxy: proxy.kri(),
            spiffe_id: given.and_then(|identity| identity.render(proxy.instance.meta).ok()),
            identity: given.map(|identity| lines.document(&identity.meta).into()),
            announced: announced(&mesh.identities, proxy.instance.meta),
            trust,
        }
    }
}

impl Answer for Identity<'_> {
    fn show(&self, page: &mut Page) {
        page.line(0, &format!("identity of {}", words::name(self.proxy)));
        match (&self.spiffe_id, &self.identity) {
            (Some(id), Some(by)) => page.noted(1, &id.to_string(), by),
            _ => page.noted(1, "none: plaintext only", "no MeshIdentity gives it one"),
        }
        let others = self
            .announced
            .iter()
            .filter(|id| Some(*id) != self.spiffe_id.as_ref());
        for id in others {
            page.line(1, &format!("clients also expect {id}"));
        }
        for (domain, by) in &self.trust {
            for by in by {
                page.noted(1, &format!("believes {domain}"), by);
            }
        }
    }
}
