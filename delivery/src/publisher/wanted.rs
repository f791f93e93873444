//! What a proxy shall hold: its manifest, the shared bytes, and the endpoints of its clusters.
//!
//! Never copies a resource: ten thousand of these share one map of bytes.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use mesh_bundle::{Digest, Key, Kri, Manifest};

use crate::bounds;
use crate::message::{ClusterEndpoints, Secrets};

/// The newest world of one proxy. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Wanted {
    revision: Arc<str>,
    root: Digest,
    manifest: Arc<Manifest>,
    resources: Arc<BTreeMap<Digest, Bytes>>,
    endpoints: Arc<BTreeMap<Kri, Arc<ClusterEndpoints>>>,
    secrets: Arc<Secrets>,
    measured: Duration,
}

/// Why a manifest cannot be delivered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unpublishable {
    /// Its bytes are not there.
    #[error("`{0}` is not among the resources")]
    Missing(Box<Key>),
    /// Its key is longer than a key may be.
    #[error("`{0}` is a key of more than {limit} bytes", limit = bounds::KEY)]
    LongKey(Box<Key>),
    /// It does not fit into a message.
    #[error("`{key}` has {length} bytes, a resource may have {limit}", limit = bounds::RESOURCE)]
    TooLarge {
        /// Which.
        key: Box<Key>,
        /// Its length.
        length: usize,
    },
    /// A proxy would refuse them.
    #[error(
        "it needs more than {} secrets, or {} bytes of them",
        bounds::SECRETS,
        bounds::SECRET_BYTES
    )]
    TooManySecrets,
    /// A proxy would refuse it.
    #[error(
        "it has more than {} bytes or {} resources",
        bounds::CONFIGURATION,
        bounds::RESOURCES
    )]
    TooMuch,
}

impl Wanted {
    /// `resources` are canonical bytes by their digests, usually those of a whole bundle, shared by all proxies.
    ///
    /// # Errors
    /// See [`Unpublishable`].
    pub fn new(
        revision: impl Into<Arc<str>>,
        manifest: Arc<Manifest>,
        resources: Arc<BTreeMap<Digest, Bytes>>,
        endpoints: BTreeMap<Kri, Arc<ClusterEndpoints>>,
    ) -> Result<Self, Unpublishable> {
        let mut total = 0;
        for (key, digest) in &manifest.entries {
            let bytes = resources
                .get(digest)
                .ok_or_else(|| Unpublishable::Missing(Box::new(key.clone())))?;
            if key.to_string().len() > bounds::KEY {
                return Err(Unpublishable::LongKey(Box::new(key.clone())));
            }
            if bytes.len() > bounds::RESOURCE {
                return Err(Unpublishable::TooLarge {
                    key: Box::new(key.clone()),
                    length: bytes.len(),
                });
            }
            total += bytes.len();
        }
        if total > bounds::CONFIGURATION || manifest.entries.len() > bounds::RESOURCES {
            return Err(Unpublishable::TooMuch);
        }
        Ok(Self {
            revision: revision.into(),
            root: manifest.root(),
            manifest,
            resources,
            endpoints: Arc::new(endpoints),
            secrets: Arc::default(),
            measured: Duration::ZERO,
        })
    }

    /// The same configuration with other endpoints.
    #[must_use]
    pub fn with_endpoints(&self, endpoints: BTreeMap<Kri, Arc<ClusterEndpoints>>) -> Self {
        Self {
            endpoints: Arc::new(endpoints),
            ..self.clone()
        }
    }

    /// The same configuration with the endpoints that `other` has.
    #[must_use]
    pub fn with_endpoints_of(&self, other: &Self) -> Self {
        Self {
            endpoints: Arc::clone(&other.endpoints),
            ..self.clone()
        }
    }

    /// Would a proxy that holds the one be sent nothing for the other? What only looks different counts as different.
    #[must_use]
    pub fn tells_the_same(&self, other: &Self) -> bool {
        let (mine, theirs) = (&self.endpoints, &other.endpoints);
        let same = |((a, x), (b, y)): ((&Kri, &_), (&Kri, &_))| a == b && Arc::ptr_eq(x, y);
        self.root == other.root
            && self.secrets == other.secrets
            && self.measured == other.measured
            && (Arc::ptr_eq(mine, theirs)
                || mine.len() == theirs.len() && mine.iter().zip(&**theirs).all(same))
    }

    /// The same configuration in another commit, whose `resources` hold all of it too.
    #[must_use]
    pub fn under(&self, revision: Arc<str>, resources: Arc<BTreeMap<Digest, Bytes>>) -> Self {
        Self {
            revision,
            resources,
            ..self.clone()
        }
    }

    /// The same with the values that the configuration refers to.
    ///
    /// # Errors
    /// They are more than a proxy takes.
    pub fn with_secrets(self, secrets: Arc<Secrets>) -> Result<Self, Unpublishable> {
        let total: usize = secrets.0.values().map(|value| value.len()).sum();
        if secrets.0.len() > bounds::SECRETS || total > bounds::SECRET_BYTES {
            return Err(Unpublishable::TooManySecrets);
        }
        Ok(Self { secrets, ..self })
    }

    /// The same, of a proxy that is to tell its traffic so often, if it can; zero: never.
    #[must_use]
    pub fn measured_every(self, measured: Duration) -> Self {
        Self { measured, ..self }
    }

    /// How often the proxy is to tell its traffic; zero: never.
    #[must_use]
    pub fn measured(&self) -> Duration {
        self.measured
    }

    /// Values that the configuration refers to.
    #[must_use]
    pub fn secrets(&self) -> &Arc<Secrets> {
        &self.secrets
    }

    /// The commit.
    #[must_use]
    pub fn revision(&self) -> &str {
        &self.revision
    }

    /// What the proxy acknowledges once it holds this.
    #[must_use]
    pub fn root(&self) -> Digest {
        self.root
    }

    /// Keys and digests.
    #[must_use]
    pub fn manifest(&self) -> &Arc<Manifest> {
        &self.manifest
    }

    /// Of every cluster that the configuration names, by the key of the cluster.
    #[must_use]
    pub fn endpoints(&self) -> &BTreeMap<Kri, Arc<ClusterEndpoints>> {
        &self.endpoints
    }

    pub(super) fn shared_endpoints(&self) -> Arc<BTreeMap<Kri, Arc<ClusterEndpoints>>> {
        self.endpoints.clone()
    }

    pub(crate) fn bytes(&self, digest: &Digest) -> Bytes {
        // `new` saw every digest of the manifest; were one missing all the same, the proxy would refuse the root.
        self.resources.get(digest).cloned().unwrap_or_default()
    }
}
