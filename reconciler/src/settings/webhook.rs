//! Where webhooks are taken, and how each proves where it comes from.
//!
//! Never without a proof: whoever may knock without one may keep meshd busy.

use std::net::SocketAddr;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;

/// Where the webhooks of forges are taken.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Webhook {
    /// The address that `POST /hooks/SOURCE` is answered at, and nothing else. What forges send is plain HTTP here: put a
    /// server that ends TLS before it.
    #[schemars(with = "String")]
    pub listen: SocketAddr,
}

/// The webhook of one source.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Hook {
    /// How a request proves where it comes from.
    pub kind: Scheme,
    /// File of the secret that the forge was given. Read anew for each request.
    pub secret_file: PathBuf,
}

/// How a webhook proves where it comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Scheme {
    /// `X-Hub-Signature-256`: GitHub, Gitea, Forgejo.
    #[serde(alias = "gitea", alias = "forgejo")]
    Github,
    /// `X-Gitlab-Token`; with a secret that begins with `whsec_`, the signature of Standard Webhooks instead.
    Gitlab,
    /// The signature of Standard Webhooks, which holds for five minutes.
    Standard,
    /// `X-Signature: sha256=` and the HMAC of the body as hex digits.
    Hmac,
}
