//! From a world to a table. What is not understood is refused, with its key and pointer.
//!
//! Never looks at the network: names are resolved where connections are made.

mod outside;
mod wide;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use mesh_bundle::decide::{CompiledRetry, RouteTable, speaks_tls};
use mesh_bundle::resource::{
    CircuitBreaker, Cluster, ConnectionLimits, Destination, HashPolicy, HttpRoute, Inbound,
    InboundPolicy, Locality, OutlierDetection, TlsMode, Traffic, WeightedBackend,
};
use mesh_bundle::{Key, Kri, ProxyConfig, Sourced};
use mesh_delivery::message::{ClusterEndpoints, Endpoint};

use super::believed::believed;
use super::{
    Backend, Bind, ClusterTable, DestinationTable, Hop, InboundTable, Instance, OutboundTable,
    RouteEntry, Step, Table, TrafficTable,
};
use crate::balance::Balance;
use crate::capture;
use crate::dns::Names;
use crate::tls::{ALPN_H1, ALPN_H2, ALPN_TCP, Identity, Trust};
use crate::world::{Rejected, World};

/// Of the next table. 0 is the empty one.
static SERIAL: AtomicU64 = AtomicU64::new(1);

pub(super) fn table(world: &World) -> Result<Table, Rejected> {
    let config = &*world.config;
    let trust = Trust::read(&believed(world)).map_err(|(pointer, reason)| Rejected {
        key: Some(Key::Trust),
        pointer,
        reason,
    })?;
    let trust = Arc::new(trust);
    let identity = identity(world, &trust)?;
    let serial = SERIAL.fetch_add(1, Ordering::Relaxed);
    let clusters = clusters(world, identity.as_ref(), serial)?;
    let destinations = destinations(config, &clusters)?;
    Ok(Table {
        serial,
        revision: world.revision.as_str().into(),
        root: Some(world.root),
        proxy: config.proxy.kri.to_string().into(),
        home: Arc::new(wide::home(config)),
        capture: config.proxy.capture.clone(),
        passthrough: config.wide.passthrough.clone(),
        names: names(config),
        inbounds: inbounds(config, identity.as_ref())?,
        outbounds: outbounds(config, &destinations)?,
        clusters: clusters.into_values().collect(),
        trust,
        identity,
        metrics: wide::metrics(&config.wide)?,
        log_ways: OnceLock::new(),
        tracer: wide::tracer(&config.wide)?,
    })
}

/// A name leads to where its traffic is captured; the others are nothing to us.
fn names(config: &ProxyConfig) -> Names {
    let outbounds = config.outbounds.values();
    let captured = outbounds.filter(|outbound| outbound.captured);
    let names = captured.filter_map(|outbound| {
        let destination = config.destinations.get(&outbound.destination)?;
        let name = |name: &String| (name.to_ascii_lowercase().into(), outbound.address);
        Some(destination.hostnames.iter().map(name))
    });
    names.flatten().collect()
}

fn rejected(key: Key, pointer: &str, reason: impl Into<String>) -> Rejected {
    Rejected {
        key: Some(key),
        pointer: pointer.to_owned(),
        reason: reason.into(),
    }
}

fn identity(world: &World, trust: &Arc<Trust>) -> Result<Option<Identity>, Rejected> {
    let (Some(given), Some(svid)) = (&world.config.proxy.identity, &world.svid) else {
        return Ok(None);
    };
    let bad = |reason: String| rejected(Key::Proxy, "/identity/spiffeId", reason);
    if given.spiffe_id != svid.spiffe_id {
        let reason = format!("the certificate is for `{}`", svid.spiffe_id);
        return Err(bad(reason));
    }
    let identity = Identity::new(svid, Arc::clone(trust));
    identity
        .map(Some)
        .map_err(|why| bad(format!("the certificate cannot be used: {why}")))
}

type Clusters = BTreeMap<String, Arc<ClusterTable>>;

fn clusters(world: &World, identity: Option<&Identity>, serial: u64) -> Result<Clusters, Rejected> {
    let known = ClusterEndpoints::default();
    let has_identity = world.config.proxy.identity.is_some();
    let mut clusters = BTreeMap::new();
    for (kri, cluster) in &world.config.clusters {
        let endpoints = world.endpoints.get(kri).unwrap_or(&known);
        let (hop, instances) = match &cluster.external {
            Some(external) => (
                outside::hop(kri, external, &world.secrets),
                outside::instances(kri, cluster.protocol, external)?,
            ),
            None => {
                let hop = match (speaks_tls(has_identity, endpoints.tls_ready), identity) {
                    (false, _) => Hop::Plain,
                    (true, None) => Hop::Unready,
                    (true, Some(identity)) => {
                        let tls = identity.client(&cluster.identities, serial);
                        let bad = |why: rustls::Error| {
                            rejected(Key::Cluster(kri.clone()), "/identities", why.to_string())
                        };
                        Hop::Mesh(tls.map_err(bad)?)
                    }
                };
                (hop, instances(cluster, endpoints, &world.config.proxy.zone))
            }
        };
        let compiled = Arc::new(compile_cluster(kri, cluster, hop, instances)?);
        clusters.insert(kri.to_string(), compiled);
    }
    Ok(clusters)
}

