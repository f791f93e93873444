//! The resources that proxies are configured with: plain data, the policy language already compiled away.
//!
//! Nothing here refers to a policy except as the [`Origin`] of a value. Unknown fields are refused: what a proxy cannot
//! understand it must not half obey.

pub mod access_log;
pub mod capture;
pub mod circuit_breaker;
pub mod external;
pub mod fault_injection;
pub mod health_check;
pub mod inbound;
pub mod independent;
pub mod load_balancing;
pub mod metrics;
pub mod outbound;
pub mod passthrough;
pub mod rate_limit;
pub mod retry;
pub mod route;
pub mod telemetry;
pub mod tracing;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::digest::{self, Digest};
use crate::duration::Duration;
use crate::kri::Kri;
use crate::origin::{Origin, Sourced};
use crate::serial::Revoked;
use crate::spiffe::{SpiffeId, TrustDomain};

pub use access_log::{
    HeaderName, LogBackend, LogField, LogFormat, LogOperator, LogSegment, LogShape, LogSink,
    LogTemplate, LogValue, TimePart,
};
pub use capture::{Capture, IpFamilies};
pub use circuit_breaker::{
    CircuitBreaker, ConnectionLimits, Detectors, FailurePercentage, OutlierDetection, RetryBudget,
    SuccessRate,
};
pub use external::External;
pub use fault_injection::{Abort, Bandwidth, Delay, Fault};
pub use health_check::{
    GrpcProbe, HealthCheck, HttpProbe, MalformedPayload, Payload, Probe, TcpProbe,
};
pub use inbound::{
    Inbound, InboundPolicy, PeerMatch, PeerTimeouts, PermissionRule, Permissions, SpiffeMatch,
    TlsMode, WorkloadProbe,
};
pub use independent::IndependentRule;
pub use load_balancing::{Balancer, HashPolicy, Locality, SlowStart};
pub use metrics::{
    Application, EndpointTls, Metrics, MetricsBackend, NameMatch, Profile, PrometheusEndpoint,
};
pub use outbound::{Cluster, Destination, Outbound, Traffic, WeightedBackend};
pub use passthrough::{
    Passthrough, PassthroughDestination, PassthroughMatch, PassthroughMode, PassthroughProtocol,
};
pub use rate_limit::{HttpRateLimit, PeerRateLimit, Rate, RateLimits, TcpRateLimit};
pub use retry::{
    BackOff, ConnectionRetry, GrpcCode, HostSelection, RateLimitedBackOff, RequestRetry,
    ResetFormat, ResetHeader, Retry, RetryCondition, RetryOn,
};
pub use route::{
    Filter, HeaderMatch, HeaderModifier, HeaderPair, HttpRoute, Mirror, PathMatch, PathRewrite,
    QueryMatch, RESERVED_HEADERS, Redirect, RequestMatch, Rewrite, TcpRoute, TextMatch,
};
pub use telemetry::{Collector, CollectorProtocol, Environment, EnvironmentMode};
pub use tracing::{Sampling, Tag, TagValue, Tracing, TracingBackend, ZipkinVersion};

/// One content-addressed piece of configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "camelCase")]
pub enum Resource {
    /// The proxy itself.
    Proxy(Proxy),
    /// Whom peers may be vouched for by.
    Trust(Trust),
    /// A listener for traffic to the workload.
    Inbound(Inbound),
    /// What an inbound permits and limits.
    InboundPolicy(InboundPolicy),
    /// A listener for traffic from the workload.
    Outbound(Outbound),
    /// What happens to traffic for one service port.
    Destination(Destination),
    /// A service port that traffic ends at.
    Cluster(Cluster),
    /// What the proxy measures.
    Metrics(Metrics),
    /// Which requests are traced.
    Tracing(Tracing),
    /// What may leave the mesh.
    Passthrough(Passthrough),
}

impl Resource {
    /// The canonical bytes, and the digest over them.
    ///
    /// # Errors
    /// Never for values built by this crate's types; see [`digest::canonical`].
    pub fn encode(&self) -> Result<(Digest, Vec<u8>), serde_json::Error> {
        let bytes = digest::canonical(self)?;
        Ok((Digest::of(&bytes), bytes))
    }

