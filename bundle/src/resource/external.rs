//! What is outside of the mesh, and what it takes to speak to it (language 3.4).
//!
//! Never holds a private key or the value of a Secret: it says where they are.

use serde::{Deserialize, Serialize};

use crate::bundle::ValueSource;
use crate::kri::Kri;

/// Where the traffic of a cluster leaves the mesh.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct External {
    /// In the order of the document; without one every request fails.
    pub endpoints: Vec<ExternalEndpoint>,
    /// `None`: what the workload speaks goes out as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<TlsOrigination>,
}

/// One address outside.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ExternalEndpoint {
    /// IP address or DNS name. A DNS name becomes the host of HTTP requests that are sent there, unless a route rewrites it.
    pub address: String,
    /// 1 to 65535.
    pub port: u16,
    /// Used while none of a lower one can be reached.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub priority: u32,
}

/// TLS that the proxy speaks to the endpoints.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TlsOrigination {
    /// Not above `max_version`.
    pub min_version: TlsVersion,
    /// Not below `min_version`.
    pub max_version: TlsVersion,
    /// How much of the server's certificate is verified.
    pub verification: Verification,
    /// The name that is asked for, and expected where `names` is empty. `None`: the address of each endpoint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server_name: Option<String>,
    /// Names of which one must be in the certificate, instead of the server name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<ExpectedName>,
    /// Who may vouch for the server.
    pub authorities: Authorities,
    /// What the proxy proves itself with, where the server asks for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<ClientCertificate>,
}

/// A version of TLS that is still safe.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum TlsVersion {
    /// 1.2.
    Tls12,
    /// 1.3.
    Tls13,
}

/// How much is verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Verification {
    /// Chain and name.
    Secured,
    /// The chain.
    SkipNames,
    /// The name.
    SkipChain,
    /// Nothing.
    SkipAll,
}

/// A name that is expected in a certificate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    tag = "type",
    content = "value",
    rename_all = "camelCase",
    deny_unknown_fields
)]
pub enum ExpectedName {
    /// The whole name.
    Exact(String),
    /// Its beginning.
    Prefix(String),
}

/// Who may vouch for a server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    tag = "type",
    content = "value",
    rename_all = "camelCase",
    deny_unknown_fields
)]
pub enum Authorities {
    /// Whomever the machine of the proxy trusts.
    System,
    /// PEM `CERTIFICATE` blocks; they are public.
    Pem(String),
    /// A Secret of the mesh, by name.
    Secret(String),
}

/// A certificate of the client.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ClientCertificate {
    /// PEM, leaf of the chain first.
    pub certificate: ValueSource,
    /// PEM.
    pub private_key: ValueSource,
}

impl TlsOrigination {
    /// The values that are needed to speak it, and that the bundle does not hold.
    pub fn secrets(&self) -> impl Iterator<Item = ValueSource> + '_ {
        let authorities = match &self.authorities {
            Authorities::Secret(name) if self.verifies_chain() => {
                Some(ValueSource::Secret(name.clone()))
            }
            Authorities::Secret(_) | Authorities::System | Authorities::Pem(_) => None,
        };
        let client = self.client.iter();
        let client = client.flat_map(|client| [&client.certificate, &client.private_key]);
        authorities.into_iter().chain(client.cloned())
    }

    /// Does it matter who vouches for the server?
    #[must_use]
    pub fn verifies_chain(&self) -> bool {
        matches!(
            self.verification,
            Verification::Secured | Verification::SkipNames
        )
    }
}

/// What a value is called between meshd and a proxy: a Secret by its name, which is that of a mesh, and what a document
/// holds by the document and the pointer.
#[must_use]
pub fn secret_id(cluster: &Kri, source: &ValueSource) -> String {
    match source {
        ValueSource::Secret(name) => format!("secret {name}"),
        ValueSource::File(path) => format!("file {path}"),
        ValueSource::EnvVar(name) => format!("variable {name}"),
        ValueSource::Inline(pointer) => format!("{} {pointer}", cluster.without_section()),
    }
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde calls it with a reference"
)]
fn is_zero(priority: &u32) -> bool {
    *priority == 0
}
