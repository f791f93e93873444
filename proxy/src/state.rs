//! The last verified state on disk: what lets a proxy serve after a restart while meshd is away.
//!
//! Never trusts a file: digests, names, keys and certificates are checked again, and what does not pass is reported and
//! left out. Never a half state: a configuration and the certificate that it is served with are one file.

mod directory;
mod file;
mod form;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, TryLockError};
use std::time::Duration;

use bytes::Bytes;
use mesh_bundle::{Digest, Kri};
use mesh_delivery::message::{ClusterEndpoints, Endpoint, Received};
use rustls_pki_types::CertificateDer;
use serde::Serialize;

use crate::configuration::Configuration;
use crate::enroll::pin::pin_of;
use crate::enroll::token::Token;
use crate::identity::{Credential, PrivateKey, ProxyName};
pub(crate) use directory::Directory;
use form::{
    ClusterForm, ControlForm, CredentialForm, EndpointForm, EndpointsForm, Secret, ServingForm,
    certificates,
};

const CONTROL: &str = "control";
const SERVING: &str = "serving";
const ENDPOINTS: &str = "endpoints";

/// A disk that takes longer is broken; the proxy goes on without it.
const SLOWEST_WRITE: Duration = Duration::from_secs(10);

/// How meshd knows this proxy, and how the proxy knows meshd.
#[derive(Debug)]
pub(crate) struct Membership {
    /// The public identifier of the token that was spent on it.
    pub(crate) token: String,
    pub(crate) credential: Credential,
    pub(crate) anchors: Vec<CertificateDer<'static>>,
    pub(crate) name: ProxyName,
}

/// A configuration, with the certificate that it asks for.
#[derive(Debug)]
pub(crate) struct Serving {
    pub(crate) configuration: Configuration,
    pub(crate) svid: Option<Arc<Credential>>,
}

/// What was found on disk. Each part is whole and verified, or absent.
#[derive(Debug, Default)]
pub(crate) struct Restored {
    pub(crate) membership: Option<Membership>,
    pub(crate) serving: Option<Serving>,
    pub(crate) endpoints: BTreeMap<Kri, Arc<ClusterEndpoints>>,
}

/// The state directory, for one writer.
#[derive(Debug, Clone)]
pub(crate) struct Store {
    directory: Arc<Mutex<Directory>>,
}

/// Why a part of the state is not used.
#[derive(Debug, thiserror::Error)]
enum Unusable {
    #[error(transparent)]
    Damaged(#[from] file::Damaged),
    #[error(transparent)]
    Key(#[from] crate::identity::NoKey),
    #[error(transparent)]
    Certificate(#[from] crate::identity::Unacceptable),
    #[error("{0}")]
    Configuration(Box<crate::world::Rejected>),
    #[error("it was left by {0}")]
    OtherProxy(ProxyName),
    #[error("it is of another meshd than the one that the token is of")]
    OtherMeshd,
    #[error(
        "its configuration asks for a certificate that is not there, or has one that it does not ask for"
    )]
    Certificates,
}

impl Membership {
    /// Whether the token is the one that was spent, or another of the same meshd.
    fn is_of(&self, token: &Token) -> bool {
        let pinned = |anchor| pin_of(anchor) == Some(token.pin());
        self.token == token.id() || self.anchors.iter().any(pinned)
    }
}

impl Store {
    pub(crate) fn new(directory: Directory) -> Self {
        let directory = Arc::new(Mutex::new(directory));
        Self { directory }
    }

    /// Everything that is usable by a proxy that was started like this. What is not is logged.
    pub(crate) fn load(&self, dataplane: Option<&str>, token: Option<&Token>) -> Restored {
        let Ok(directory) = self.directory.lock() else {
            return Restored::default();
        };
        let path = directory.path();
        let Some(membership) = reported(CONTROL, load_membership(path, dataplane, token)) else {
            return Restored::default();
        };
        let serving = reported(SERVING, load_serving(path, &membership.name));
        let endpoints = reported(ENDPOINTS, load_endpoints(path, &membership.name));
        Restored {
            membership: Some(membership),
            serving,
            endpoints: endpoints.unwrap_or_default(),
        }
    }

    /// Keeps the membership; a failure is logged, and the proxy goes on without.
    pub(crate) async fn save_membership(&self, membership: &Membership) {
        let form = ControlForm {
            token: membership.token.clone(),
            credential: credential_form(&membership.credential),
            anchors: Secret::all(&membership.anchors),
        };
        self.save(CONTROL, form).await;
    }

    /// Keeps a configuration together with its certificate.
    pub(crate) async fn save_serving(&self, received: &Received, svid: Option<&Credential>) {
        let text = |bytes: &Bytes| String::from_utf8_lossy(bytes).into_owned();
        let resources = received.resources.iter();
        let form = ServingForm {
            revision: received.revision.clone(),
            root: received.root,
            resources: resources
                .map(|(key, (_, bytes))| (key.clone(), text(bytes)))
                .collect(),
            svid: svid.map(credential_form),
        };
        self.save(SERVING, form).await;
    }

