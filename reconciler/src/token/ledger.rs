//! What meshd writes down about join tokens: how often those were used that may not be used at will, and which are revoked.
//!
//! Never lets a token be used once more because something could not be read or written.

use std::collections::BTreeSet;
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use mesh_bundle::Digest;
use serde::{Deserialize, Serialize};

use super::key::{self, Verifier};
use super::{Grant, LONGEST, Refused, is_id, verify};
use crate::ca::SKEW;
use crate::state::{StateDir, StateFailure};

const DIRECTORY: &str = "tokens";
const REVOKED: &str = "tokens/revoked";
/// What was used is remembered for longer than its token is good: a clock that is ahead for some hours must not make it a new
/// one when it is set right.
pub(crate) const REMEMBERED: Duration = Duration::from_hours(24);

/// What meshd knows of a token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Record {
    /// What it is good for.
    #[serde(flatten)]
    pub grant: Grant,
    /// The keys that it was spent on: an answer that got lost can be asked for again.
    pub spent_on: Vec<Digest>,
}

#[derive(Serialize, Deserialize)]
struct Revocation {
    /// When no token of that name can be good any more. Seconds since 1970.
    until: u64,
}

impl Record {
    /// How many more proxies it is good for; `None`: any number.
    #[must_use]
    pub fn uses_left(&self) -> Option<u32> {
        let spent = u32::try_from(self.spent_on.len()).unwrap_or(u32::MAX);
        self.grant.uses.map(|uses| uses.saturating_sub(spent))
    }
}

/// Remembers a token that was made here, so that [`list`] tells it. Works beside a running meshd.
///
/// # Errors
/// The state directory cannot be written.
pub fn note(state: &StateDir, grant: Grant) -> Result<(), StateFailure> {
    let record = Record {
        grant,
        spent_on: Vec::new(),
    };
    write(state, &record)
}

/// Every token that meshd knows of, expired ones included; files that cannot be read are left out.
///
/// # Errors
/// The directory cannot be read.
pub fn list(state: &StateDir) -> Result<Vec<Record>, StateFailure> {
    let names = state.list(DIRECTORY)?;
    let records = names.iter().filter_map(|name| {
        let id = name.strip_suffix(".json")?;
        let record = read(state, id).ok().flatten()?;
        (!state.path(&revoked_file(id)).exists()).then_some(record)
    });
    Ok(records.collect())
}

/// Ends a token, whether meshd has heard of it or not; tells whether it has.
///
/// # Errors
/// The state directory cannot be written.
pub fn revoke(state: &StateDir, id: &str, now: u64) -> Result<bool, StateFailure> {
    let revocation = Revocation {
        until: now.saturating_add(LONGEST.as_secs() + SKEW.as_secs()),
    };
    // A number: this cannot fail.
    let json = serde_json::to_vec_pretty(&revocation).unwrap_or_default();
    state.write(&revoked_file(id), &json)?;
    Ok(state.path(&file(id)).exists())
}

/// The tokens of a running meshd: the only one that spends them.
#[derive(Debug)]
pub(crate) struct Tokens {
    state: Arc<StateDir>,
    /// Public keys of others who may make tokens, by the files that hold them.
    others: Vec<PathBuf>,
    /// Two proxies may show one token at the same moment.
    spending: Mutex<()>,
    /// As it was read last: for certificates that tokens led to.
    revoked: Mutex<Arc<BTreeSet<String>>>,
}

impl Tokens {
    pub(crate) fn new(state: Arc<StateDir>, others: Vec<PathBuf>) -> Self {
        Self {
            state,
            others,
            spending: Mutex::new(()),
            revoked: Mutex::default(),
        }
    }

    /// What a join token is good for, without using it. `key` is what would be certified.
    pub(crate) fn check(&self, token: &str, key: Digest, now: u64) -> Result<Grant, Refused> {
        let grant = verify(token, &self.keys()?, now)?;
        self.admits(&grant, key, now)?;
        Ok(grant)
    }

    /// Is what was proved neither revoked nor used up?
    pub(crate) fn admits(&self, grant: &Grant, key: Digest, now: u64) -> Result<(), Refused> {
        if self.state.path(&revoked_file(&grant.id)).exists() {
            return Err(Refused::Revoked);
        }
        if now >= grant.expires {
            return Err(Refused::Expired);
        }
        let Some(uses) = grant.uses else {
            return Ok(());
        };
        let spent = self.spent_on(&grant.id)?;
        let full = u32::try_from(spent.len()).is_ok_and(|spent| spent >= uses);
        match full && !spent.contains(&key) {
            true => Err(Refused::Used),
            false => Ok(()),
        }
    }

