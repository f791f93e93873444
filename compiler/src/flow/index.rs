//! Who is behind which service port, and what each proxy holds: found once for a bundle.
//!
//! Never walks a bundle for a question: an answer costs what it says.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use mesh_bundle::decide::{BadPattern, RouteTable};
use mesh_bundle::resource::{
    Cluster, Destination, Inbound, InboundPolicy, Outbound, Proxy, Trust, WorkloadIdentity,
};
use mesh_bundle::{Bundle, BundledProxy, DeclaredEndpoint, Digest, Key, Kri, Resource, SpiffeId};

use crate::lookup::Lookup;

/// A bundle that can be asked what becomes of traffic.
#[derive(Debug)]
pub struct Flows<'b> {
    bundle: &'b Bundle,
    /// By service port.
    servers: Lookup<Kri, Vec<Server<'b>>>,
    identities: BTreeMap<&'b SpiffeId, Vec<&'b Kri>>,
    /// Routes that have been asked, by the digest of their destination.
    tables: Mutex<BTreeMap<Digest, Arc<RouteTable>>>,
}

/// One proxy of the bundle.
#[derive(Debug, Clone, Copy)]
pub struct Node<'b> {
    bundle: &'b Bundle,
    /// Its Dataplane.
    pub kri: &'b Kri,
    given: &'b BundledProxy,
    /// Looked up once: every peer is held against it.
    trust: Option<&'b Trust>,
}

/// One inbound behind a service port.
#[derive(Debug, Clone, Copy)]
pub struct Server<'b> {
    /// Whose it is.
    pub node: Node<'b>,
    /// As the service sees it.
    pub endpoint: &'b DeclaredEndpoint,
    /// Where it listens.
    pub inbound: &'b Inbound,
    /// What it permits and limits.
    pub policy: &'b InboundPolicy,
    /// Equal policies have equal digests.
    pub digest: Digest,
}

impl<'b> Flows<'b> {
    /// Indexes a bundle.
    #[must_use]
    pub fn new(bundle: &'b Bundle) -> Self {
        let mut servers: Lookup<Kri, Vec<Server<'_>>> = Lookup::default();
        let mut identities: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for (kri, given) in &bundle.proxies {
            let node = Node::of(bundle, kri, given);
            if let Some(identity) = node.identity() {
                let known = identities.entry(&identity.spiffe_id).or_default();
                known.push(kri);
            }
            for server in node.servers() {
                let service = &server.endpoint.service;
                match servers.get_mut(service) {
                    Some(known) => known.push(server),
                    None => servers.insert(service.clone(), vec![server]),
                }
            }
        }
        Self {
            bundle,
            servers,
            identities,
            tables: Mutex::default(),
        }
    }

    /// The bundle.
    #[must_use]
    pub fn bundle(&self) -> &'b Bundle {
        self.bundle
    }

    /// Every proxy.
    pub fn nodes(&self) -> impl Iterator<Item = Node<'b>> {
        let bundle = self.bundle;
        let proxies = bundle.proxies.iter();
        proxies.map(move |(kri, given)| Node::of(bundle, kri, given))
    }

    /// A proxy.
    #[must_use]
    pub fn node(&self, kri: &Kri) -> Option<Node<'b>> {
        let bundle = self.bundle;
        let (kri, given) = bundle.proxies.get_key_value(kri)?;
        Some(Node::of(bundle, kri, given))
    }

    /// The inbounds behind a service port, in the order of their proxies; those that are declared unhealthy too.
    #[must_use]
    pub fn servers(&self, port: &Kri) -> &[Server<'b>] {
        self.servers.get(port).map_or(&[], Vec::as_slice)
    }

    /// The identities that proxies of the bundle are given, each with its proxies.
    #[must_use]
    pub fn identities(&self) -> &BTreeMap<&'b SpiffeId, Vec<&'b Kri>> {
        &self.identities
    }

    /// Do clients with an identity speak mTLS to a service port? Once every server has a certificate, which a bundle
    /// cannot know, this is what meshd tells them.
    #[must_use]
    pub fn is_tls_ready(&self, port: &Kri) -> bool {
        let servers = self.servers(port);
        let trusted = |server: &Server<'_>| {
            let identity = server.node.identity();
            identity.is_some_and(|identity| server.node.believes(&identity.spiffe_id))
        };
        !servers.is_empty() && servers.iter().all(trusted)
    }

    /// The compiled routes of a destination.
    ///
    /// # Errors
    /// A pattern that is none, which a bundle without errors does not hold.
    pub(crate) fn routes(
        &self,
        digest: Digest,
        destination: &Destination,
    ) -> Result<Arc<RouteTable>, BadPattern> {
        let mut tables = self.tables.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = tables.get(&digest) {
            return Ok(Arc::clone(known));
        }
        let table = Arc::new(RouteTable::compile(destination)?);
        tables.insert(digest, Arc::clone(&table));
        Ok(table)
    }
}

