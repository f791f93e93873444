//! `MeshTLS`: what inbounds of proxies with an identity accept (language 5.6).
//!
//! Never gives an identity: on a proxy that no `MeshIdentity` selects it has no effect.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::diag::{Code, Pointer};

use super::target_ref::TargetRef;
use super::{Body, Check, KindInfo, Scope, Spec, read, schema, target_ref::TargetKind};

/// What the registry knows.
pub(crate) const KIND: KindInfo = KindInfo {
    name: "MeshTLS",
    short: "mtls",
    to: &[],
    example: include_str!("mesh_tls/example.yaml"),
    scope: Scope::Mesh,
    body: Body::Spec,
    system_only: false,
    name_is_label: false,
    is_policy: true,
    schema: schema::of::<MeshTls>,
    parse: |body, check| {
        let spec: MeshTls = read::typed(body, check)?;
        spec.check(check);
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

/// Cipher suites of TLS 1.2 that the language knows.
const CIPHERS: [&str; 6] = [
    "ECDHE-ECDSA-AES128-GCM-SHA256",
    "ECDHE-ECDSA-AES256-GCM-SHA384",
    "ECDHE-ECDSA-CHACHA20-POLY1305",
    "ECDHE-RSA-AES128-GCM-SHA256",
    "ECDHE-RSA-AES256-GCM-SHA384",
    "ECDHE-RSA-CHACHA20-POLY1305",
];

impl MeshTls {
    fn check(&self, check: &mut Check<'_>) {
        TargetRef::check_top(self.target_ref.as_ref(), true, check);
        let spec = Pointer::default();
        if self.rules.is_empty() {
            check.warn(
                Code::NO_EFFECT,
                &spec,
                "a policy without `rules` does nothing",
            );
        }
        let kind = self
            .target_ref
            .as_ref()
            .and_then(|target| target.kind.as_ref());
        let whole_mesh = kind.is_none_or(|kind| *kind == TargetKind::Mesh);
        for (index, rule) in self.rules.iter().enumerate() {
            let at = spec.field("rules").index(index).field("default");
            match &rule.default {
                Some(conf) => conf.check(whole_mesh, &at, check),
                None => {
                    check.missing(&at);
                }
            }
        }
    }
}

impl TlsConf {
    fn check(&self, whole_mesh: bool, at: &Pointer, check: &mut Check<'_>) {
        let both_ends = [
            ("tlsVersion", self.tls_version.is_some()),
            ("tlsCiphers", self.tls_ciphers.is_some()),
        ];
        for (field, _) in both_ends.into_iter().filter(|(_, set)| *set) {
            let at = at.field(field);
            if whole_mesh {
                check.not_implemented(&at, "proxies speak TLS 1.3 to each other");
            } else {
                let message = format!("`{field}` can only be set for the whole mesh");
                check
                    .invalid(&at, message)
                    .help("it governs both ends of a connection: use `targetRef: {kind: Mesh}`");
            }
        }
        if let Some(versions) = &self.tls_version {
            versions.check(&at.field("tlsVersion"), check);
        }
        let ciphers = self.tls_ciphers.iter().flatten();
        let unknown: Vec<String> = ciphers
            .filter(|cipher| !CIPHERS.contains(&cipher.as_str()))
            .map(|cipher| format!("`{cipher}`"))
            .collect();
        if !unknown.is_empty() {
            let message = format!(
                "not a cipher suite that can be configured: {}",
                unknown.join(", ")
            );
            check
                .invalid(&at.field("tlsCiphers"), message)
                .help(format!("one or more of {}", CIPHERS.join(", ")));
        }
    }
}

impl TlsVersions {
    /// An old version as the lowest asks for nothing that TLS 1.3 does not give; as the highest it cannot be had.
    pub(super) fn check(&self, at: &Pointer, check: &mut Check<'_>) {
        if let Some(max @ (TlsVersion::Tls10 | TlsVersion::Tls11)) = self.max {
            let message = format!("`{}` is not supported: it is not secure", max.as_str());
            check
                .error(Code::UNSUPPORTED, &at.field("max"), message)
                .help("use `TLSAuto`, `TLS12` or `TLS13`");
        }
        if let (Some(min), Some(max)) = (self.min, self.max)
            && max != TlsVersion::Auto
            && min > max
        {
            let message = format!(
                "the lowest version `{}` is above the highest, `{}`",
                min.as_str(),
                max.as_str()
            );
            check.invalid(&at.field("min"), message);
        }
    }
}

impl TlsVersion {
    /// As documents write it.
    fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "TLSAuto",
            Self::Tls10 => "TLS10",
            Self::Tls11 => "TLS11",
            Self::Tls12 => "TLS12",
            Self::Tls13 => "TLS13",
        }
    }
}
