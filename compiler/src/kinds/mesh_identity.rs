//! `MeshIdentity`: which proxies get which SPIFFE ID, from which CA (language 3.8).
//!
//! Never loads a key or a certificate from outside of the document, and never keeps one from inside of it in a message.

mod check;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::data_source::DataSource;
use super::scalar::TimeSpan;
use super::{Body, KindInfo, Scope, Spec, read, schema};

/// What the registry knows.
pub(crate) const KIND: KindInfo = KindInfo {
    name: "MeshIdentity",
    short: "mid",
    to: &[],
    example: include_str!("mesh_identity/example.yaml"),
    scope: Scope::Mesh,
    body: Body::Spec,
    system_only: true,
    name_is_label: false,
    is_policy: false,
    schema: schema::of::<MeshIdentity>,
    parse: |body, check| {
        let spec: MeshIdentity = read::typed(body, check)?;
        spec.check(check);
        Some(Spec::MeshIdentity(Box::new(spec)))
    },
};

/// Which proxies get which SPIFFE ID, and who signs their certificates. Of those that select a proxy, the one with the
/// most label pairs wins, then the smallest name. A proxy that none selects speaks plaintext only.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(crate) struct MeshIdentity {
    /// Which proxies get this identity. Without it none does: use that to publish trust ahead of time.
    pub(crate) selector: Option<IdentitySelector>,
    /// What their SPIFFE IDs look like.
    #[serde(rename = "spiffeID")]
    pub(crate) spiffe_id: Option<SpiffeIdTemplate>,
    /// Who signs their certificates. Without it identities are only announced.
    pub(crate) provider: Option<Provider>,
}

/// Which proxies get an identity.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(crate) struct IdentitySelector {
    /// Proxies by their labels. Without it none is selected.
    pub(crate) dataplane: Option<IdentityLabels>,
}

/// Proxies by their labels.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(crate) struct IdentityLabels {
    /// All pairs must be among the labels of the Dataplane; `{}` selects every one, absent selects none.
    pub(crate) match_labels: Option<BTreeMap<String, String>>,
}

/// `spiffe://<trustDomain><path>`, each part a template.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(crate) struct SpiffeIdTemplate {
    /// Text and `{{ .Mesh }}`, `{{ .Zone }}` or `{{ label "key" }}` of this `MeshIdentity`. Default:
    /// `{{ .Mesh }}.{{ .Zone }}.mesh.local`.
    pub(crate) trust_domain: Option<String>,
    /// Begins with `/`. Text and `{{ .Workload }}`, `{{ .Namespace }}`, `{{ .ServiceAccount }}`, `{{ .TrustDomain }}` or
    /// `{{ label "key" }}` of the Dataplane. Default: `/workload/{{ .Workload }}`, and on Kubernetes
    /// `/ns/{{ .Namespace }}/sa/{{ .ServiceAccount }}`.
    pub(crate) path: Option<String>,
}

/// Who signs certificates. The member that belongs to `type` is required.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(crate) struct Provider {
    /// `Bundled`: meshd. `Spire`: the agent beside each proxy, by the SPIFFE Workload API. Required.
    #[serde(rename = "type")]
    pub(crate) kind: Option<ProviderType>,
    /// For `Bundled`: the CA.
    pub(crate) bundled: Option<Bundled>,
    /// For `Spire`: how the agent is asked. Where its socket is, each proxy is told when it is started.
    pub(crate) spire: Option<Spire>,
    /// Not supported.
    pub(crate) extension: Option<ProviderExtension>,
}

/// Who signs certificates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
pub(crate) enum ProviderType {
    /// meshd.
    Bundled,
    /// A SPIRE agent.
    Spire,
    /// A plug-in of another product.
    Extension,
}

/// meshd signs, with a CA of its own or one that is given.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(crate) struct Bundled {
    /// Whether meshd makes the CA and keeps it.
    pub(crate) autogenerate: Option<Autogenerate>,
    /// The CA, where meshd does not make it.
    pub(crate) ca: Option<CertificateAuthority>,
    /// Says that a self-signed CA is wanted: required for `autogenerate`, and for a CA whose certificate is self-signed.
    /// Default: false.
    pub(crate) insecure_allow_self_signed: Option<bool>,
    /// Whether the CA is trusted by the mesh without a `MeshTrust` of its own. Default: `Enabled`.
    pub(crate) mesh_trust_creation: Option<MeshTrustCreation>,
    /// What the certificates of workloads look like.
    pub(crate) certificate_parameters: Option<CertificateParameters>,
}

/// Whether meshd makes the CA.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(crate) struct Autogenerate {
    /// Makes and keeps the CA. Default: `false`.
    pub(crate) enabled: Option<bool>,
}

/// A CA that somebody else made.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(crate) struct CertificateAuthority {
    /// Its certificate, PEM. Required.
    pub(crate) certificate: Option<DataSource>,
    /// Its private key, PEM. Required.
    pub(crate) private_key: Option<DataSource>,
}

/// Whether a CA is trusted without a `MeshTrust` of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
pub(crate) enum MeshTrustCreation {
    /// A `MeshTrust` of the same name is made.
    Enabled,
    /// The repository holds the `MeshTrust`.
    Disabled,
}

/// What the certificates of workloads look like.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(crate) struct CertificateParameters {
    /// How long each is valid; it is renewed well before. At least one minute. Default: `120h`.
    pub(crate) expiry: Option<TimeSpan>,
}

/// A SPIRE agent signs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(crate) struct Spire {
    /// The agent.
    pub(crate) agent: Option<SpireAgent>,
}

/// The agent beside the proxy.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(crate) struct SpireAgent {
    /// How long a proxy waits for it before it refuses the configuration, and tries again later. Default: `1s`.
    pub(crate) timeout: Option<TimeSpan>,
}

/// A plug-in of another product.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(crate) struct ProviderExtension {
    /// Which. Required.
    pub(crate) name: Option<String>,
    /// Its configuration.
    pub(crate) config: Option<Value>,
}

/// What the template of a trust domain may refer to, besides the labels of the `MeshIdentity`.
pub(crate) const TRUST_DOMAIN_VARIABLES: &[&str] = &["Mesh", "Zone"];
/// What the template of a path may refer to, besides the labels of the Dataplane.
pub(crate) const PATH_VARIABLES: &[&str] =
    &["Namespace", "ServiceAccount", "Workload", "TrustDomain"];

impl Bundled {
    /// Does meshd make the CA?
    pub(crate) fn autogenerates(&self) -> bool {
        self.autogenerate
            .as_ref()
            .and_then(|autogenerate| autogenerate.enabled)
            == Some(true)
    }
}
