//! The world, compiled: what connections and requests are decided with.
//!
//! Never changes once it is built, and never counts: a new world is a new table, and what counts lives in the pools and
//! metrics that outlive it. A request loads one table and keeps to it.

mod believed;
mod build;
mod filter;
mod place;

use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use http::HeaderValue;
use mesh_bundle::decide::{CompiledRetry, RouteTable};
use mesh_bundle::resource::{
    Capture, ConnectionLimits, Destination, HashPolicy, HealthCheck, Inbound, InboundPolicy,
    IndependentRule, OutlierDetection, Passthrough, Protocol, TcpRoute, Timeouts,
};
use mesh_bundle::{Digest, Kri};
use rustls::ServerConfig;

use crate::access_log::{EventFile, Home, LogWays, Outlet};
use crate::balance::Balance;
use crate::dns::Names;
use crate::limiter::Buckets;
use crate::metrics::RequestStats;
use crate::telemetry::MetricsPlan;
use crate::tls::{ClientTls, Identity, OutsideTls, Trust};
use crate::trace::Tracer;
use crate::upstream::{Ewma, Load, Pool};
use crate::world::{Rejected, World};

pub(crate) use filter::{HeaderEdit, Step};
pub(crate) use place::{Asked, Place, Reach};

/// Instances that one request may try.
pub(crate) const MOST_INSTANCES: usize = 3;

/// What a data plane applies.
#[derive(Debug, Default)]
pub struct Table {
    /// Later tables have higher ones.
    pub(crate) serial: u64,
    pub(crate) revision: Arc<str>,
    pub(crate) root: Option<Digest>,
    /// The Dataplane: the source of outbound traffic in metrics.
    pub(crate) proxy: Arc<str>,
    pub(crate) home: Arc<Home>,
    /// Where traffic arrives that is captured.
    pub(crate) capture: Option<Capture>,
    /// What may leave the mesh; `None`: everything.
    pub(crate) passthrough: Option<Passthrough>,
    /// What the workload finds the services by that are captured for it.
    pub(crate) names: Names,
    pub(crate) inbounds: BTreeMap<Bind, Arc<InboundTable>>,
    pub(crate) outbounds: BTreeMap<Bind, Arc<OutboundTable>>,
    pub(crate) clusters: Vec<Arc<ClusterTable>>,
    pub(crate) trust: Arc<Trust>,
    pub(crate) identity: Option<Identity>,
    /// What is measured, and who gets it; `None`: nobody but the admin endpoint.
    pub(crate) metrics: Option<MetricsPlan>,
    /// Set before it is served from: the ways of the records that go to collectors.
    pub(crate) log_ways: OnceLock<LogWays>,
    /// `None`: no request is traced.
    pub(crate) tracer: Option<Arc<Tracer>>,
}

/// Where a listener listens, as the configuration has it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Bind {
    /// IP address or DNS name.
    pub(crate) host: String,
    pub(crate) port: u16,
}

#[derive(Debug)]
pub(crate) struct InboundTable {
    pub(crate) name: String,
    pub(crate) inbound: Inbound,
    pub(crate) policy: InboundPolicy,
    /// As metrics name it.
    pub(crate) label: Arc<str>,
    pub(crate) workload: Instance,
    pub(crate) limits: ConnectionLimits,
    pub(crate) load: OnceLock<Arc<Load>>,
    /// `None` where mesh TLS cannot be terminated.
    pub(crate) tls: Option<Arc<ServerConfig>>,
    /// Set where something is limited, before it is served from.
    pub(crate) buckets: OnceLock<Buckets>,
    pub(crate) logs: OnceLock<Vec<IndependentRule<Arc<Outlet>>>>,
}

#[derive(Debug)]
pub(crate) struct OutboundTable {
    /// Of its key.
    pub(crate) name: String,
    /// Nothing listens at its address.
    pub(crate) captured: bool,
    pub(crate) destination: Arc<DestinationTable>,
}

#[derive(Debug)]
pub(crate) struct DestinationTable {
    pub(crate) destination: Destination,
    pub(crate) label: Arc<str>,
    pub(crate) traffic: TrafficTable,
    pub(crate) log: OnceLock<Vec<Arc<Outlet>>>,
    /// Some of its routes have a log of their own: found once, not at each request.
    pub(crate) logs_routes: OnceLock<bool>,
}

#[derive(Debug)]
pub(crate) enum TrafficTable {
    Http {
        table: RouteTable,
        /// In the order of the table.
        routes: Vec<RouteEntry>,
        /// For requests that come to no route.
        stats: OnceLock<Arc<RequestStats>>,
    },
    Tcp {
        route: TcpRoute,
        backends: Vec<Backend>,
    },
}

/// What is kept beside a compiled route.
#[derive(Debug)]
pub(crate) struct RouteEntry {
    pub(crate) label: Arc<str>,
    pub(crate) steps: Vec<Step>,
    pub(crate) backends: Vec<Backend>,
    pub(crate) timeouts: Timeouts,
    pub(crate) retry: Option<CompiledRetry>,
    pub(crate) hash_policies: Vec<HashPolicy>,
    pub(crate) stats: OnceLock<Arc<RequestStats>>,
    /// Set where a policy names this route.
    pub(crate) log: OnceLock<Vec<Arc<Outlet>>>,
}

/// A cluster by the name that the decision gives.
#[derive(Debug, Clone)]
pub(crate) struct Backend {
    pub(crate) kri: Kri,
    pub(crate) cluster: Arc<ClusterTable>,
}

