//! What the control side hands to the data plane: a whole world, never a part of one.
//!
//! Never holds anything that was not checked before: digests are verified, references resolve, the key fits its
//! certificate. What [`Table::build`](crate::table::Table::build) does not understand it refuses all the same.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use mesh_bundle::{Digest, Key, Kri, ProxyConfig, SpiffeId};
use mesh_delivery::message::{ClusterEndpoints, Secrets};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use zeroize::Zeroize as _;

/// Everything that decides what happens to traffic.
#[derive(Debug, Clone)]
pub struct World {
    /// The configuration.
    pub config: Arc<ProxyConfig>,
    /// The commit that it was compiled from, for people.
    pub revision: String,
    /// What it is acknowledged by.
    pub root: Digest,
    /// The instances of each cluster, as far as they are known.
    pub endpoints: BTreeMap<Kri, ClusterEndpoints>,
    /// What TLS with servers outside of the mesh needs, as far as it is known.
    pub secrets: Arc<Secrets>,
    /// Who the proxy can prove to be; `None`: it has no identity, or no certificate yet.
    pub svid: Option<Arc<Svid>>,
}

/// A SPIFFE certificate and its key.
pub struct Svid {
    /// Leaf first, DER.
    pub chain: Vec<CertificateDer<'static>>,
    /// Never shown, and wiped when it is dropped.
    pub key: PrivateKeyDer<'static>,
    /// The only URI SAN of the leaf.
    pub spiffe_id: SpiffeId,
    /// Seconds since 1970.
    pub not_after: u64,
    /// What others of its trust domain are believed by, beside what the configuration says: of an agent that gave it.
    pub anchors: Vec<CertificateDer<'static>>,
}

impl fmt::Debug for Svid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Svid")
            .field("spiffe_id", &self.spiffe_id)
            .field("not_after", &self.not_after)
            .field("key", &"redacted")
            .finish_non_exhaustive()
    }
}

impl Drop for Svid {
    fn drop(&mut self) {
        self.key.zeroize();
    }
}

/// Why a world is not applied. The proxy keeps what it has and answers with this.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}{pointer}: {reason}", key.as_ref().map(Key::to_string).unwrap_or_default())]
pub struct Rejected {
    /// The resource that is at fault, where it is one.
    pub key: Option<Key>,
    /// JSON pointer into it.
    pub pointer: String,
    /// In words.
    pub reason: String,
}
