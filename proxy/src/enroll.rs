//! Trades a join token for a control certificate.
//!
//! Never believes a server that does not hold the key that the token pins, and never shows or keeps the token.

pub(crate) mod document;
pub(crate) mod pin;
#[cfg(test)]
mod tests;
pub(crate) mod token;

use std::sync::Arc;

use mesh_delivery::client::{self, ClientError};
use mesh_delivery::message::{Denied, Enrollment};
use rustls_pki_types::CertificateDer;

use crate::identity::{Credential, NoKey, PrivateKey, Unacceptable};
use crate::meshd::{self, SERVER_NAME};
use crate::state::Membership;
use token::Token;

/// What the proxy says of itself when it enrols.
#[derive(Debug, Clone, Default)]
pub(crate) struct Claim {
    /// Which Dataplane of the token's workload it is.
    pub(crate) dataplane: Option<String>,
    /// A Dataplane document to register, placeholders already filled in.
    pub(crate) document: Option<Vec<u8>>,
}

/// Why there is no control certificate.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// Asking again with the same token does not help.
    #[error("meshd refuses the token: {0}")]
    Refused(String),
    /// Asking again may help.
    #[error("{0}")]
    Unreachable(String),
    #[error(transparent)]
    Key(#[from] NoKey),
    #[error("meshd answered with a certificate that is not acceptable: {0}")]
    Certificate(#[from] Unacceptable),
    #[error("meshd answered without a certificate authority to know it by")]
    NoAnchors,
    #[error(transparent)]
    Tls(#[from] rustls::Error),
    #[error("this proxy was started as `{wanted}`, meshd enrolled it as `{found}`")]
    OtherProxy { wanted: String, found: String },
}

impl Failure {
    /// Whether a person must do something before asking again can help.
    pub(crate) fn is_final(&self) -> bool {
        matches!(self, Self::Refused(_) | Self::OtherProxy { .. })
    }
}

/// Asks once, for a certificate for `key`.
pub(crate) async fn enroll(
    address: &str,
    token: &Token,
    key: PrivateKey,
    claim: &Claim,
    now: u64,
) -> Result<Membership, Failure> {
    let request = Enrollment {
        token: token.text().to_owned(),
        csr: key.request()?,
        dataplane: claim.dataplane.clone(),
        dataplane_document: claim.document.clone(),
    };
    let config = meshd::pinned(Arc::new(pin::Pinned::new(token.pin())))?;
    let enrolled = client::enroll(address, config, SERVER_NAME, request)
        .await
        .map_err(failure)?;
    let credential = Credential::accept(key, enrolled.chain, enrolled.renew_at, now)?;
    let name = credential.proxy_name()?;
    if let Some(wanted) = claim.dataplane.as_ref().filter(|n| **n != name.dataplane) {
        return Err(Failure::OtherProxy {
            wanted: wanted.clone(),
            found: name.dataplane,
        });
    }
    if !enrolled.anchors.iter().any(is_authority) {
        return Err(Failure::NoAnchors);
    }
    Ok(Membership {
        token: token.id().to_owned(),
        credential,
        anchors: enrolled.anchors,
        name,
    })
}

/// Can it vouch for others?
pub(crate) fn is_authority(der: &CertificateDer<'_>) -> bool {
    webpki::anchor_from_trusted_cert(der).is_ok()
}

fn failure(error: ClientError) -> Failure {
    match error {
        ClientError::Refused(Denied::Unavailable(reason)) => Failure::Unreachable(reason),
        ClientError::Refused(denied) => Failure::Refused(denied.to_string()),
        error => Failure::Unreachable(error.to_string()),
    }
}
