//! Join tokens: what a new proxy trades for its first certificate.
//!
//! Never keeps a secret, only its digest, and never tells whoever lacks the secret anything about the token.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use mesh_bundle::Digest;
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, Zeroizing};

use crate::random;
use crate::state::{StateDir, StateFailure};

const DIRECTORY: &str = "tokens";
const PREFIX: &str = "mesh1.";
/// A token has about 250 characters.
const LENGTH_LIMIT: usize = 4096;
const SECRET_BYTES: usize = 32;
/// Hex digits of an identifier: 16 bytes.
const ID_LENGTH: usize = 32;

/// What a token is good for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Bound {
    /// Any Dataplane whose `kuma.io/workload` is this.
    Workload(String),
    /// This Dataplane.
    Dataplane(String),
}

/// A token to be made.
#[derive(Debug, Clone)]
pub struct Order {
    /// Its mesh.
    pub mesh: String,
    /// What in the mesh.
    pub bound: Bound,
    /// For how long.
    pub ttl: Duration,
    /// For how many proxies.
    pub uses: u32,
}

/// What meshd knows of a token: everything but its secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Record {
    /// Names the file, and the token where people speak of it.
    pub id: String,
    /// SHA-256 of the secret.
    pub secret_digest: Digest,
    /// Its mesh.
    pub mesh: String,
    /// What in the mesh.
    pub bound: Bound,
    /// Seconds since 1970.
    pub expires: u64,
    /// How many more proxies.
    pub uses_left: u32,
    /// The keys that it was spent on: an answer that got lost can be asked for again.
    pub spent_on: Vec<Digest>,
}

/// Why a token is not accepted. Safe to show to whoever sent it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Not of the right form.
    #[error("this is not a join token")]
    Malformed,
    /// No such token, or not its secret.
    #[error("this join token is not known here; it may be revoked, or belong to another meshd")]
    Unknown,
    /// Too late.
    #[error("the join token has expired; ask for a new one (`meshd token`)")]
    Expired,
    /// Too often.
    #[error("the join token has been used up; ask for a new one (`meshd token`)")]
    Used,
    /// Not the token's fault.
    #[error("join tokens cannot be read at this moment")]
    Unavailable,
}

#[derive(Serialize, Deserialize)]
struct Text {
    id: String,
    secret: String,
    pin: Digest,
}

impl Drop for Text {
    fn drop(&mut self) {
        self.secret.zeroize();
    }
}

/// Makes a token. Works beside a running meshd, which finds the file when the token is shown to it.
///
/// # Errors
/// The state directory cannot be written.
pub fn create(
    state: &StateDir,
    pin: Digest,
    order: Order,
    now: u64,
) -> Result<Zeroizing<String>, StateFailure> {
    let secret: Zeroizing<[u8; SECRET_BYTES]> = Zeroizing::new(random::bytes());
    let secret = URL_SAFE_NO_PAD.encode(secret.as_slice());
    let record = Record {
        id: random::hex(ID_LENGTH / 2),
        secret_digest: Digest::of(secret.as_bytes()),
        mesh: order.mesh,
        bound: order.bound,
        expires: now.saturating_add(order.ttl.as_secs()),
        uses_left: order.uses,
        spent_on: Vec::new(),
    };
    write(state, &record)?;
    let id = record.id;
    let text = Text { id, secret, pin };
    // Three texts: this cannot fail.
    let json = Zeroizing::new(serde_json::to_vec(&text).unwrap_or_default());
    let encoded = Zeroizing::new(URL_SAFE_NO_PAD.encode(json.as_slice()));
    Ok(Zeroizing::new(format!("{PREFIX}{}", encoded.as_str())))
}

/// Every token that is kept, expired ones included; files that cannot be read are left out.
///
/// # Errors
/// The directory cannot be read.
pub fn list(state: &StateDir) -> Result<Vec<Record>, StateFailure> {
    let names = state.list(DIRECTORY)?;
    let records = names
        .iter()
        .filter_map(|name| read(state, name.strip_suffix(".json")?).ok());
    Ok(records.collect())
}

