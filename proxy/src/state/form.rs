//! What is written into state files, as plain data.
//!
//! Never interprets: what a file says is checked by the one who loads it. Keys are overwritten in memory when dropped.

use std::collections::BTreeMap;
use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use mesh_bundle::{Digest, Key, Kri};
use mesh_delivery::message::{ClusterEndpoints, Endpoint};
use rustls_pki_types::CertificateDer;
use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use zeroize::Zeroizing;

use crate::identity::Credential;

/// Bytes in base64, overwritten when dropped; never shown.
#[derive(Clone)]
pub(super) struct Secret(pub(super) Zeroizing<Vec<u8>>);

/// The control certificate, its key, and the CAs that meshd is known by.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct ControlForm {
    /// The token that was spent on it, by its public identifier.
    pub(super) token: String,
    pub(super) credential: CredentialForm,
    pub(super) anchors: Vec<Secret>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct CredentialForm {
    pub(super) key: Secret,
    pub(super) chain: Vec<Secret>,
    pub(super) renew_at: u64,
}

/// A key that a token was shown with, until there is a certificate for it.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct EnrolmentForm {
    /// The public identifier of the token.
    pub(super) token: String,
    pub(super) key: Secret,
}

/// A configuration and the certificate that it is served with: one file, so that neither is ever without the other.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct ServingForm {
    pub(super) revision: String,
    pub(super) root: Digest,
    /// Canonical JSON, as text.
    pub(super) resources: BTreeMap<Key, String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) svid: Option<CredentialForm>,
}

/// The last endpoints known to one proxy, by service port.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct EndpointsForm {
    pub(super) mesh: String,
    pub(super) dataplane: String,
    pub(super) clusters: BTreeMap<Kri, ClusterForm>,
}

/// The values that one proxy was given for TLS with servers outside.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct SecretsForm {
    pub(super) mesh: String,
    pub(super) dataplane: String,
    pub(super) values: BTreeMap<String, Secret>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct ClusterForm {
    pub(super) tls_ready: bool,
    pub(super) endpoints: BTreeMap<Kri, EndpointForm>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct EndpointForm {
    pub(super) address: String,
    pub(super) port: u16,
    pub(super) zone: String,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) labels: BTreeMap<String, String>,
}

impl Secret {
    pub(super) fn of(bytes: &[u8]) -> Self {
        Self(Zeroizing::new(bytes.to_vec()))
    }

    pub(super) fn all(certificates: &[CertificateDer<'_>]) -> Vec<Self> {
        certificates.iter().map(|der| Self::of(der)).collect()
    }
}

/// Certificates of a file.
pub(super) fn certificates(of: Vec<Secret>) -> Vec<CertificateDer<'static>> {
    of.into_iter()
        .map(|Secret(der)| CertificateDer::from(der.to_vec()))
        .collect()
}

pub(super) fn credential_form(credential: &Credential) -> CredentialForm {
    CredentialForm {
        key: Secret::of(credential.key().pkcs8()),
        chain: Secret::all(credential.chain()),
        renew_at: credential.renew_at(),
    }
}

pub(super) fn form_of(cluster: &ClusterEndpoints) -> ClusterForm {
    let form = |endpoint: &Endpoint| EndpointForm {
        address: endpoint.address.clone(),
        port: endpoint.port,
        zone: endpoint.zone.clone(),
        labels: endpoint.labels.clone(),
    };
    let endpoints = cluster.endpoints.iter();
    ClusterForm {
        tls_ready: cluster.tls_ready,
        endpoints: endpoints.map(|(id, e)| (id.clone(), form(e))).collect(),
    }
}

pub(super) fn read_cluster(form: ClusterForm) -> ClusterEndpoints {
    let endpoint = |id: Kri, form: EndpointForm| Endpoint {
        id,
        address: form.address,
        port: form.port,
        zone: form.zone,
        labels: form.labels,
    };
    let endpoints = form.endpoints.into_iter();
    ClusterEndpoints {
        tls_ready: form.tls_ready,
        endpoints: endpoints
            .map(|(id, form)| (id.clone(), endpoint(id, form)))
            .collect(),
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let text = Zeroizing::new(BASE64.encode(&*self.0));
        serializer.serialize_str(&text)
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl Visitor<'_> for Text {
            type Value = Secret;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("base64")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Secret, E> {
                // The error of the decoder names a byte of what may be a key.
                let bytes = BASE64.decode(text).map_err(|_| E::custom("not base64"))?;
                Ok(Secret(Zeroizing::new(bytes)))
            }
        }
        deserializer.deserialize_str(Text)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(redacted)")
    }
}
