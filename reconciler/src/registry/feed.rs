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