/// Ends a token.
///
/// # Errors
/// The state directory cannot be written.
pub fn revoke(state: &StateDir, id: &str) -> Result<bool, StateFailure> {
    let known = is_id(id) && state.path(&file(id)).exists();
    if known {
        state.remove(&file(id))?;
    }
    Ok(known)
}

/// The tokens of a running meshd: the only one that spends them.
#[derive(Debug)]
pub(crate) struct Tokens {
    state: Arc<StateDir>,
    /// Two proxies may show one token at the same moment.
    spending: Mutex<()>,
}

impl Tokens {
    pub(crate) fn new(state: Arc<StateDir>) -> Self {
        Self {
            state,
            spending: Mutex::new(()),
        }
    }

    /// What a token is good for, without using it. `key` is what would be certified.
    pub(crate) fn check(&self, token: &str, key: Digest, now: u64) -> Result<Record, Refused> {
        let text = parse(token).ok_or(Refused::Malformed)?;
        let record = read(&self.state, &text.id)?;
        let given = Digest::of(text.secret.as_bytes());
        let (given, kept) = (given.as_bytes(), record.secret_digest.as_bytes());
        aws_lc_rs::constant_time::verify_slices_are_equal(given, kept)
            .map_err(|_| Refused::Unknown)?;
        if now >= record.expires {
            return Err(Refused::Expired);
        }
        if record.uses_left == 0 && !record.spent_on.contains(&key) {
            return Err(Refused::Used);
        }
        Ok(record)
    }

    /// Uses a token up once. The same key may come again: its first answer may have been lost.
    pub(crate) fn spend(&self, token: &str, key: Digest, now: u64) -> Result<(), Refused> {
        let _one_at_a_time = self.spending.lock().unwrap_or_else(PoisonError::into_inner);
        let mut record = self.check(token, key, now)?;
        if record.spent_on.contains(&key) {
            return Ok(());
        }
        record.uses_left = record.uses_left.saturating_sub(1);
        record.spent_on.push(key);
        write(&self.state, &record).map_err(|failure| {
            tracing::error!(%failure, "a join token cannot be spent");
            Refused::Unavailable
        })
    }

    /// Removes what has expired.
    pub(crate) fn prune(&self, now: u64) -> Result<(), StateFailure> {
        for record in list(&self.state)? {
            if now >= record.expires {
                revoke(&self.state, &record.id)?;
            }
        }
        Ok(())
    }
}

fn parse(token: &str) -> Option<Text> {
    let encoded = token.trim().strip_prefix(PREFIX)?;
    if encoded.len() > LENGTH_LIMIT {
        return None;
    }
    let json = Zeroizing::new(URL_SAFE_NO_PAD.decode(encoded).ok()?);
    let text: Text = serde_json::from_slice(&json).ok()?;
    // It becomes the name of a file.
    is_id(&text.id).then_some(text)
}

fn is_id(id: &str) -> bool {
    id.len() == ID_LENGTH
        && id
            .bytes()
            .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

fn file(id: &str) -> String {
    format!("{DIRECTORY}/{id}.json")
}

fn read(state: &StateDir, id: &str) -> Result<Record, Refused> {
    let unavailable = |why: &dyn fmt::Display| {
        tracing::error!(token = id, %why, "a join token cannot be read");
        Refused::Unavailable
    };
    let bytes = state.read(&file(id)).map_err(|error| unavailable(&error))?;
    let bytes = bytes.ok_or(Refused::Unknown)?;
    serde_json::from_slice(&bytes).map_err(|error| unavailable(&error))
}

fn write(state: &StateDir, record: &Record) -> Result<(), StateFailure> {
    // Texts, numbers and digests: this cannot fail.
    let json = serde_json::to_vec_pretty(record).unwrap_or_default();
    state.write(&file(&record.id), &json)
}

#[cfg(test)]
mod tests;
