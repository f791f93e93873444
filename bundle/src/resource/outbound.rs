//! Listeners for traffic from the workload, and where it goes.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::{
    Balancer, CircuitBreaker, External, HashPolicy, HealthCheck, HttpRoute, Locality, LogBackend,
    Protocol, Retry, SlowStart, TcpRoute, Timeouts,
};
use crate::duration::Duration;
use crate::kri::Kri;
use crate::origin::{Origin, Sourced};
use crate::spiffe::SpiffeId;

/// One listener for traffic from the workload (language 3.2.2).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Outbound {
    /// Where the workload connects to; loopback unless the document says otherwise.
    pub address: IpAddr,
    /// 1 to 65535.
    pub port: u16,
    /// The key of the [`Destination`].
    pub destination: Kri,
    /// Nobody connects to it by its address: traffic for it is captured on its way to a virtual IP.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub captured: bool,
    /// The outbound in the Dataplane document; where traffic is captured, the service document.
    pub origin: Origin,
}

/// What happens to one proxy's traffic for one service port.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Destination {
    /// The service with the section name of the port.
    pub kri: Kri,
    /// What is spoken to that port, by its `appProtocol`.
    pub protocol: Protocol,
    /// The port that clients use.
    pub port: u16,
    /// The virtual IP of the service, where it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vip: Option<IpAddr>,
    /// The names under which clients find it, sorted.
    pub hostnames: Vec<String>,
    /// Routing.
    pub traffic: Traffic,
    /// Limits of this destination; `connect` is that of the [`Cluster`] which finally receives the traffic.
    pub timeouts: Box<Timeouts>,
    /// What makes requests go to the same instance, where the balancer of the [`Cluster`] looks at it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hash_policies: Option<Sourced<Vec<HashPolicy>>>,
    /// What is written about every request or connection. `None`: no policy says so; an empty list: one says that nothing is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access_log: Option<Sourced<Vec<LogBackend>>>,
    /// What is tried again. `None`: nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry: Option<Retry>,
    /// The service document.
    pub origin: Origin,
}

/// How traffic for a destination is routed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    tag = "type",
    rename_all = "camelCase",
    rename_all_fields = "camelCase",
    deny_unknown_fields
)]
pub enum Traffic {
    /// By request. In the order in which they are tried; the last one matches every request.
    Http {
        /// First match wins.
        routes: Vec<HttpRoute>,
    },
    /// By connection.
    Tcp {
        /// The only route.
        route: TcpRoute,
    },
}

/// One share of a split.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct WeightedBackend {
    /// The key of the [`Cluster`]. `None`: the reference does not resolve, its share is answered with 500 (HTTP) or
    /// refused (TCP).
    pub cluster: Option<Kri>,
    /// Share of the sum of weights; the sum fits into 32 bits.
    pub weight: u32,
    /// The backend reference, or the service document for the implied one.
    pub origin: Origin,
}

/// A service port that traffic ends at: what is known of it before its endpoints are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Cluster {
    /// The service with the section name of the port.
    pub kri: Kri,
    /// What is spoken to it.
    pub protocol: Protocol,
    /// The SPIFFE IDs that its servers may have, sorted. Checked on every mTLS connection to it.
    pub identities: Vec<SpiffeId>,
    /// TCP and TLS establishment; never zero.
    pub connect_timeout: Sourced<Duration>,
    /// `None`: one instance after the other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub balancer: Option<Box<Sourced<Balancer>>>,
    /// Never for a balancer that goes by hashes. `None`: who is new gets its share at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slow_start: Option<Box<SlowStart>>,
    /// `None`: the own zone, then all others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub locality: Option<Box<Locality>>,
    /// Its servers are not of the mesh; then it has no identities.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external: Option<Box<External>>,
    /// How much at once, and which servers are left out. `None`: what is built in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub circuit_breaker: Option<Box<CircuitBreaker>>,
    /// How servers are probed. `None`: not at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub health_check: Option<Box<HealthCheck>>,
    /// The service document.
    pub origin: Origin,
}

impl Destination {
    /// Without a name or limits of its own.
    #[must_use]
    pub fn new(kri: Kri, protocol: Protocol, port: u16, traffic: Traffic, origin: Origin) -> Self {
        Self {
            kri,
            protocol,
            port,
            vip: None,
            hostnames: Vec::new(),
            traffic,
            timeouts: Box::default(),
            hash_policies: None,
            access_log: None,
            retry: None,
            origin,
        }
    }
}

impl Cluster {
    /// With what is built in where no policy is, and without servers.
    #[must_use]
    pub fn new(kri: Kri, protocol: Protocol, origin: Origin) -> Self {
        Self {
            kri,
            protocol,
            identities: Vec::new(),
            connect_timeout: Timeouts::default().connect,
            balancer: None,
            slow_start: None,
            locality: None,
            external: None,
            circuit_breaker: None,
            health_check: None,
            origin,
        }
    }
}
