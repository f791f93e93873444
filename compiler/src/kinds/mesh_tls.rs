//! `MeshTLS`: what inbounds of proxies with an identity accept (language 5.6).
//!
//! Never gives an identity: on a proxy that no `MeshIdentity` selects it has no effect.

use schemars::JsonSchema;
use serde::Deserialize;

use super::target_ref::TargetRef;
use super::{Body, KindInfo, PolicyInfo, Scope, Spec, Style, read, schema};

/// What the registry knows.
pub(crate) const KIND: KindInfo = KindInfo {
    name: "MeshTLS",
    short: "mtls",
    scope: Scope::Mesh,
    body: Body::Spec,
    system_only: false,
    name_is_label: false,
    policy: Some(PolicyInfo {
        style: Style::Rules,
        to: &[],
    }),
    schema: schema::of::<MeshTls>,
    parse: |body, check| {
        let spec: MeshTls = read::typed(body, check)?;
        Some(Spec::MeshTls(spec))
    },
};

/// What the inbounds of proxies with an identity accept.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(crate) struct MeshTls {
    /// Whose inbounds: `Mesh` or `Dataplane`, the latter with `sectionName` for one inbound. Default: `Mesh`.
    pub(crate) target_ref: Option<TargetRef>,
    /// What applies. At least one.
    #[serde(default)]
    pub(crate) rules: Vec<TlsRule>,
}

/// What applies to all clients.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(crate) struct TlsRule {
    /// The settings. Required.
    pub(crate) default: Option<TlsConf>,
}

/// Settings of TLS between proxies.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(crate) struct TlsConf {
    /// `Strict`: only mTLS of the mesh. `Permissive`: also other TLS, untouched, and plaintext. Default: `Strict`.
    pub(crate) mode: Option<Mode>,
    /// Versions of TLS, with the top-level `Mesh` only. No effect yet: proxies speak TLS 1.3 to each other.
    pub(crate) tls_version: Option<TlsVersions>,
    /// Cipher suites of TLS 1.2, with the top-level `Mesh` only. No effect yet: proxies speak TLS 1.3 to each other.
    pub(crate) tls_ciphers: Option<Vec<String>>,
}

/// What an inbound accepts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
pub(crate) enum Mode {
    /// Only mTLS of the mesh.
    Strict,
    /// mTLS of the mesh, other TLS untouched, and plaintext.
    Permissive,
}

/// A range of versions.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(crate) struct TlsVersions {
    /// The lowest. Default: `TLSAuto`.
    pub(crate) min: Option<TlsVersion>,
    /// The highest. Default: `TLSAuto`.
    pub(crate) max: Option<TlsVersion>,
}

/// A version of TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize, JsonSchema)]
pub(crate) enum TlsVersion {
    /// Left to the proxy.
    #[serde(rename = "TLSAuto")]
    Auto,
    /// 1.0, not supported.
    #[serde(rename = "TLS10")]
    Tls10,
    /// 1.1, not supported.
    #[serde(rename = "TLS11")]
    Tls11,
    /// 1.2.
    #[serde(rename = "TLS12")]
    Tls12,
    /// 1.3.
    #[serde(rename = "TLS13")]
    Tls13,
}