    /// Uses it up once. The same key may come again: its first answer may have been lost.
    pub(crate) fn spend(&self, grant: &Grant, key: Digest, now: u64) -> Result<(), Refused> {
        let _one_at_a_time = self.spending.lock().unwrap_or_else(PoisonError::into_inner);
        self.admits(grant, key, now)?;
        if grant.uses.is_none() {
            return Ok(());
        }
        let known = read(&self.state, &grant.id)?;
        let mut record = known.unwrap_or_else(|| Record {
            grant: grant.clone(),
            spent_on: Vec::new(),
        });
        if record.spent_on.contains(&key) {
            return Ok(());
        }
        record.spent_on.push(key);
        write(&self.state, &record).map_err(|failure| unavailable(&grant.id, &failure))
    }

    /// Reads what operators have revoked.
    ///
    /// # Errors
    /// It cannot be read; what was read before still holds.
    pub(crate) fn look(&self) -> Result<(), StateFailure> {
        let revoked = self.state.list(REVOKED)?.into_iter().collect();
        *self.revoked.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(revoked);
        Ok(())
    }

    /// What operators have revoked, as of the last look.
    pub(crate) fn revoked(&self) -> Arc<BTreeSet<String>> {
        let revoked = self.revoked.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&revoked)
    }

    /// Has an operator revoked it? As of the last look.
    pub(crate) fn is_revoked(&self, id: &str) -> bool {
        self.revoked().contains(id)
    }

    /// The keys that it was used on here.
    pub(crate) fn spent_on(&self, id: &str) -> Result<Vec<Digest>, Refused> {
        let record = read(&self.state, id)?;
        Ok(record.map(|record| record.spent_on).unwrap_or_default())
    }

    /// Removes what has expired.
    pub(crate) fn prune(&self, now: u64) -> Result<(), StateFailure> {
        for record in list(&self.state)? {
            let remembered = match record.spent_on.is_empty() {
                true => 0,
                false => REMEMBERED.as_secs(),
            };
            if now >= record.grant.expires.saturating_add(remembered) {
                self.state.remove(&file(&record.grant.id))?;
            }
        }
        for id in self.state.list(REVOKED)? {
            let path = revoked_file(&id);
            let text = self.state.read(&path)?.unwrap_or_default();
            let revocation: Result<Revocation, _> = serde_json::from_slice(&text);
            // A damaged one still keeps the token out.
            if revocation.is_ok_and(|revocation| now >= revocation.until) {
                self.state.remove(&path)?;
                self.state.remove(&file(&id))?;
            }
        }
        Ok(())
    }

    /// Read each time: a key that an operator replaces counts at once.
    fn keys(&self) -> Result<Vec<Verifier>, Refused> {
        let own = key::held(&self.state).map_err(|error| unavailable("", &error))?;
        let mut keys: Vec<_> = own.iter().map(super::Issuer::verifier).collect();
        for path in &self.others {
            match Verifier::read(path) {
                Ok(others) => keys.extend(others),
                Err(error) => tracing::error!(%error, "a key of join tokens is left out"),
            }
        }
        Ok(keys)
    }
}

fn unavailable(token: &str, why: &dyn fmt::Display) -> Refused {
    tracing::error!(token, %why, "a join token cannot be judged");
    Refused::Unavailable("join tokens cannot be read at this moment".to_owned())
}

fn file(id: &str) -> String {
    format!("{DIRECTORY}/{id}.json")
}

fn revoked_file(id: &str) -> String {
    format!("{REVOKED}/{id}")
}

fn read(state: &StateDir, id: &str) -> Result<Option<Record>, Refused> {
    if !is_id(id) {
        return Err(Refused::Malformed);
    }
    let bytes = state
        .read(&file(id))
        .map_err(|error| unavailable(id, &error))?;
    let record = bytes
        .map(|bytes| serde_json::from_slice(&bytes))
        .transpose();
    record.map_err(|error| unavailable(id, &error))
}

fn write(state: &StateDir, record: &Record) -> Result<(), StateFailure> {
    // Texts, numbers and digests: this cannot fail.
    let json = serde_json::to_vec_pretty(record).unwrap_or_default();
    state.write(&file(&record.grant.id), &json)
}
