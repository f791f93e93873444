//! What the two ends tell each other, as plain values.
//!
//! Never holds a type of the wire format: `wire` makes these of it, and refuses what is out of bounds.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use mesh_bundle::{Digest, Key, Kri};
use rustls_pki_types::CertificateDer;
use zeroize::Zeroizing;

use crate::traffic::Traffic;

/// A proxy that has a join token and wants a control certificate for it.
#[derive(Clone, PartialEq, Eq)]
pub struct Enrollment {
    /// As `meshd token` printed it.
    pub token: String,
    /// PKCS#10, DER. Only its public key and the proof of possession count.
    pub csr: Vec<u8>,
    /// Which Dataplane of the token's workload the proxy is; `None`: there is one choice.
    pub dataplane: Option<String>,
    /// A Dataplane document to register, where the repository declares none.
    pub dataplane_document: Option<Vec<u8>>,
}

/// The token never shows.
impl fmt::Debug for Enrollment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Enrollment")
            .field("token", &"redacted")
            .field("csr", &self.csr.len())
            .field("dataplane", &self.dataplane)
            .field("dataplane_document", &self.dataplane_document)
            .finish()
    }
}

/// The answer to an [`Enrollment`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Enrolled {
    /// The control certificate, leaf first.
    pub chain: Vec<CertificateDer<'static>>,
    /// What meshd's own certificate is checked against from now on.
    pub anchors: Vec<CertificateDer<'static>>,
    /// Seconds since 1970.
    pub not_after: u64,
    /// Seconds since 1970.
    pub renew_at: u64,
}

/// Why meshd says no. The reason is in words, and safe to show to the peer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// It is not known who asks.
    #[error("not authenticated: {0}")]
    Unauthenticated(String),
    /// It is known who asks, and he may not.
    #[error("not permitted: {0}")]
    Forbidden(String),
    /// What is asked makes no sense; asking again does not help.
    #[error("not acceptable: {0}")]
    Invalid(String),
    /// Not now; asking again later may help.
    #[error("not available: {0}")]
    Unavailable(String),
}

/// The Dataplane that a control certificate speaks for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProxyName(pub Kri);

impl fmt::Display for ProxyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A certificate that meshd issued on a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    /// The `MeshIdentity`; `None`: the control certificate.
    pub issuer: Option<Kri>,
    /// Leaf first.
    pub chain: Vec<CertificateDer<'static>>,
    /// Seconds since 1970.
    pub not_after: u64,
    /// Seconds since 1970.
    pub renew_at: u64,
    /// What meshd's own certificate is checked against from now on; empty: what it was before.
    pub anchors: Vec<CertificateDer<'static>>,
}

/// What a proxy says on its session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FromProxy {
    /// The first message, and only the first.
    Hello(Hello),
    /// The change that ends at this root is applied.
    Ack {
        /// Of the configuration that holds now.
        root: Digest,
    },
    /// The change that ends at this root is not applied; what held before still holds.
    Nack {
        /// Of the configuration that was refused.
        root: Digest,
        /// The resource that cannot be applied; `None`: the change as a whole.
        key: Option<Key>,
        /// JSON pointer into the resource.
        pointer: String,
        /// In words.
        reason: String,
    },
    /// Wants a certificate.
    CertificateRequest {
        /// The `MeshIdentity`; `None`: renews the control certificate.
        issuer: Option<Kri>,
        /// PKCS#10, DER.
        csr: Vec<u8>,
    },
    /// How the proxy is.
    Status {
        /// Listeners are open and certificates held.
        ready: bool,
        /// About to stop.
        draining: bool,
        /// Section names of inbounds whose workload does not answer.
        unhealthy: BTreeSet<String>,
    },
    /// What went through it; only where meshd has asked for it.
    Traffic(Box<Traffic>),
}

/// How a session begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hello {
    /// Version of mesh-proxy, for the operator's eyes.
    pub version: String,
    /// The root of the configuration held.
    pub root: Option<Digest>,
    /// The revision that it came with; empty: none.
    pub revision: String,
    /// What the proxy can do beyond the first version of the protocol, by name.
    pub capabilities: BTreeSet<String>,
}

/// The capability of a proxy that measures its traffic when it is asked to.
pub const TRAFFIC: &str = "traffic";

/// Values of secrets, by the identifiers that the configuration has for them. Never shown, and wiped when dropped.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secrets(pub BTreeMap<String, Zeroizing<Vec<u8>>>);

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// What meshd says on a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ToProxy {
    /// One frame of a change of configuration.
    Update(Update),
    /// A change of one cluster's endpoints.
    Endpoints(EndpointsChange),
    /// All secrets that the proxy needs from now on.
    Secrets(Secrets),
    /// The answer to a request.
    Certificate(Certificate),
    /// The other answer to a request.
    CertificateRefused {
        /// The `MeshIdentity`; `None`: the control certificate.
        issuer: Option<Kri>,
        /// In words.
        reason: String,
    },
    /// Tell what goes through you, this often; only to proxies with the capability [`TRAFFIC`].
    Measure {
        /// Zero: no more.
        every: Duration,
    },
}

/// One frame of a change of configuration. All frames of a change agree in revision, root and completeness.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Update {
    /// The commit, for people.
    pub revision: String,
    /// Of the configuration that holds once all frames are applied.
    pub root: Digest,
    /// Start from nothing, instead of from what was acknowledged last.
    pub complete: bool,
    /// Keys as text, so that one of a newer version is refused with a reason, and not as noise.
    pub upserts: Vec<(String, Bytes)>,
    /// Keys.
    pub removals: Vec<String>,
    /// Nothing more of this change follows.
    pub last: bool,
}

/// A change of one cluster's endpoints.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndpointsChange {
    /// The service with its section: the key of a cluster.
    pub service: Kri,
    /// Start from nothing, instead of from what was sent before.
    pub complete: bool,
    /// New or changed.
    pub upserts: Vec<Endpoint>,
    /// Identifiers.
    pub removals: Vec<Kri>,
    /// See [`ClusterEndpoints::tls_ready`].
    pub tls_ready: bool,
}

/// One instance of a service.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Endpoint {
    /// The Dataplane with the section of its inbound.
    pub id: Kri,
    /// IP address or DNS name.
    pub address: String,
    /// 1 to 65535.
    pub port: u16,
    /// Where it runs; may be empty.
    pub zone: String,
    /// Those that clients compare with their own; no others.
    pub labels: BTreeMap<String, String>,
}

/// All instances of a service.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ClusterEndpoints {
    /// By their identifiers.
    pub endpoints: BTreeMap<Kri, Endpoint>,
    /// All of its servers hold certificates: clients with an identity speak mTLS to it from now on.
    pub tls_ready: bool,
}

/// A whole configuration, verified against its root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received {
    /// The commit, for people.
    pub revision: String,
    /// What it is acknowledged by.
    pub root: Digest,
    /// Digest and canonical bytes of each resource.
    pub resources: BTreeMap<Key, (Digest, Bytes)>,
}
