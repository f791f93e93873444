//! The applied world as JSON, for `/config`.
//!
//! Never the key of a certificate, and never more than was applied.

use std::collections::{BTreeMap, BTreeSet};

use mesh_bundle::resource::{Cluster, Destination, Inbound, InboundPolicy, Outbound};
use mesh_bundle::{Digest, Kri, SpiffeId};
use mesh_delivery::message::ClusterEndpoints;
use serde::Serialize;

use crate::control::view::{Applied, View};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Shown<'a> {
    revision: &'a str,
    root: Digest,
    proxy: &'a Kri,
    spiffe_id: Option<&'a SpiffeId>,
    certificate_not_after: Option<u64>,
    connected: bool,
    /// Inbounds whose workload does not answer its probe.
    unhealthy: &'a BTreeSet<String>,
    trouble: Option<&'a str>,
    inbounds: BTreeMap<&'a String, ShownInbound<'a>>,
    outbounds: &'a BTreeMap<String, Outbound>,
    destinations: &'a BTreeMap<Kri, Destination>,
    clusters: BTreeMap<&'a Kri, ShownCluster<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ShownInbound<'a> {
    #[serde(flatten)]
    inbound: &'a Inbound,
    policy: &'a InboundPolicy,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ShownCluster<'a> {
    #[serde(flatten)]
    cluster: &'a Cluster,
    tls_ready: bool,
    endpoints: Vec<ShownEndpoint<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ShownEndpoint<'a> {
    id: &'a Kri,
    address: &'a str,
    port: u16,
    zone: &'a str,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    labels: &'a BTreeMap<String, String>,
}

pub(super) fn json(view: &View, applied: &Applied) -> Result<String, serde_json::Error> {
    let world = &applied.world;
    let config = &world.config;
    let inbounds = config.inbounds.iter();
    let clusters = config.clusters.iter();
    serde_json::to_string(&Shown {
        revision: &world.revision,
        root: applied.root(),
        proxy: &config.proxy.kri,
        spiffe_id: applied.spiffe_id(),
        certificate_not_after: applied.certificate_not_after(),
        connected: view.connected,
        unhealthy: &view.unhealthy,
        trouble: view.trouble.as_deref(),
        inbounds: inbounds
            .map(|(name, (inbound, policy))| (name, ShownInbound { inbound, policy }))
            .collect(),
        outbounds: &config.outbounds,
        destinations: &config.destinations,
        clusters: clusters
            .map(|(kri, cluster)| (kri, shown(cluster, world.endpoints.get(kri))))
            .collect(),
    })
}

fn shown<'a>(cluster: &'a Cluster, known: Option<&'a ClusterEndpoints>) -> ShownCluster<'a> {
    let endpoints = known.into_iter().flat_map(|known| &known.endpoints);
    ShownCluster {
        cluster,
        tls_ready: known.is_some_and(|known| known.tls_ready),
        endpoints: endpoints
            .map(|(id, endpoint)| ShownEndpoint {
                id,
                address: &endpoint.address,
                port: endpoint.port,
                zone: &endpoint.zone,
                labels: &endpoint.labels,
            })
            .collect(),
    }
}
