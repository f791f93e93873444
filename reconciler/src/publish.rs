//! One commit in the form in which it is delivered: each proxy's manifest, the shared bytes, and who serves what.
//!
//! Never changes what was compiled, but for one thing: the trust of each proxy is completed with the authorities that meshd
//! keeps, because a commit cannot know them.

mod secrets;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::Bytes;
use mesh_bundle::resource::{Trust, WorkloadIdentity};
use mesh_bundle::{Bundle, BundledProxy, Digest, Key, Kri, Manifest, Resource, Revoked};
use mesh_delivery::message::Endpoint;
use mesh_delivery::publisher::Wanted;

use crate::ca::Authorities;

pub(crate) use secrets::Held;

/// What is served from the moment it is handed to the registry.
#[derive(Debug)]
pub(crate) struct Published {
    pub(crate) authorities: Authorities,
    pub(crate) proxies: BTreeMap<Kri, PublishedProxy>,
    /// By mesh and name: what a control certificate and a token say.
    names: BTreeMap<(String, String), Vec<Kri>>,
    /// Who serves each service port.
    pub(crate) servers: BTreeMap<Kri, Vec<Server>>,
    /// What was given to the proxies beside their configuration.
    pub(crate) secrets: Held,
    /// Identifiers of join tokens that the commit ends.
    pub(crate) revoked_tokens: Arc<BTreeSet<String>>,
    resources: Arc<BTreeMap<Digest, Bytes>>,
}

/// One Dataplane.
#[derive(Debug)]
pub(crate) struct PublishedProxy {
    pub(crate) workload: Option<String>,
    pub(crate) identity: Option<WorkloadIdentity>,
    /// Its peers will accept the certificates that its identity is given.
    pub(crate) trusted: bool,
    /// Its configuration, without endpoints.
    pub(crate) wanted: Wanted,
    /// What it sends traffic to.
    pub(crate) clusters: BTreeSet<Kri>,
    /// What it serves.
    pub(crate) serves: BTreeSet<Kri>,
}

/// One instance behind one service port.
#[derive(Debug, Clone)]
pub(crate) struct Server {
    pub(crate) proxy: Kri,
    pub(crate) endpoint: Endpoint,
    /// Declared to take traffic.
    pub(crate) healthy: bool,
}

/// A bundle that passed the compiler and yet cannot be delivered. A defect, or a limit of the protocol.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Undeliverable {
    #[error("a resource cannot be encoded: {0}")]
    Encoding(#[from] serde_json::Error),
    #[error("{proxy}: {why}")]
    Wanted {
        proxy: Box<Kri>,
        why: mesh_delivery::publisher::Unpublishable,
    },
    #[error("{0} lacks the resource `proxy`")]
    NoProxy(Box<Kri>),
}

/// What goes into a [`Published`] beside the bundle.
#[derive(Debug)]
pub(crate) struct Beside<'a> {
    pub(crate) revision: String,
    /// Who has another commit than the others, and which.
    pub(crate) moved: Option<(&'a BTreeSet<Kri>, &'a str)>,
    pub(crate) authorities: Authorities,
    pub(crate) secrets: Held,
    /// Whom the proxies of each mesh are not to believe any more.
    pub(crate) revoked: BTreeMap<String, Vec<Revoked>>,
    /// Identifiers of join tokens that the commit ends.
    pub(crate) revoked_tokens: Arc<BTreeSet<String>>,
    /// Bytes that are the same as before are shared with it.
    pub(crate) before: Option<&'a Published>,
}

impl Published {
    /// Projects a bundle to its proxies.
    pub(crate) fn project(bundle: &Bundle, beside: Beside<'_>) -> Result<Self, Undeliverable> {
        let Beside {
            revision,
            moved,
            authorities,
            secrets,
            revoked,
            revoked_tokens,
            before,
        } = beside;
        let mut resources = BTreeMap::new();
        for (digest, resource) in &bundle.resources {
            let known = before.and_then(|before| before.resources.get(digest));
            let bytes = match known {
                Some(bytes) => bytes.clone(),
                None => Bytes::from(resource.encode()?.1),
            };
            resources.insert(*digest, bytes);
        }
        let mut completion = Completion::new(bundle, &authorities, revoked);
        let mut manifests = Vec::new();
        for (kri, proxy) in &bundle.proxies {
            let (manifest, trust) = completion.complete(kri, &proxy.manifest, &mut resources)?;
            manifests.push((kri, proxy, Arc::new(manifest), trust));
        }
        let resources = Arc::new(resources);
        let (mut proxies, mut servers) = (BTreeMap::new(), BTreeMap::new());
        for (kri, proxy, manifest, trust) in manifests {
            let published = {
                let shared = Arc::clone(&resources);
                let revision = match moved {
                    Some((moved, other)) if moved.contains(kri) => other,
                    _ => revision.as_str(),
                };
                let wanted = Wanted::new(revision, manifest, shared, BTreeMap::new());
                let needed = secrets.of(&proxy.manifest);
                let wanted = wanted.and_then(|wanted| wanted.with_secrets(Arc::new(needed)));
                let wanted = wanted.map_err(|why| {
                    let proxy = Box::new(kri.clone());
                    Undeliverable::Wanted { proxy, why }
                })?;
                PublishedProxy::new(bundle, kri, proxy, wanted, &trust)?
            };
            for (service, server) in served(bundle, kri, proxy) {
                let list: &mut Vec<Server> = servers.entry(service).or_default();
                list.push(server);
            }
            proxies.insert(kri.clone(), published);
        }
        let mut names: BTreeMap<_, Vec<Kri>> = BTreeMap::new();
        for kri in proxies.keys() {
            let key = (kri.mesh().to_owned(), kri.name().to_owned());
            names.entry(key).or_default().push(kri.clone());
        }
        Ok(Self {
            authorities,
            names,
            proxies,
            servers,
            secrets,
            revoked_tokens,
            resources,
        })
    }

