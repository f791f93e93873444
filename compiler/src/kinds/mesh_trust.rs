//! `MeshTrust`: which CAs may vouch for the SPIFFE IDs of a trust domain (language 3.9).
//!
//! Never holds a private key: one in a bundle is refused.

use schemars::JsonSchema;
use serde::Deserialize;

use mesh_bundle::TrustDomain;

use crate::diag::Pointer;

use super::{Body, Check, KindInfo, Scope, Spec, certificate, read, schema};

/// What the registry knows.
pub(crate) const KIND: KindInfo = KindInfo {
    name: "MeshTrust",
    short: "mtrust",
    to: &[],
    example: include_str!("mesh_trust/example.yaml"),
    scope: Scope::Mesh,
    body: Body::Spec,
    system_only: true,
    name_is_label: false,
    is_policy: false,
    schema: schema::of::<MeshTrust>,
    parse: |body, check| {
        let spec: MeshTrust = read::typed(body, check)?;
        spec.check(check);
        Some(Spec::MeshTrust(spec))
    },
};

/// Which CAs may vouch for the SPIFFE IDs of one trust domain. All of a mesh are taken together, per trust domain.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(crate) struct MeshTrust {
    /// The trust domain, as in `spiffe://<trust domain>/…`. Required.
    pub(crate) trust_domain: Option<String>,
    /// The CAs. At least one.
    #[serde(default)]
    pub(crate) ca_bundles: Vec<CaBundle>,
    /// Read-only: who made this resource.
    pub(crate) origin: Option<TrustOrigin>,
}

/// Some CAs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(crate) struct CaBundle {
    /// `Pem`. Required.
    #[serde(rename = "type")]
    pub(crate) kind: Option<CaBundleType>,
    /// For `Pem`: the certificates.
    pub(crate) pem: Option<PemBundle>,
}

/// How CAs are given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
pub(crate) enum CaBundleType {
    /// As PEM text in the document.
    Pem,
}

/// Certificates as text.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(crate) struct PemBundle {
    /// One or more PEM blocks `CERTIFICATE`, each of a CA. Required.
    pub(crate) value: Option<String>,
}

/// Who made a resource.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(crate) struct TrustOrigin {
    /// The KRI of a `MeshIdentity`.
    pub(crate) kri: Option<String>,
}

/// A trust domain looks like a DNS name, and has to fit where one does (language 3.9).
const LONGEST_TRUST_DOMAIN: usize = 253;

impl MeshTrust {
    fn check(&self, check: &mut Check<'_>) {
        let spec = Pointer::default();
        let at = spec.field("trustDomain");
        if let Some(domain) = check.required(self.trust_domain.as_ref(), &at) {
            if domain.len() > LONGEST_TRUST_DOMAIN {
                let message = format!(
                    "the trust domain has {} characters, more than {LONGEST_TRUST_DOMAIN}",
                    domain.len()
                );
                check.invalid(&at, message);
            } else if let Err(error) = domain.parse::<TrustDomain>() {
                check.invalid(&at, format!("`{domain}` is not a trust domain: {error}"));
            }
        }
        let at = spec.field("caBundles");
        if self.ca_bundles.is_empty() {
            let message = "a trust without `caBundles` trusts nobody";
            check
                .invalid(&at, message)
                .help("at least one bundle is needed");
        }
        for (index, bundle) in self.ca_bundles.iter().enumerate() {
            bundle.check(&at.index(index), check);
        }
    }
}

impl CaBundle {
    fn check(&self, at: &Pointer, check: &mut Check<'_>) {
        if self.kind.is_none() {
            check.missing(&at.field("type")).help("`Pem`");
        }
        let at = at.field("pem");
        let Some(pem) = &self.pem else {
            check.missing(&at);
            return;
        };
        let at = at.field("value");
        let Some(text) = check.required(pem.value.as_ref(), &at) else {
            return;
        };
        if let Err(error) = certificate::authorities(text) {
            check.invalid(&at, error.to_string()).help(
                "one or more blocks `-----BEGIN CERTIFICATE-----`, each of a CA, and nothing else",
            );
        }
    }
}
