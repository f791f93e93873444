//! A configuration as it was received: read, put together, and known to be for this proxy.
//!
//! Never lets a part through that is not understood: a configuration is taken whole or refused with the place and the reason.

use std::collections::BTreeMap;
use std::sync::Arc;

use mesh_bundle::resource::WorkloadIdentity;
use mesh_bundle::{Incomplete, Key, Manifest, ProxyConfig, Resource};
use mesh_delivery::message::Received;

use crate::identity::ProxyName;
use crate::world::Rejected;

/// What was received, and what it means.
#[derive(Debug, Clone)]
pub(crate) struct Configuration {
    pub(crate) received: Received,
    pub(crate) config: Arc<ProxyConfig>,
}

/// A fault of the configuration as a whole.
pub(crate) fn rejected(reason: impl Into<String>) -> Rejected {
    Rejected {
        key: None,
        pointer: String::new(),
        reason: reason.into(),
    }
}

/// A fault of one resource.
pub(crate) fn rejected_at(key: Key, reason: impl Into<String>) -> Rejected {
    Rejected {
        key: Some(key),
        ..rejected(reason)
    }
}

impl Configuration {
    /// Reads what was received for the proxy of that name. The digests are checked again: it may come from a file.
    pub(crate) fn read(received: Received, name: &ProxyName) -> Result<Self, Rejected> {
        let mut manifest = Manifest::default();
        let mut resources = BTreeMap::new();
        for (key, (digest, bytes)) in &received.resources {
            if mesh_bundle::Digest::of(bytes) != *digest {
                return Err(rejected_at(key.clone(), "its bytes have another digest"));
            }
            let resource = Resource::decode(bytes)
                .map_err(|error| rejected_at(key.clone(), error.to_string()))?;
            manifest.entries.insert(key.clone(), *digest);
            resources.insert(key.clone(), resource);
        }
        if manifest.root() != received.root {
            return Err(rejected("its resources have another root digest"));
        }
        let config = ProxyConfig::assemble(resources)
            .map_err(|error| rejected_at(blamed(&error).clone(), error.to_string()))?;
        let config = Arc::new(config);
        let configuration = Self { received, config };
        if !configuration.is_for(name) {
            let found = &configuration.config.proxy.kri;
            let reason = format!("it is for `{found}`, this proxy is {name}");
            return Err(rejected_at(Key::Proxy, reason));
        }
        Ok(configuration)
    }

    pub(crate) fn is_for(&self, name: &ProxyName) -> bool {
        let kri = &self.config.proxy.kri;
        kri.mesh() == name.mesh && kri.name() == name.dataplane
    }

    /// Who the proxy is to its peers. `None`: nobody, it speaks plaintext only.
    pub(crate) fn identity(&self) -> Option<&WorkloadIdentity> {
        self.config.proxy.identity.as_ref()
    }
}

fn blamed(error: &Incomplete) -> &Key {
    match error {
        Incomplete::Missing(key) | Incomplete::WrongType(key) => key,
        Incomplete::Dangling { from, .. } => from,
    }
}

/// Whether a certificate that was issued for one identity serves the other: everything but the line that declares it.
pub(crate) fn same_identity(a: &WorkloadIdentity, b: &WorkloadIdentity) -> bool {
    let essence = |it: &WorkloadIdentity| (it.lifetime, it.agent.is_some());
    a.spiffe_id == b.spiffe_id && a.issuer == b.issuer && essence(a) == essence(b)
}
