//! One proxy's configuration, assembled from its resources and checked as a whole.

use std::collections::BTreeMap;

use crate::key::Key;
use crate::kri::Kri;
use crate::resource::{
    Cluster, Destination, Filter, Inbound, InboundPolicy, Metrics, Outbound, Passthrough, Proxy,
    Resource, Tracing, Traffic, Trust,
};

/// The bundle as one proxy sees it. References between its parts are known to resolve.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProxyConfig {
    /// Who the proxy is.
    pub proxy: Proxy,
    /// Whom its peers may be vouched for by.
    pub trust: Trust,
    /// Listeners for traffic to the workload, each with its policy, by section name.
    pub inbounds: BTreeMap<String, (Inbound, InboundPolicy)>,
    /// Listeners for traffic from the workload, by `address:port`.
    pub outbounds: BTreeMap<String, Outbound>,
    /// What happens to traffic for a service port.
    pub destinations: BTreeMap<Kri, Destination>,
    /// Where traffic ends.
    pub clusters: BTreeMap<Kri, Cluster>,
    /// What is effective for the proxy as a whole.
    pub wide: ProxyWide,
}

/// What is effective for a proxy as a whole (language 4.11); each is off, or built in, where no policy applies.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProxyWide {
    /// What it measures.
    pub metrics: Option<Metrics>,
    /// Which requests are traced.
    pub tracing: Option<Tracing>,
    /// What may leave the mesh. `None`: everything.
    pub passthrough: Option<Passthrough>,
}

/// Why resources do not make a configuration. The proxy answers with it and keeps what it has.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Incomplete {
    /// Something that every configuration has is not there.
    #[error("`{0}` is missing")]
    Missing(Box<Key>),
    /// A resource refers to one that is not there.
    #[error("`{from}` refers to `{to}`, which is missing")]
    Dangling {
        /// Who refers.
        from: Box<Key>,
        /// To what.
        to: Box<Key>,
    },
    /// A resource of another type than its key says.
    #[error("`{0}` holds a resource of another type")]
    WrongType(Box<Key>),
}

impl ProxyConfig {
    /// Puts the resources of one proxy together.
    ///
    /// # Errors
    /// The first missing, dangling or mistyped resource in the order of keys.
    pub fn assemble(resources: BTreeMap<Key, Resource>) -> Result<Self, Incomplete> {
        let mut proxy = None;
        let mut trust = Trust::default();
        let (mut inbounds, mut policies) = (BTreeMap::new(), BTreeMap::new());
        let (mut outbounds, mut destinations, mut clusters) =
            (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        let mut wide = ProxyWide::default();
        for (key, resource) in resources {
            match (key, resource) {
                (Key::Proxy, Resource::Proxy(value)) => proxy = Some(value),
                (Key::Trust, Resource::Trust(value)) => trust = value,
                (Key::Metrics, Resource::Metrics(value)) => wide.metrics = Some(value),
                (Key::Tracing, Resource::Tracing(value)) => wide.tracing = Some(value),
                (Key::Passthrough, Resource::Passthrough(value)) => wide.passthrough = Some(value),
                (Key::Inbound(name), Resource::Inbound(value)) => {
                    inbounds.insert(name, value);
                }
                (Key::InboundPolicy(name), Resource::InboundPolicy(value)) => {
                    policies.insert(name, value);
                }
                (Key::Outbound(name), Resource::Outbound(value)) => {
                    outbounds.insert(name, value);
                }
                (Key::Destination(kri), Resource::Destination(value)) => {
                    destinations.insert(kri, value);
                }
                (Key::Cluster(kri), Resource::Cluster(value)) => {
                    clusters.insert(kri, value);
                }
                (key, _) => return Err(Incomplete::WrongType(Box::new(key))),
            }
        }
        let proxy = proxy.ok_or_else(|| Incomplete::Missing(Box::new(Key::Proxy)))?;
        let mut paired = BTreeMap::new();
        for (name, inbound) in inbounds {
            let policy = policies.remove(&name).ok_or_else(|| {
                dangling(Key::Inbound(name.clone()), Key::InboundPolicy(name.clone()))
            })?;
            paired.insert(name, (inbound, policy));
        }
        if let Some((name, _)) = policies.pop_first() {
            let (from, to) = (Key::InboundPolicy(name.clone()), Key::Inbound(name));
            return Err(dangling(from, to));
        }
        let config = Self {
            proxy,
            trust,
            inbounds: paired,
            outbounds,
            destinations,
            clusters,
            wide,
        };
        config.check_references()?;
        Ok(config)
    }

    fn check_references(&self) -> Result<(), Incomplete> {
        for (name, outbound) in &self.outbounds {
            if !self.destinations.contains_key(&outbound.destination) {
                let (from, to) = (
                    Key::Outbound(name.clone()),
                    Key::Destination(outbound.destination.clone()),
                );
                return Err(dangling(from, to));
            }
        }
        for (kri, destination) in &self.destinations {
            if let Some(missing) = destination
                .clusters()
                .find(|cluster| !self.clusters.contains_key(cluster))
            {
                let (from, to) = (Key::Destination(kri.clone()), Key::Cluster(missing.clone()));
                return Err(dangling(from, to));
            }
        }
        Ok(())
    }
}

fn dangling(from: Key, to: Key) -> Incomplete {
    let (from, to) = (Box::new(from), Box::new(to));
    Incomplete::Dangling { from, to }
}

impl Destination {
    /// Every cluster that its traffic may reach, mirrors included; one may be named several times.
    pub fn clusters(&self) -> impl Iterator<Item = &Kri> {
        let (routes, tcp) = match &self.traffic {
            Traffic::Http { routes } => (routes.as_slice(), None),
            Traffic::Tcp { route } => ([].as_slice(), Some(route)),
        };
        let mirrored = routes
            .iter()
            .flat_map(|route| &route.filters)
            .filter_map(|filter| match filter {
                Filter::Mirror(mirror) => mirror.cluster.as_ref(),
                _ => None,
            });
        let split = routes
            .iter()
            .flat_map(|route| &route.backends)
            .chain(tcp.into_iter().flat_map(|r| &r.backends));
        split
            .filter_map(|backend| backend.cluster.as_ref())
            .chain(mirrored)
    }
}
