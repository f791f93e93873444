//! Join tokens: what a new proxy trades for its first certificate.
//!
//! A token says itself what it is good for, and is signed: whoever holds the key can make one, and meshd needs to have heard
//! of it only where it counts how often it is used. Never tells whoever shows a bad one anything about the good ones.

mod key;
mod ledger;

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use mesh_bundle::Digest;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::ca::SKEW;
use crate::random;

pub(crate) use key::Verifier;
pub use key::{BadKey, Issuer, export, open};
pub(crate) use ledger::{REMEMBERED, Tokens};
pub use ledger::{Record, list, note, revoke};

const PREFIX: &str = "mesh1.";
/// A token has about 500 characters.
const LENGTH_LIMIT: usize = 4096;
/// Hex digits of an identifier: 16 bytes.
pub(crate) const ID_LENGTH: usize = 32;
/// A token that is good for longer would be forgotten somewhere; and what is revoked is remembered for as long.
pub const LONGEST: Duration = Duration::from_hours(90 * 24);
/// What a token may say of labels.
const MOST_LABELS: usize = 16;

/// Which proxies a token is good for: all of it must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Scope {
    /// Dataplanes whose `kuma.io/workload` is this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workload: Option<String>,
    /// The Dataplane of this name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dataplane: Option<String>,
    /// What a document that a proxy brings must say of labels; with them it may enter services that select by them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
}

/// A token to be made.
#[derive(Debug, Clone)]
pub struct Order {
    /// Its mesh.
    pub mesh: String,
    /// What in the mesh.
    pub scope: Scope,
    /// For how long.
    pub ttl: Duration,
    /// For how many proxies; `None`: any number.
    pub uses: Option<u32>,
}

/// What is signed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Claims {
    id: String,
    /// SHA-256 of the key of the authority that meshd is known by: for the proxy.
    pin: Digest,
    /// Which key has signed it.
    key: String,
    mesh: String,
    scope: Scope,
    /// Seconds since 1970.
    issued: u64,
    expires: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    uses: Option<u32>,
}

/// What somebody who has proved it may join as.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Grant {
    /// Names the proof where people speak of it, and in the certificates that it led to.
    pub id: String,
    /// The mesh.
    pub mesh: String,
    /// What in the mesh.
    pub scope: Scope,
    /// Seconds since 1970.
    pub expires: u64,
    /// For how many keys; `None`: any number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uses: Option<u32>,
}

/// Why a token is not accepted. Safe to show to whoever sent it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Not of the right form.
    #[error("this is not a join token")]
    Malformed,
    /// No key of this meshd has signed it.
    #[error("no key of this meshd has signed this join token; it may belong to another meshd")]
    Unknown,
    /// An operator or a commit has ended it.
    #[error("the join token is revoked; ask for a new one (`meshd token`)")]
    Revoked,
    /// Too early: the clocks of two hosts differ.
    #[error(
        "the join token is from the future; compare the clocks of meshd and of where it was made"
    )]
    Early,
    /// Too late.
    #[error("the join token has expired; ask for a new one (`meshd token`)")]
    Expired,
    /// Too often.
    #[error("the join token has been used up; ask for a new one (`meshd token`)")]
    Used,
    /// What another party has issued does not prove enough.
    #[error("{0}")]
    Unproven(String),
    /// Not the token's fault.
    #[error("{0}")]
    Unavailable(String),
}

impl Scope {
    /// A token for nobody in particular is not made, and not accepted.
    #[must_use]
    pub fn is_bounded(&self) -> bool {
        let named = self.workload.is_some() || self.dataplane.is_some();
        (named || !self.labels.is_empty()) && self.labels.len() <= MOST_LABELS
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = [("workload", &self.workload), ("dataplane", &self.dataplane)];
        let parts = parts
            .into_iter()
            .filter_map(|(what, name)| Some(format!("{what} {}", name.as_ref()?)));
        let labels = self.labels.iter();
        let labels = labels.map(|(name, value)| format!("label {name}={value}"));
        let all: Vec<String> = parts.chain(labels).collect();
        f.write_str(&all.join("  "))
    }
}

impl Issuer {
    /// Makes a token. `pin` is that of the meshd that it is for.
    #[must_use]
    pub fn issue(&self, pin: Digest, order: Order, now: u64) -> (Zeroizing<String>, Grant) {
        let claims = Claims {
            id: random::hex(ID_LENGTH / 2),
            pin,
            key: self.id(),
            mesh: order.mesh,
            scope: order.scope,
            issued: now,
            expires: now.saturating_add(order.ttl.min(LONGEST).as_secs()),
            uses: order.uses,
        };
        // Texts, numbers and digests: this cannot fail.
        let json = serde_json::to_vec(&claims).unwrap_or_default();
        let said = format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(json));
        let signature = URL_SAFE_NO_PAD.encode(self.sign(said.as_bytes()));
        (
            Zeroizing::new(format!("{said}.{signature}")),
            claims.grant(),
        )
    }
}

impl Claims {
    fn grant(self) -> Grant {
        Grant {
            id: self.id,
            mesh: self.mesh,
            scope: self.scope,
            expires: self.expires,
            uses: self.uses,
        }
    }
}

/// What a token is good for, if one of these keys has signed it and its time has come. Whether it is revoked or used up is
/// another question.
fn verify(token: &str, keys: &[Verifier], now: u64) -> Result<Grant, Refused> {
    let token = token.trim();
    if token.len() > LENGTH_LIMIT {
        return Err(Refused::Malformed);
    }
    let (said, signature) = token.rsplit_once('.').ok_or(Refused::Malformed)?;
    let encoded = said.strip_prefix(PREFIX).ok_or(Refused::Malformed)?;
    let decode = |text| URL_SAFE_NO_PAD.decode(text).map_err(|_| Refused::Malformed);
    let (json, signature) = (decode(encoded)?, decode(signature)?);
    // Nothing of it is believed before this, not even which key it is about: they are few.
    let signed = keys
        .iter()
        .find(|key| key.verify(said.as_bytes(), &signature));
    let signed = signed.ok_or(Refused::Unknown)?;
    let claims: Claims = serde_json::from_slice(&json).map_err(|_| Refused::Malformed)?;
    let plain = is_id(&claims.id) && claims.scope.is_bounded() && claims.key == signed.id();
    if !plain || claims.expires.saturating_sub(claims.issued) > LONGEST.as_secs() {
        return Err(Refused::Malformed);
    }
    if claims.issued > now.saturating_add(SKEW.as_secs()) {
        return Err(Refused::Early);
    }
    if now >= claims.expires {
        return Err(Refused::Expired);
    }
    Ok(claims.grant())
}

/// Identifiers become names of files, and parts of names in certificates.
#[must_use]
pub fn is_id(id: &str) -> bool {
    id.len() == ID_LENGTH
        && id
            .bytes()
            .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

#[cfg(test)]
mod tests;
