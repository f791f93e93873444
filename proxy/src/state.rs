//! The last verified state on disk: what lets a proxy serve after a restart while meshd is away.
//!
//! Never trusts a file: digests, names, keys and certificates are checked again, and what does not pass is reported and
//! left out. Never a half state: a configuration and the certificate that it is served with are one file.

mod directory;
mod file;
mod form;
mod load;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, TryLockError};
use std::time::Duration;

use bytes::Bytes;
use mesh_bundle::Kri;
use mesh_delivery::message::{ClusterEndpoints, Received, Secrets};
use rustls_pki_types::CertificateDer;
use serde::Serialize;

use crate::configuration::Configuration;
use crate::enroll::token::Token;
use crate::identity::{Credential, NoKey, PrivateKey, ProxyName};
pub(crate) use directory::{Directory, Refused};
use form::{
    ControlForm, EndpointsForm, EnrolmentForm, Secret, SecretsForm, ServingForm, credential_form,
    form_of,
};

const CONTROL: &str = "control";
const SERVING: &str = "serving";
const ENDPOINTS: &str = "endpoints";
const ENROLMENT: &str = "enrolment";
const SECRETS: &str = "secrets";

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
    pub(crate) secrets: Secrets,
}

/// The state directory, for one writer.
#[derive(Debug, Clone)]
pub(crate) struct Store {
    directory: Arc<Mutex<Directory>>,
    /// A write failed: what is on disk is older than what is in use.
    behind: Arc<AtomicBool>,
}

impl Store {
    pub(crate) fn new(directory: Directory) -> Self {
        Self {
            directory: Arc::new(Mutex::new(directory)),
            behind: Arc::default(),
        }
    }

    /// Whether everything should be kept once more. Asking says that it is about to be.
    pub(crate) fn catch_up(&self) -> bool {
        self.behind.swap(false, Ordering::Relaxed)
    }

    /// Whether a write failed since the last [`Store::catch_up`].
    pub(crate) fn is_behind(&self) -> bool {
        self.behind.load(Ordering::Relaxed)
    }

    /// Everything that is usable by a proxy that was started like this. What is not is logged.
    pub(crate) fn load(&self, dataplane: Option<&str>, token: Option<&Token>) -> Restored {
        let Ok(directory) = self.directory.lock() else {
            return Restored::default();
        };
        let path = directory.path();
        let Some(membership) = reported(CONTROL, load::membership(path, dataplane, token)) else {
            return Restored::default();
        };
        let serving = reported(SERVING, load::serving(path, &membership.name));
        let endpoints = reported(ENDPOINTS, load::endpoints(path, &membership.name));
        let secrets = reported(SECRETS, load::secrets(path, &membership.name));
        Restored {
            membership: Some(membership),
            serving,
            endpoints: endpoints.unwrap_or_default(),
            secrets: secrets.unwrap_or_default(),
        }
    }

    /// The key to show this token with. The same one each time, across restarts too: meshd answers again where its first
    /// answer was lost, and only the same key is the same proxy.
    pub(crate) async fn enrolment_key(&self, token: &str) -> Result<PrivateKey, NoKey> {
        let found = self.directory.try_lock().ok().and_then(|directory| {
            let read = file::read::<EnrolmentForm>(&directory.path().join(ENROLMENT));
            reported(ENROLMENT, read.map_err(load::Unusable::from))
        });
        if let Some(form) = found.filter(|form| form.token == token) {
            return PrivateKey::from_pkcs8(form.key.0);
        }
        let key = PrivateKey::generate()?;
        let form = EnrolmentForm {
            token: token.to_owned(),
            key: Secret::of(key.pkcs8()),
        };
        self.save(ENROLMENT, form).await;
        Ok(key)
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

    /// Keeps a configuration together with its certificate, unless an agent gives that.
    pub(crate) async fn save_serving(&self, received: &Received, svid: Option<&Credential>) {
        let text = |bytes: &Bytes| String::from_utf8_lossy(bytes).into_owned();
        let resources = received.resources.iter();
        let form = ServingForm {
            revision: received.revision.clone(),
            root: received.root,
            resources: resources
                .map(|(key, (_, bytes))| (key.clone(), text(bytes)))
                .collect(),
            svid: svid.filter(|svid| !svid.is_of_agent()).map(credential_form),
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

    /// Keeps the secrets of TLS with servers outside. Where there are none and never were, there is no file.
    pub(crate) async fn save_secrets(&self, name: &ProxyName, secrets: &Secrets) {
        let known = self.directory.try_lock();
        let is_there = known.is_ok_and(|directory| directory.path().join(SECRETS).exists());
        if secrets.0.is_empty() && !is_there {
            return;
        }
        let values = secrets.0.iter();
        let form = SecretsForm {
            mesh: name.mesh.clone(),
            dataplane: name.dataplane.clone(),
            values: values
                .map(|(id, value)| (id.clone(), Secret::of(value)))
                .collect(),
        };
        self.save(SECRETS, form).await;
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
        self.behind.store(true, Ordering::Relaxed);
        tracing::warn!(file = name, %error, "the state could not be kept: a restart would begin from an older one");
    }
}

fn reported<T>(file: &str, found: Result<Option<T>, load::Unusable>) -> Option<T> {
    found.unwrap_or_else(|reason| {
        tracing::warn!(file, %reason, "a state file is ignored");
        None
    })
}