    /// Keeps the endpoints.
    pub(crate) async fn save_endpoints(
        &self,
        name: &ProxyName,
        endpoints: &BTreeMap<Kri, Arc<ClusterEndpoints>>,
    ) {
        let clusters = endpoints.iter();
        let form = EndpointsForm {
            mesh: name.mesh.clone(),
            dataplane: name.dataplane.clone(),
            clusters: clusters
                .map(|(service, cluster)| (service.clone(), form_of(cluster)))
                .collect(),
        };
        self.save(ENDPOINTS, form).await;
    }

    async fn save<T: Serialize + Send + 'static>(&self, name: &'static str, form: T) {
        let directory = Arc::clone(&self.directory);
        let write = tokio::task::spawn_blocking(move || match directory.try_lock() {
            Ok(directory) => file::write(directory.path(), name, &form),
            Err(TryLockError::WouldBlock) => Err(io::ErrorKind::ResourceBusy.into()),
            Err(TryLockError::Poisoned(_)) => Err(io::Error::other("an earlier write failed")),
        });
        let error = match tokio::time::timeout(SLOWEST_WRITE, write).await {
            Ok(Ok(Ok(()))) => return,
            Ok(Ok(Err(error))) => error,
            Ok(Err(error)) => io::Error::other(error),
            Err(_) => io::ErrorKind::TimedOut.into(),
        };
        tracing::warn!(file = name, %error, "the state could not be kept: a restart would begin from an older one");
    }
}

fn reported<T>(file: &str, found: Result<Option<T>, Unusable>) -> Option<T> {
    found.unwrap_or_else(|reason| {
        tracing::warn!(file, %reason, "a state file is ignored");
        None
    })
}

fn load_membership(
    path: &Path,
    dataplane: Option<&str>,
    token: Option<&Token>,
) -> Result<Option<Membership>, Unusable> {
    let Some(form) = file::read::<ControlForm>(&path.join(CONTROL))? else {
        return Ok(None);
    };
    let credential = restore(form.credential)?;
    let name = credential.proxy_name()?;
    if dataplane.is_some_and(|wanted| wanted != name.dataplane) {
        return Err(Unusable::OtherProxy(name));
    }
    let membership = Membership {
        token: form.token,
        credential,
        anchors: certificates(form.anchors),
        name,
    };
    if token.is_some_and(|token| !membership.is_of(token)) {
        return Err(Unusable::OtherMeshd);
    }
    Ok(Some(membership))
}

fn load_serving(path: &Path, name: &ProxyName) -> Result<Option<Serving>, Unusable> {
    let Some(form) = file::read::<ServingForm>(&path.join(SERVING))? else {
        return Ok(None);
    };
    let resources = form.resources.into_iter().map(|(key, text)| {
        let bytes = Bytes::from(text);
        (key, (Digest::of(&bytes), bytes))
    });
    let received = Received {
        revision: form.revision,
        root: form.root,
        resources: resources.collect(),
    };
    let configuration = Configuration::read(received, name)
        .map_err(|rejected| Unusable::Configuration(Box::new(rejected)))?;
    let svid = form.svid.map(restore).transpose()?;
    let svid = match (configuration.identity(), svid) {
        (None, None) => None,
        (Some(identity), Some(svid)) => Some(Arc::new(svid.named(&identity.spiffe_id)?)),
        _ => return Err(Unusable::Certificates),
    };
    Ok(Some(Serving {
        configuration,
        svid,
    }))
}

fn load_endpoints(
    path: &Path,
    name: &ProxyName,
) -> Result<Option<BTreeMap<Kri, Arc<ClusterEndpoints>>>, Unusable> {
    let Some(form) = file::read::<EndpointsForm>(&path.join(ENDPOINTS))? else {
        return Ok(None);
    };
    let left_by = ProxyName {
        mesh: form.mesh,
        dataplane: form.dataplane,
    };
    if left_by != *name {
        return Err(Unusable::OtherProxy(left_by));
    }
    let clusters = form.clusters.into_iter();
    Ok(Some(
        clusters
            .map(|(service, form)| (service, Arc::new(read_cluster(form))))
            .collect(),
    ))
}

fn restore(form: CredentialForm) -> Result<Credential, Unusable> {
    let key = PrivateKey::from_pkcs8(form.key.0)?;
    Ok(Credential::restore(
        key,
        certificates(form.chain),
        form.renew_at,
    )?)
}

fn credential_form(credential: &Credential) -> CredentialForm {
    CredentialForm {
        key: Secret::of(credential.key().pkcs8()),
        chain: Secret::all(credential.chain()),
        renew_at: credential.renew_at(),
    }
}

fn form_of(cluster: &ClusterEndpoints) -> ClusterForm {
    let form = |endpoint: &Endpoint| EndpointForm {
        address: endpoint.address.clone(),
        port: endpoint.port,
        zone: endpoint.zone.clone(),
    };
    let endpoints = cluster.endpoints.iter();
    ClusterForm {
        tls_ready: cluster.tls_ready,
        endpoints: endpoints.map(|(id, e)| (id.clone(), form(e))).collect(),
    }
}

fn read_cluster(form: ClusterForm) -> ClusterEndpoints {
    let endpoint = |id: Kri, form: EndpointForm| Endpoint {
        id,
        address: form.address,
        port: form.port,
        zone: form.zone,
    };
    let endpoints = form.endpoints.into_iter();
    ClusterEndpoints {
        tls_ready: form.tls_ready,
        endpoints: endpoints
            .map(|(id, form)| (id.clone(), endpoint(id, form)))
            .collect(),
    }
}