impl<'b> Node<'b> {
    fn of(bundle: &'b Bundle, kri: &'b Kri, given: &'b BundledProxy) -> Self {
        let trust = None;
        let node = Self {
            bundle,
            kri,
            given,
            trust,
        };
        let trust = match node.resource(&Key::Trust) {
            Some((_, Resource::Trust(trust))) => Some(trust),
            _ => None,
        };
        Self { trust, ..node }
    }

    fn resource(self, key: &Key) -> Option<(Digest, &'b Resource)> {
        let digest = *self.given.manifest.entries.get(key)?;
        Some((digest, self.bundle.resources.get(&digest)?))
    }

    /// The proxy itself.
    #[must_use]
    pub fn proxy(self) -> Option<&'b Proxy> {
        match self.resource(&Key::Proxy)?.1 {
            Resource::Proxy(proxy) => Some(proxy),
            _ => None,
        }
    }

    /// Who it is; `None`: it speaks plaintext only.
    #[must_use]
    pub fn identity(self) -> Option<&'b WorkloadIdentity> {
        self.proxy()?.identity.as_ref()
    }

    /// The value of its `kuma.io/workload`.
    #[must_use]
    pub fn workload(self) -> Option<&'b str> {
        self.given.workload.as_deref()
    }

    /// What its manifest names.
    #[must_use]
    pub fn entries(self) -> &'b BTreeMap<Key, Digest> {
        &self.given.manifest.entries
    }

    /// Whom its peers may be vouched for by, as far as documents say.
    #[must_use]
    pub fn trust(self) -> Option<&'b Trust> {
        self.trust
    }

    /// Is there an authority that may vouch for this identity, one that meshd keeps included?
    #[must_use]
    pub fn believes(self, id: &SpiffeId) -> bool {
        let domain = id.trust_domain();
        let written = self
            .trust()
            .is_some_and(|trust| trust.anchors.contains_key(domain));
        let kept = || {
            self.bundle.issuers.values().any(|issuer| {
                issuer.publish_trust
                    && issuer.mesh == self.kri.mesh()
                    && issuer.trust_domain == *domain
            })
        };
        written || kept()
    }

    /// Its listeners for traffic from the workload, each with where that goes.
    pub fn outbounds(self) -> impl Iterator<Item = (&'b str, &'b Outbound)> {
        let from = Key::Outbound(String::new());
        let entries = self.given.manifest.entries.range(from..);
        entries
            .map_while(|(key, digest)| match key {
                Key::Outbound(name) => Some((name.as_str(), digest)),
                _ => None,
            })
            .filter_map(
                move |(name, digest)| match self.bundle.resources.get(digest)?.as_ref() {
                    Resource::Outbound(outbound) => Some((name, outbound)),
                    _ => None,
                },
            )
    }

    /// The listener that leads to a service port.
    #[must_use]
    pub fn outbound(self, port: &Kri) -> Option<&'b Outbound> {
        let mut outbounds = self.outbounds();
        let found = outbounds.find(|(_, outbound)| outbound.destination == *port);
        found.map(|(_, outbound)| outbound)
    }

    /// What happens to its traffic for a service port.
    #[must_use]
    pub fn destination(self, port: &Kri) -> Option<(Digest, &'b Destination)> {
        match self.resource(&Key::Destination(port.clone()))? {
            (digest, Resource::Destination(destination)) => Some((digest, destination)),
            _ => None,
        }
    }

    /// A service port where its traffic ends.
    #[must_use]
    pub fn cluster(self, port: &Kri) -> Option<(Digest, &'b Cluster)> {
        match self.resource(&Key::Cluster(port.clone()))? {
            (digest, Resource::Cluster(cluster)) => Some((digest, cluster)),
            _ => None,
        }
    }

    /// Its inbounds, by section name.
    pub fn inbounds(self) -> impl Iterator<Item = (&'b Inbound, Digest, &'b InboundPolicy)> {
        let from = Key::Inbound(String::new());
        let entries = self.given.manifest.entries.range(from..);
        let names = entries.map_while(|(key, digest)| match key {
            Key::Inbound(name) => Some((name, digest)),
            _ => None,
        });
        names.filter_map(move |(name, digest)| {
            let inbound = self.bundle.resources.get(digest)?.as_ref();
            let policy = self.resource(&Key::InboundPolicy(name.clone()))?;
            match (inbound, policy) {
                (Resource::Inbound(inbound), (digest, Resource::InboundPolicy(policy))) => {
                    Some((inbound, digest, policy))
                }
                _ => None,
            }
        })
    }

    /// Its inbounds, as the service ports that they are behind see them.
    fn servers(self) -> impl Iterator<Item = Server<'b>> {
        let inbounds: Vec<_> = self.inbounds().collect();
        self.given.endpoints.iter().filter_map(move |endpoint| {
            let listens = |inbound: &Inbound| {
                inbound.port == endpoint.port && inbound.address == endpoint.address
            };
            let mut inbounds = inbounds.iter();
            let (inbound, digest, policy) = inbounds.find(|(inbound, ..)| listens(inbound))?;
            Some(Server {
                node: self,
                endpoint,
                inbound,
                policy,
                digest: *digest,
            })
        })
    }
}
