//! Listeners for traffic to the workload, and who may use them.

use serde::{Deserialize, Serialize};

use super::{CircuitBreaker, Fault, IndependentRule, LogBackend, Protocol, RateLimits, Timeouts};
use crate::duration::Duration;
use crate::kri::Kri;
use crate::origin::{Origin, Sourced};
use crate::spiffe::SpiffeId;

/// One listener for traffic to the workload (language 3.2).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Inbound {
    /// The Dataplane with the section name of this inbound.
    pub kri: Kri,
    /// IP address or DNS name that the proxy listens on and peers connect to.
    pub address: String,
    /// 1 to 65535.
    pub port: u16,
    /// IP address that the workload listens on.
    pub workload_address: String,
    /// 1 to 65535.
    pub workload_port: u16,
    /// What the workload speaks.
    pub protocol: Protocol,
    /// How its proxy finds out whether the workload answers. `None`: it is taken to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probe: Option<WorkloadProbe>,
    /// The inbound in the Dataplane document.
    pub origin: Origin,
}

/// The proxy connects to its workload by TCP from time to time (language 3.2.1, `serviceProbe`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct WorkloadProbe {
    /// How often.
    pub interval: Duration,
    /// How long to wait for the connection.
    pub timeout: Duration,
    /// Failures in a row until it is unhealthy.
    pub unhealthy_threshold: u32,
    /// Successes in a row until it is healthy.
    pub healthy_threshold: u32,
}

/// What an inbound permits and limits. Equal for all proxies that the same policies select.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct InboundPolicy {
    /// Which transport is accepted, and what said so.
    pub tls: Sourced<TlsMode>,
    /// `None`: the proxy has no identity, so there is nobody to permit or deny (language 5.5).
    pub permissions: Option<Permissions>,
    /// Limits for every peer.
    pub timeouts: Box<Timeouts>,
    /// Limits for some peers, the most specific match first.
    pub peer_timeouts: Vec<PeerTimeouts>,
    /// How much is let in.
    #[serde(default, skip_serializing_if = "RateLimits::is_empty")]
    pub rate_limits: RateLimits,
    /// Faults that are made on purpose; of HTTP inbounds only.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub faults: Vec<IndependentRule<Fault>>,
    /// What is written about every request or connection, refused ones included.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub access_logs: Vec<IndependentRule<LogBackend>>,
    /// How much the workload is sent at once. `None`: what is built in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub circuit_breaker: Option<Box<CircuitBreaker>>,
}

/// Which transport an inbound accepts (language 6.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TlsMode {
    /// The proxy has no identity: everything is accepted as it comes.
    Disabled,
    /// Mesh mTLS is terminated and checked; other TLS goes to the workload untouched, plaintext is served as if there were no
    /// TLS.
    Permissive,
    /// Only mesh mTLS.
    Strict,
}

/// The merged permissions of an inbound. Deny beats allow, no match is a denial; order means nothing (language 5.5).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Permissions {
    /// Any match denies.
    pub deny: Vec<PermissionRule>,
    /// Else any match permits.
    pub allow: Vec<PermissionRule>,
    /// Else any match permits, and is counted as would-be-denied.
    pub allow_with_shadow_deny: Vec<PermissionRule>,
    /// What a peer that nothing matches is told: the first policy that could have listed it, or the `MeshIdentity` that
    /// made deny the default.
    pub unmatched: Origin,
}

/// One entry of a permission list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PermissionRule {
    /// Whom it is about.
    pub peer: PeerMatch,
    /// The line of the entry.
    pub origin: Origin,
}

/// Whom a rule is about; both parts must hold. At least one is present (language 4.5).
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PeerMatch {
    /// The identity in the peer's certificate. A peer without a certificate never matches.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spiffe_id: Option<SpiffeMatch>,
    /// The TLS server name that the peer asked for, lower case.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sni: Option<String>,
}

/// A SPIFFE ID, or the text that one begins with.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(
    tag = "type",
    content = "value",
    rename_all = "camelCase",
    deny_unknown_fields
)]
pub enum SpiffeMatch {
    /// This ID and no other.
    Exact(SpiffeId),
    /// Every ID of the same trust domain whose text begins with this one's.
    Prefix(SpiffeId),
}

/// Limits that hold for the peers of one match.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PeerTimeouts {
    /// Whom they hold for.
    pub peer: PeerMatch,
    /// A whole request until the end of the response.
    pub request: Sourced<Duration>,
    /// No activity on one request.
    pub stream_idle: Sourced<Duration>,
}

impl InboundPolicy {
    /// With what is built in where no policy is.
    #[must_use]
    pub fn new(tls: TlsMode, permissions: Option<Permissions>) -> Self {
        Self {
            tls: Sourced::built_in(tls),
            permissions,
            timeouts: Box::default(),
            peer_timeouts: Vec::new(),
            rate_limits: RateLimits::default(),
            faults: Vec::new(),
            access_logs: Vec::new(),
            circuit_breaker: None,
        }
    }
}
