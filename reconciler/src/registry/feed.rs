//! What each proxy is told: its configuration with the endpoints of today.

use std::sync::Arc;

use mesh_bundle::Kri;
use mesh_delivery::publisher::Wanted;
use tokio::sync::watch;

use super::Inner;
use crate::publish::Published;

pub(super) type Feed = watch::Sender<Option<Arc<Wanted>>>;

impl Inner {
    /// The configuration of a proxy with the endpoints of today.
    pub(super) fn compose(&self, published: &Published, kri: &Kri) -> Option<Wanted> {
        let proxy = published.proxies.get(kri)?;
        let endpoints = proxy.clusters.iter().map(|cluster| {
            let known = self.services.get(cluster).cloned();
            (cluster.clone(), known.unwrap_or_default())
        });
        Some(proxy.wanted.with_endpoints(endpoints.collect()))
    }
}

/// Would the proxy be sent nothing?
pub(super) fn is_same(one: &Wanted, other: &Wanted) -> bool {
    one.root() == other.root()
        && one.secrets() == other.secrets()
        && one.endpoints().len() == other.endpoints().len()
        && one
            .endpoints()
            .iter()
            .zip(other.endpoints())
            .all(|((a, x), (b, y))| a == b && Arc::ptr_eq(x, y))
}
