//! Which connections a rule is about: the peer's SPIFFE ID and the TLS server name (language 4.5).
//!
//! Never compares anything: the compiled form that decides is `PeerMatch` of the bundle.

use schemars::JsonSchema;
use serde::Deserialize;

/// Which connections are meant. What is given must all hold; one of the two must be given.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(crate) struct Match {
    /// The SPIFFE ID in the certificate of the client. A client without a certificate never matches.
    #[serde(rename = "spiffeID")]
    pub(crate) spiffe_id: Option<SpiffeIdMatch>,
    /// The server name that the client asked for in TLS. Useful on the listeners of zone proxies only.
    pub(crate) sni: Option<SniMatch>,
}

/// How a SPIFFE ID is compared.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(crate) struct SpiffeIdMatch {
    /// `Exact` or `Prefix`. Required.
    #[serde(rename = "type")]
    pub(crate) how: Option<SpiffeIdMatchType>,
    /// A SPIFFE ID, `spiffe://<trust domain>/<path>`. Required. A prefix has to be a SPIFFE ID too, so it does not end
    /// with `/`, and it is compared as text: `…/web` holds for `…/web2` as well.
    pub(crate) value: Option<String>,
}

/// How a SPIFFE ID is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
pub(crate) enum SpiffeIdMatchType {
    /// The whole ID.
    Exact,
    /// The beginning of the ID.
    Prefix,
}

/// How a TLS server name is compared.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(crate) struct SniMatch {
    /// `Exact`. Required.
    #[serde(rename = "type")]
    pub(crate) how: Option<SniMatchType>,
    /// A DNS name in lower case. Required.
    pub(crate) value: Option<String>,
}

/// How a TLS server name is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
pub(crate) enum SniMatchType {
    /// The whole name.
    Exact,
}
