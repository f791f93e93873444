//! One Dataplane of a commit: what it is given, and what others are told of it.
//!
//! Never worked out again while the same was compiled for it: of ten thousand a commit usually changes a few.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use mesh_bundle::resource::WorkloadIdentity;
use mesh_bundle::{Bundle, BundledProxy, Digest, Key, Kri, Resource};
use mesh_delivery::message::{Endpoint, Secrets};
use mesh_delivery::publisher::Wanted;

use super::Undeliverable;
use super::trust::Completed;

/// Canonical bytes by their digests.
type Resources = Arc<BTreeMap<Digest, Bytes>>;

/// One Dataplane. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct PublishedProxy {
    /// Its configuration, without endpoints.
    pub(crate) wanted: Wanted,
    facts: Arc<Facts>,
}

/// What stays as it is from commit to commit.
#[derive(Debug)]
pub(crate) struct Facts {
    /// What all of this was made from: the very same again makes the same.
    of: (Arc<BundledProxy>, Option<Digest>),
    pub(crate) workload: Option<String>,
    pub(crate) identity: Option<WorkloadIdentity>,
    /// Its peers will accept the certificates that its identity is given.
    pub(crate) trusted: bool,
    /// What it sends traffic to.
    pub(crate) clusters: BTreeSet<Kri>,
    /// What it serves.
    pub(crate) serves: BTreeSet<Kri>,
    /// The same, with where.
    pub(super) serving: Vec<(Kri, Arc<Server>)>,
}

/// One instance behind one service port.
#[derive(Debug, Clone)]
pub(crate) struct Server {
    pub(crate) proxy: Kri,
    pub(crate) endpoint: Endpoint,
    /// Declared to take traffic.
    pub(crate) healthy: bool,
}

impl Deref for PublishedProxy {
    type Target = Facts;

    fn deref(&self) -> &Facts {
        &self.facts
    }
}

impl PublishedProxy {
    pub(super) fn new(
        bundle: &Bundle,
        (kri, proxy): (&Kri, &Arc<BundledProxy>),
        (trust, secrets): (&Completed, Secrets),
        (revision, resources): (&Arc<str>, &Resources),
    ) -> Result<Self, Undeliverable> {
        let mut manifest = proxy.manifest.clone();
        if let Some(digest) = trust.digest {
            manifest.entries.insert(Key::Trust, digest);
        }
        let (manifest, resources) = (Arc::new(manifest), Arc::clone(resources));
        let wanted = Wanted::new(Arc::clone(revision), manifest, resources, BTreeMap::new());
        let wanted = wanted.and_then(|wanted| wanted.with_secrets(Arc::new(secrets)));
        let wanted = wanted.map_err(|why| {
            let proxy = Box::new(kri.clone());
            Undeliverable::Wanted { proxy, why }
        })?;
        let facts = Arc::new(Facts::new(bundle, (kri, proxy), trust)?);
        Ok(Self { wanted, facts })
    }

    /// Would it be the same again?
    pub(super) fn is_of(
        &self,
        proxy: &Arc<BundledProxy>,
        (trust, secrets): (&Completed, &Secrets),
    ) -> bool {
        let (of, trusted) = &self.facts.of;
        Arc::ptr_eq(of, proxy) && *trusted == trust.digest && **self.wanted.secrets() == *secrets
    }

    /// Is this its configuration?
    pub(crate) fn is_in(&self, wanted: &Wanted) -> bool {
        Arc::ptr_eq(self.wanted.manifest(), wanted.manifest())
            && self.wanted.secrets() == wanted.secrets()
    }

    /// Does it serve and call what the other does?
    pub(super) fn meets_those_of(&self, other: &Self) -> bool {
        let (mine, theirs) = (&self.facts, &other.facts);
        Arc::ptr_eq(mine, theirs)
            || mine.serves == theirs.serves && mine.clusters == theirs.clusters
    }

    /// The same, asked for its traffic so often.
    pub(super) fn measured(self, every: Duration) -> Self {
        Self {
            wanted: self.wanted.measured_every(every),
            ..self
        }
    }

    /// The same in another commit.
    pub(super) fn under(&self, revision: &Arc<str>, resources: &Resources) -> Self {
        let (revision, resources) = (Arc::clone(revision), Arc::clone(resources));
        Self {
            wanted: self.wanted.under(revision, resources),
            facts: Arc::clone(&self.facts),
        }
    }
}

impl Facts {
    fn new(
        bundle: &Bundle,
        (kri, proxy): (&Kri, &Arc<BundledProxy>),
        trust: &Completed,
    ) -> Result<Self, Undeliverable> {
        let held = |digest| bundle.resources.get(digest).map(AsRef::as_ref);
        let entries = &proxy.manifest.entries;
        let itself = entries.get(&Key::Proxy).and_then(held);
        let Some(Resource::Proxy(itself)) = itself else {
            return Err(Undeliverable::NoProxy(Box::new(kri.clone())));
        };
        let identity = itself.identity.clone();
        let trusted = identity.as_ref().is_some_and(|identity| {
            let anchors = &trust.trust.anchors;
            anchors.contains_key(identity.spiffe_id.trust_domain())
        });
        let clusters = entries.keys().filter_map(|key| match key {
            Key::Cluster(kri) => Some(kri.clone()),
            _ => None,
        });
        let inbounds = entries.values().filter_map(held);
        let inbounds = inbounds.filter_map(|resource| match resource {
            Resource::Inbound(inbound) => {
                let place = (inbound.address.as_str(), inbound.port);
                Some((place, inbound.kri.section()))
            }
            _ => None,
        });
        let sections: BTreeMap<_, _> = inbounds.collect();
        let serving = proxy.endpoints.iter().map(|declared| {
            let place = (declared.address.as_str(), declared.port);
            let section = sections.get(&place).map(|section| (*section).to_owned());
            let section = section.unwrap_or_else(|| declared.port.to_string());
            let server = Server {
                proxy: kri.clone(),
                // The names that endpoints go by: the Dataplane with the section of the inbound.
                endpoint: Endpoint {
                    id: kri.with_section(section),
                    address: declared.address.clone(),
                    port: declared.port,
                    zone: itself.zone.clone(),
                    labels: declared.labels.clone(),
                },
                healthy: declared.healthy,
            };
            (declared.service.clone(), Arc::new(server))
        });
        let serving: Vec<_> = serving.collect();
        Ok(Self {
            of: (Arc::clone(proxy), trust.digest),
            workload: proxy.workload.clone(),
            identity,
            trusted,
            clusters: clusters.collect(),
            serves: serving.iter().map(|(service, _)| service.clone()).collect(),
            serving,
        })
    }
}