#[derive(Debug)]
pub(crate) struct ClusterTable {
    pub(crate) kri: Kri,
    pub(crate) label: Arc<str>,
    pub(crate) protocol: Protocol,
    pub(crate) identities: Vec<mesh_bundle::SpiffeId>,
    pub(crate) hop: Hop,
    pub(crate) connect_timeout: Duration,
    /// As [`Balance::arrange`] orders them.
    pub(crate) instances: Vec<Instance>,
    pub(crate) limits: ConnectionLimits,
    pub(crate) load: OnceLock<Arc<Load>>,
    pub(crate) balance: Balance,
    /// By what instances are judged; `None`: they are not.
    pub(crate) detection: Option<Box<OutlierDetection>>,
    /// How they are probed; `None`: they are not.
    pub(crate) health_check: Option<Box<HealthCheck>>,
    /// Where changes of health are written to.
    pub(crate) events: OnceLock<EventFile>,
}

/// How the next hop is spoken to.
#[derive(Debug, Clone)]
pub(crate) enum Hop {
    /// As the workload speaks.
    Plain,
    /// Another mesh proxy.
    Mesh(ClientTls),
    /// It must be mesh TLS, and this proxy has no certificate yet.
    Unready,
    /// A server of no mesh.
    Outside(OutsideTls),
    /// A server of no mesh, whose TLS needs what this proxy has not been given.
    Locked,
}

/// One address that connections are made to.
#[derive(Debug)]
pub(crate) struct Instance {
    pub(crate) host: String,
    pub(crate) port: u16,
    /// Used after those of every lower one.
    pub(crate) priority: u32,
    /// Of the group of instances that have the same in common with this proxy.
    pub(crate) weight: u64,
    /// The host of requests that are sent there, instead of what the client asked for.
    pub(crate) authority: Option<HeaderValue>,
    /// The address that connections to it come from, where that makes a difference to the host.
    pub(crate) from: Option<IpAddr>,
    /// `host:port`.
    pub(crate) label: Arc<str>,
    /// Those that are asked about, which are few.
    pub(crate) labels: Arc<BTreeMap<String, String>>,
    pub(crate) pool: OnceLock<Arc<Pool>>,
}

impl Table {
    /// Compiles a world.
    ///
    /// # Errors
    /// Whatever of it is not understood, with its place. Nothing of such a world is applied.
    pub fn build(world: &World) -> Result<Self, Rejected> {
        build::table(world)
    }

    /// The commit that it was compiled from.
    #[must_use]
    pub fn revision(&self) -> &str {
        &self.revision
    }

    /// What it is acknowledged by; `None` before the first.
    #[must_use]
    pub fn root(&self) -> Option<Digest> {
        self.root
    }
}

impl ClusterTable {
    /// The instances that a request may try, in this order: those that could not be reached a moment ago last, those that
    /// are left out not at all, unless so many are that all are used.
    pub(crate) fn in_turn(&self, hash: Option<u64>) -> impl Iterator<Item = &Instance> + Clone {
        self.usable(hash).take(MOST_INSTANCES)
    }

    /// All of them, as far as any request may try them.
    pub(crate) fn usable(&self, hash: Option<u64>) -> impl Iterator<Item = &Instance> + Clone {
        let panics = self.balance.panics(&self.instances);
        let check = self.health_check.as_ref();
        let none = panics && check.is_some_and(|check| check.fail_traffic_on_panic.value);
        let order = self.balance.order(&self.instances, hash, none || panics);
        let out = move |one: &Instance| none || (!panics && self.balance.leaves_out(one));
        let usable = order.filter(move |instance| !out(instance));
        let well = usable.clone().filter(|instance| !instance.is_shunned());
        let rest = usable.filter(|instance| instance.is_shunned());
        well.chain(rest)
    }
}

impl Instance {
    pub(crate) fn new(host: String, port: u16) -> Self {
        let bind = Bind { host, port };
        let label = bind.to_string().into();
        let Bind { host, port } = bind;
        Self {
            host,
            port,
            priority: 0,
            weight: 1,
            authority: None,
            from: None,
            label,
            labels: Arc::default(),
            pool: OnceLock::new(),
        }
    }

    /// No connection could be made to it a moment ago.
    pub(crate) fn is_shunned(&self) -> bool {
        self.pool.get().is_some_and(|pool| pool.is_shunned())
    }

    /// It is left out for its failures.
    pub(crate) fn is_ejected(&self) -> bool {
        self.pool.get().is_some_and(|pool| pool.health.is_out())
    }

    /// Probes have found that it is not well.
    pub(crate) fn is_unhealthy(&self) -> bool {
        self.pool
            .get()
            .is_some_and(|pool| pool.findings.is_unhealthy())
    }

    pub(crate) fn known_pool(&self) -> Option<&Arc<Pool>> {
        self.pool.get()
    }

    /// What it has to do for this proxy.
    pub(crate) fn requests(&self) -> u32 {
        self.pool.get().map_or(0, |pool| pool.requests())
    }

    /// What one more request would wait there, in seconds, as far as that is known.
    pub(crate) fn cost(&self, by: Ewma) -> f64 {
        let pool = self.pool.get();
        pool.map_or(0.0, |pool| pool.timing.cost(pool.requests(), by))
    }

    /// `None` for a DNS name.
    pub(crate) fn address(&self) -> Option<SocketAddr> {
        let ip = self.host.parse().ok()?;
        Some(SocketAddr::new(ip, self.port))
    }
}

impl fmt::Display for Bind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.host.contains(':') {
            true => write!(f, "[{}]:{}", self.host, self.port),
            false => write!(f, "{}:{}", self.host, self.port),
        }
    }
}
