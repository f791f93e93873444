//! What a destination would send to, were it not for its routes: itself.
//!
//! Never changes what tests are asked: a cluster that nothing is sent to decides nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use mesh_bundle::resource::{Cluster, Resource};
use mesh_bundle::{Bundle, Digest, Key, Kri, SpiffeId};

use crate::flow::Flows;

/// Adds the cluster of every destination itself to whoever has the destination: a manifest holds only those that routes
/// send to. What is outside of the mesh and of which nobody holds the cluster stays unknown.
pub(super) fn reachable(bundle: &mut Bundle) {
    let mut known: BTreeMap<Kri, Digest> = BTreeMap::new();
    let mut missing: BTreeMap<Kri, Digest> = BTreeMap::new();
    for proxy in bundle.proxies.values() {
        let entries = &proxy.manifest.entries;
        for (key, digest) in entries {
            match key {
                Key::Cluster(port) => {
                    known.entry(port.clone()).or_insert(*digest);
                }
                Key::Destination(port) if !entries.contains_key(&Key::Cluster(port.clone())) => {
                    missing.entry(port.clone()).or_insert(*digest);
                }
                _ => {}
            }
        }
    }
    missing.retain(|port, _| !known.contains_key(port));
    for (digest, cluster) in made(bundle, &missing) {
        known.insert(cluster.kri.clone(), digest);
        let resource = Resource::Cluster(cluster);
        bundle.resources.insert(digest, Arc::new(resource));
    }
    for proxy in bundle.proxies.values_mut() {
        let entries = &proxy.manifest.entries;
        let own = entries.keys().filter_map(|key| match key {
            Key::Destination(port) => Some((Key::Cluster(port.clone()), *known.get(port)?)),
            _ => None,
        });
        let own: Vec<_> = own.filter(|(key, _)| !entries.contains_key(key)).collect();
        if !own.is_empty() {
            Arc::make_mut(proxy).manifest.entries.extend(own);
        }
    }
}

/// Clusters of service ports that somebody serves.
fn made(bundle: &Bundle, missing: &BTreeMap<Kri, Digest>) -> Vec<(Digest, Cluster)> {
    if missing.is_empty() {
        return Vec::new();
    }
    let flows = Flows::new(bundle);
    let make = |(port, digest): (&Kri, &Digest)| {
        let Resource::Destination(destination) = bundle.resources.get(digest)?.as_ref() else {
            return None;
        };
        let servers = flows.servers(port).iter();
        let identities = servers.filter_map(|server| server.node.identity());
        let identities: BTreeSet<&SpiffeId> = identities.map(|own| &own.spiffe_id).collect();
        let origin = destination.origin.clone();
        let mut cluster = Cluster::new(port.clone(), destination.protocol, origin);
        cluster.identities = identities.into_iter().cloned().collect();
        let (digest, _) = Resource::Cluster(cluster.clone()).encode().ok()?;
        let served = !flows.servers(port).is_empty();
        served.then_some((digest, cluster))
    };
    missing.iter().filter_map(make).collect()
}