/// The proxies behind a cluster; some zones are not used at all.
fn instances(cluster: &Cluster, endpoints: &ClusterEndpoints, own: &str) -> Vec<Instance> {
    let endpoints = endpoints.endpoints.values();
    let locality = cluster.locality.as_deref();
    let instance = |endpoint: &Endpoint| {
        let priority = Locality::priority(locality, own, &endpoint.zone)?;
        let near = locality.filter(|_| endpoint.zone == own);
        Some(Instance {
            priority,
            weight: near.map_or(1, |locality| locality.weight(&endpoint.labels)),
            labels: Arc::new(endpoint.labels.clone()),
            ..Instance::new(endpoint.address.clone(), endpoint.port)
        })
    };
    endpoints.filter_map(instance).collect()
}

fn compile_cluster(
    kri: &Kri,
    cluster: &Cluster,
    hop: Hop,
    mut instances: Vec<Instance>,
) -> Result<ClusterTable, Rejected> {
    let key = || Key::Cluster(kri.clone());
    let Some(connect_timeout) = cluster.connect_timeout.value.limit() else {
        let reason = "a connection cannot be made in no time";
        return Err(rejected(key(), "/connectTimeout/value", reason));
    };
    Balance::arrange(&mut instances);
    let balance = Balance::new(cluster, &instances);
    let balance = balance.map_err(|(pointer, reason)| rejected(key(), &pointer, reason))?;
    Ok(ClusterTable {
        kri: kri.clone(),
        label: kri.to_string().into(),
        protocol: cluster.protocol,
        identities: cluster.identities.clone(),
        hop,
        connect_timeout,
        instances,
        limits: limits(cluster.circuit_breaker.as_deref()),
        detection: detection(cluster.circuit_breaker.as_deref()),
        health_check: cluster.health_check.clone(),
        events: OnceLock::new(),
        load: OnceLock::new(),
        balance,
    })
}

fn detection(breaker: Option<&CircuitBreaker>) -> Option<Box<OutlierDetection>> {
    let detection = breaker?.detection()?;
    Some(Box::new(detection.clone()))
}

fn limits(breaker: Option<&CircuitBreaker>) -> ConnectionLimits {
    breaker.map_or_else(ConnectionLimits::default, |breaker| breaker.limits.clone())
}

fn hash_policies(policies: Option<&Sourced<Vec<HashPolicy>>>) -> Vec<HashPolicy> {
    policies.map_or_else(Vec::new, |policies| policies.value.clone())
}

fn backends(list: &[WeightedBackend], clusters: &Clusters) -> Vec<Backend> {
    let backend = |backend: &WeightedBackend| {
        let kri = backend.cluster.clone()?;
        let cluster = Arc::clone(clusters.get(&kri.to_string())?);
        Some(Backend { kri, cluster })
    };
    list.iter().filter_map(backend).collect()
}

type Destinations = BTreeMap<String, Arc<DestinationTable>>;

fn destinations(config: &ProxyConfig, clusters: &Clusters) -> Result<Destinations, Rejected> {
    let mut compiled = BTreeMap::new();
    for (kri, destination) in &config.destinations {
        let traffic = traffic(destination, clusters).map_err(|(pointer, reason)| Rejected {
            key: Some(Key::Destination(kri.clone())),
            pointer,
            reason,
        })?;
        let label: Arc<str> = kri.to_string().into();
        let destination = DestinationTable {
            destination: destination.clone(),
            label: Arc::clone(&label),
            traffic,
            log: OnceLock::new(),
            logs_routes: OnceLock::new(),
        };
        compiled.insert(label.to_string(), Arc::new(destination));
    }
    Ok(compiled)
}