    /// The Dataplanes of a mesh with a name: none, one, or, with namespaces, several.
    pub(crate) fn named(&self, mesh: &str, name: &str) -> &[Kri] {
        let key = (mesh.to_owned(), name.to_owned());
        self.names.get(&key).map_or(&[], Vec::as_slice)
    }

    /// Every service port that somebody serves or is sent to.
    pub(crate) fn services(&self) -> BTreeSet<&Kri> {
        let sent = self.proxies.values().flat_map(|proxy| &proxy.clusters);
        self.servers.keys().chain(sent).collect()
    }
}

impl PublishedProxy {
    fn new(
        bundle: &Bundle,
        kri: &Kri,
        proxy: &BundledProxy,
        wanted: Wanted,
        trust: &Trust,
    ) -> Result<Self, Undeliverable> {
        let Some(Resource::Proxy(itself)) = resource(bundle, proxy, &Key::Proxy) else {
            return Err(Undeliverable::NoProxy(Box::new(kri.clone())));
        };
        let identity = itself.identity.clone();
        let trusted = identity.as_ref().is_some_and(|identity| {
            trust
                .anchors
                .contains_key(identity.spiffe_id.trust_domain())
        });
        let clusters = proxy.manifest.entries.keys();
        let clusters = clusters.filter_map(|key| match key {
            Key::Cluster(kri) => Some(kri.clone()),
            _ => None,
        });
        let serves = proxy.endpoints.iter().map(|served| served.service.clone());
        Ok(Self {
            workload: proxy.workload.clone(),
            identity,
            trusted,
            wanted,
            clusters: clusters.collect(),
            serves: serves.collect(),
        })
    }
}

fn resource<'a>(bundle: &'a Bundle, proxy: &BundledProxy, key: &Key) -> Option<&'a Resource> {
    let digest = proxy.manifest.entries.get(key)?;
    bundle.resources.get(digest).map(AsRef::as_ref)
}

/// What a proxy serves, with the names that its endpoints go by: the Dataplane with the section of the inbound.
fn served<'a>(
    bundle: &'a Bundle,
    kri: &'a Kri,
    proxy: &'a BundledProxy,
) -> impl Iterator<Item = (Kri, Server)> + 'a {
    let mut sections = BTreeMap::new();
    for digest in proxy.manifest.entries.values() {
        if let Some(Resource::Inbound(inbound)) = bundle.resources.get(digest).map(AsRef::as_ref) {
            let place = (inbound.address.as_str(), inbound.port);
            sections.insert(place, inbound.kri.section().to_owned());
        }
    }
    let zone = match resource(bundle, proxy, &Key::Proxy) {
        Some(Resource::Proxy(itself)) => itself.zone.clone(),
        _ => String::new(),
    };
    proxy.endpoints.iter().map(move |declared| {
        let place = (declared.address.as_str(), declared.port);
        let section = sections.get(&place).cloned();
        let section = section.unwrap_or_else(|| declared.port.to_string());
        let endpoint = Endpoint {
            id: kri.with_section(section),
            address: declared.address.clone(),
            port: declared.port,
            zone: zone.clone(),
            labels: declared.labels.clone(),
        };
        let server = Server {
            proxy: kri.clone(),
            endpoint,
            healthy: declared.healthy,
        };
        (declared.service.clone(), server)
    })
}

/// Adds the certificates of published authorities to what the documents say about trust, and who is not believed any more.
struct Completion<'a> {
    bundle: &'a Bundle,
    /// By mesh.
    ours: BTreeMap<String, Trust>,
    /// Proxies of one mesh usually have one trust.
    done: BTreeMap<(String, Option<Digest>), (Digest, Trust)>,
}

impl<'a> Completion<'a> {
    fn new(
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
        }
    }

    fn complete(
        &mut self,
        proxy: &Kri,
        manifest: &Manifest,
        resources: &mut BTreeMap<Digest, Bytes>,
    ) -> Result<(Manifest, Trust), Undeliverable> {
        let written = manifest.entries.get(&Key::Trust).copied();
        let held = written.and_then(|digest| self.bundle.resources.get(&digest));
        let mut trust = match held.map(AsRef::as_ref) {
            Some(Resource::Trust(trust)) => trust.clone(),
            _ => Trust::default(),
        };
        let Some(ours) = self.ours.get(proxy.mesh()) else {
            return Ok((manifest.clone(), trust));
        };
        let mut manifest = manifest.clone();
        let memo = (proxy.mesh().to_owned(), written);
        if let Some((digest, trust)) = self.done.get(&memo) {
            manifest.entries.insert(Key::Trust, *digest);
            return Ok((manifest, trust.clone()));
        }
        for (domain, anchors) in &ours.anchors {
            let list = trust.anchors.entry(domain.clone()).or_default();
            list.extend(anchors.iter().cloned());
            list.sort();
            list.dedup();
        }
        trust.revoked.clone_from(&ours.revoked);
        let (digest, bytes) = Resource::Trust(trust.clone()).encode()?;
        resources.insert(digest, Bytes::from(bytes));
        manifest.entries.insert(Key::Trust, digest);
        self.done.insert(memo, (digest, trust.clone()));
        Ok((manifest, trust))
    }
}

#[cfg(test)]
pub(crate) mod sample;
#[cfg(test)]
mod tests;
