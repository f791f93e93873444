//! Whom the proxies trust: what the documents say, with the authorities that meshd keeps, and who is not believed any more.
//!
//! Never takes away what stands in a document.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use mesh_bundle::resource::Trust;
use mesh_bundle::{Bundle, Digest, Key, Kri, Manifest, Resource, Revoked};

use super::Undeliverable;
use crate::ca::Authorities;

/// Adds the certificates of published authorities to what the documents say about trust, and who is not believed any more.
pub(super) struct Completion<'a> {
    bundle: &'a Bundle,
    /// By mesh.
    ours: BTreeMap<String, Trust>,
    /// Proxies of one mesh usually have one trust.
    done: BTreeMap<(&'a str, Option<Digest>), Completed>,
    added: BTreeMap<Digest, Bytes>,
}

/// What a proxy is given. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Completed {
    /// `None`: nobody at all.
    pub(super) digest: Option<Digest>,
    pub(super) trust: Arc<Trust>,
}

impl<'a> Completion<'a> {
    pub(super) fn new(
        bundle: &'a Bundle,
        authorities: &Authorities,
        revoked: BTreeMap<String, Vec<Revoked>>,
    ) -> Self {
        let mut ours: BTreeMap<String, Trust> = BTreeMap::new();
        for issuer in bundle.issuers.values() {
            if issuer.publish_trust {
                let trust = ours.entry(issuer.mesh.clone()).or_default();
                let anchors = authorities.anchors(&issuer.mesh, &issuer.trust_domain);
                let list = trust.anchors.entry(issuer.trust_domain.clone());
                list.or_default().extend(anchors.cloned());
            }
        }
        for trust in ours.values_mut() {
            trust.anchors.retain(|_, list| !list.is_empty());
        }
        // Also where the anchors stand in documents alone.
        for (mesh, revoked) in revoked {
            ours.entry(mesh).or_default().revoked = revoked;
        }
        Self {
            bundle,
            ours,
            done: BTreeMap::new(),
            added: BTreeMap::new(),
        }
    }

    /// Whom a proxy with this manifest trusts.
    pub(super) fn trust(
        &mut self,
        proxy: &'a Kri,
        manifest: &Manifest,
    ) -> Result<Completed, Undeliverable> {
        let written = manifest.entries.get(&Key::Trust).copied();
        let memo = (proxy.mesh(), written);
        if let Some(done) = self.done.get(&memo) {
            return Ok(done.clone());
        }
        let done = self.complete(proxy.mesh(), written)?;
        self.done.insert(memo, done.clone());
        Ok(done)
    }

    fn complete(
        &mut self,
        mesh: &str,
        written: Option<Digest>,
    ) -> Result<Completed, Undeliverable> {
        let held = written.and_then(|digest| self.bundle.resources.get(&digest));
        let mut trust = match held.map(AsRef::as_ref) {
            Some(Resource::Trust(trust)) => trust.clone(),
            _ => Trust::default(),
        };
        let Some(ours) = self.ours.get(mesh) else {
            return Ok(Completed {
                digest: written,
                trust: Arc::new(trust),
            });
        };
        for (domain, anchors) in &ours.anchors {
            let list = trust.anchors.entry(domain.clone()).or_default();
            list.extend(anchors.iter().cloned());
            list.sort();
            list.dedup();
        }
        trust.revoked.clone_from(&ours.revoked);
        let (digest, bytes) = Resource::Trust(trust.clone()).encode()?;
        self.added.insert(digest, Bytes::from(bytes));
        Ok(Completed {
            digest: Some(digest),
            trust: Arc::new(trust),
        })
    }

    /// The bytes of what it made.
    pub(super) fn into_added(self) -> BTreeMap<Digest, Bytes> {
        self.added
    }
}