    /// Reads what [`Resource::encode`] wrote.
    ///
    /// # Errors
    /// Bytes that are not JSON, an unknown type, an unknown field, a value outside of its grammar.
    pub fn decode(bytes: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(bytes)
    }
}

/// What application protocol a port speaks (language 4.14).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// Bytes.
    Tcp,
    /// HTTP/1.1; HTTP/2 with prior knowledge is understood too.
    Http,
    /// HTTP/2 without TLS of its own.
    Http2,
    /// gRPC over HTTP/2.
    Grpc,
}

impl Protocol {
    /// Requests, not bytes, are what is routed and permitted.
    #[must_use]
    pub fn is_http(self) -> bool {
        self != Self::Tcp
    }
}

/// The proxy itself: who it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Proxy {
    /// Its Dataplane.
    pub kri: Kri,
    /// The zone it is in.
    pub zone: String,
    /// Where others reach it: IP address or DNS name. `None`: its Dataplane names none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// The workload that it stands beside, where its Dataplane names one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workload: Option<String>,
    /// `None`: no `MeshIdentity` selects it, it speaks plaintext only.
    pub identity: Option<WorkloadIdentity>,
    /// `None`: the workload connects to the proxy, and so does whoever wants something of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capture: Option<Capture>,
    /// The Dataplane document.
    pub origin: Origin,
}

/// The SPIFFE identity that a `MeshIdentity` gives to a proxy (language 3.8).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct WorkloadIdentity {
    /// The only URI SAN of its certificate.
    pub spiffe_id: SpiffeId,
    /// The `MeshIdentity` that issues it: names the issuer in a certificate request.
    pub issuer: Kri,
    /// How long each certificate is valid. Zero where an agent decides it.
    pub lifetime: Duration,
    /// An agent beside the proxy gives its certificates, and meshd none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<IdentityAgent>,
    /// The `MeshIdentity` document.
    pub origin: Origin,
}

/// Who gives certificates by the SPIFFE Workload API. Where it is, the host of each proxy knows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct IdentityAgent {
    /// How long a configuration waits for it. Zero: as long as for meshd.
    pub timeout: Duration,
}

/// Certificate authorities by the trust domain whose IDs they may vouch for (language 3.9).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Trust {
    /// One PEM `CERTIFICATE` block an entry, sorted and without duplicates.
    pub anchors: BTreeMap<TrustDomain, Vec<String>>,
    /// What is not believed although an anchor vouches for it, sorted: added by meshd, which knows what it has issued.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub revoked: Vec<Revoked>,
}

/// The timeouts of language 5.3, all of them effective. A zero duration means no limit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Timeouts {
    /// TCP and TLS establishment to the upstream; never zero.
    pub connect: Sourced<Duration>,
    /// No bytes on a TCP connection, no active request on an HTTP one.
    pub idle: Sourced<Duration>,
    /// A whole request until the end of the response, retries included.
    pub request: Sourced<Duration>,
    /// No activity on one request.
    pub stream_idle: Sourced<Duration>,
    /// The longest that one request may live.
    pub max_stream: Sourced<Duration>,
    /// The longest that one HTTP connection may live before it is drained.
    pub max_connection: Sourced<Duration>,
    /// Time to receive complete request headers from downstream.
    pub request_headers: Sourced<Duration>,
}

impl Default for Timeouts {
    /// The built-in values of language 4.13.
    fn default() -> Self {
        let off = || Sourced::built_in(Duration::ZERO);
        Self {
            connect: Sourced::built_in(Duration::from_secs(5)),
            idle: Sourced::built_in(Duration::from_secs(3_600)),
            request: Sourced::built_in(Duration::from_secs(15)),
            stream_idle: Sourced::built_in(Duration::from_secs(1_800)),
            max_stream: off(),
            max_connection: off(),
            request_headers: off(),
        }
    }
}