fn traffic(
    destination: &Destination,
    clusters: &Clusters,
) -> Result<TrafficTable, (String, String)> {
    let routes = match &destination.traffic {
        Traffic::Tcp { route } => {
            return Ok(TrafficTable::Tcp {
                route: route.clone(),
                backends: backends(&route.backends, clusters),
            });
        }
        Traffic::Http { routes } => routes,
    };
    let table = RouteTable::compile(destination).map_err(|bad| (bad.pointer, bad.reason))?;
    let retry = |route: &HttpRoute| {
        let retry = route.retry(destination);
        retry.map(CompiledRetry::compile).transpose()
    };
    let entry = |(index, route): (usize, &HttpRoute)| {
        let step = |(place, filter)| {
            let cluster = |kri: &Kri| clusters.get(&kri.to_string()).cloned();
            Step::compile(filter, cluster).map_err(|reason| {
                let pointer = format!("/traffic/routes/{index}/filters/{place}");
                (pointer, reason)
            })
        };
        Ok::<_, (String, String)>(RouteEntry {
            label: route.kri.to_string().into(),
            steps: route
                .filters
                .iter()
                .enumerate()
                .map(step)
                .collect::<Result<_, _>>()?,
            backends: backends(&route.backends, clusters),
            timeouts: route.timeouts(destination).clone(),
            retry: retry(route).map_err(|(pointer, why)| {
                (format!("/traffic/routes/{index}/retry{pointer}"), why)
            })?,
            hash_policies: hash_policies(
                route
                    .hash_policies
                    .as_ref()
                    .or(destination.hash_policies.as_ref()),
            ),
            stats: OnceLock::new(),
            log: OnceLock::new(),
        })
    };
    Ok(TrafficTable::Http {
        table,
        routes: routes
            .iter()
            .enumerate()
            .map(entry)
            .collect::<Result<_, _>>()?,
        stats: OnceLock::new(),
    })
}

fn inbounds(
    config: &ProxyConfig,
    identity: Option<&Identity>,
) -> Result<BTreeMap<Bind, Arc<InboundTable>>, Rejected> {
    let mut compiled = BTreeMap::new();
    let capture = config.proxy.capture.as_ref();
    let captured = capture.is_some_and(|capture| capture.inbound_port.is_some());
    for (name, (inbound, policy)) in &config.inbounds {
        let bind = Bind {
            host: inbound.address.clone(),
            port: inbound.port,
        };
        let key = || Key::Inbound(name.clone());
        let mut entry = compile_inbound(name, inbound, policy, identity)?;
        if captured {
            entry.workload.from = capture::source(&inbound.workload_address);
        }
        if compiled.insert(bind, Arc::new(entry)).is_some() {
            return Err(rejected(
                key(),
                "/port",
                "another inbound listens there too",
            ));
        }
    }
    Ok(compiled)
}

fn compile_inbound(
    name: &str,
    inbound: &Inbound,
    policy: &InboundPolicy,
    identity: Option<&Identity>,
) -> Result<InboundTable, Rejected> {
    let key = || Key::Inbound(name.to_owned());
    if inbound
        .workload_address
        .parse::<std::net::IpAddr>()
        .is_err()
    {
        let reason = "the workload's address is not an IP address";
        return Err(rejected(key(), "/workloadAddress", reason));
    }
    let policy_key = || Key::InboundPolicy(name.to_owned());
    if policy.tls.value != TlsMode::Disabled && policy.permissions.is_none() {
        let reason = "peers prove who they are, and nothing says who is permitted";
        return Err(rejected(policy_key(), "/permissions", reason));
    }
    if policy.timeouts.connect.value.is_zero() {
        let reason = "a connection cannot be made in no time";
        return Err(rejected(policy_key(), "/timeouts/connect/value", reason));
    }
    let alpn: &[&[u8]] = match inbound.protocol.is_http() {
        // A client whose route is for connections speaks HTTP through a mesh/tcp tunnel.
        true => &[ALPN_H2, ALPN_H1, ALPN_TCP],
        false => &[ALPN_TCP],
    };
    let bad = |why: rustls::Error| rejected(key(), "", why.to_string());
    let tls = match policy.tls.value {
        TlsMode::Disabled => None,
        TlsMode::Permissive | TlsMode::Strict => {
            let server = identity.map(|identity| identity.server(alpn));
            server.transpose().map_err(bad)?
        }
    };
    Ok(InboundTable {
        name: name.to_owned(),
        inbound: inbound.clone(),
        policy: policy.clone(),
        label: inbound.kri.to_string().into(),
        workload: Instance::new(inbound.workload_address.clone(), inbound.workload_port),
        limits: limits(policy.circuit_breaker.as_deref()),
        load: OnceLock::new(),
        tls,
        buckets: OnceLock::new(),
        logs: OnceLock::new(),
    })
}

fn outbounds(
    config: &ProxyConfig,
    destinations: &Destinations,
) -> Result<BTreeMap<Bind, Arc<OutboundTable>>, Rejected> {
    let mut compiled = BTreeMap::new();
    for (name, outbound) in &config.outbounds {
        let key = || Key::Outbound(name.clone());
        let destination = destinations
            .get(&outbound.destination.to_string())
            .ok_or_else(|| rejected(key(), "/destination", "there is no such destination"))?;
        let bind = Bind {
            host: outbound.address.to_string(),
            port: outbound.port,
        };
        let entry = OutboundTable {
            name: name.clone(),
            captured: outbound.captured,
            destination: Arc::clone(destination),
        };
        if compiled.insert(bind, Arc::new(entry)).is_some() {
            return Err(rejected(
                key(),
                "/port",
                "another outbound listens there too",
            ));
        }
    }
    Ok(compiled)
}
