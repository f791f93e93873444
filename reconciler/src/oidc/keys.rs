//! The keys of one issuer: read from a file or asked for, kept for a while.
//!
//! Never asks more often than it is told to, however many tokens name keys that do not exist.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use jsonwebtoken::jwk::Jwk;
use serde_json::Value;

use super::unproven;
use crate::https::Client;
use crate::settings::TokenIssuer;
use crate::token::Refused;

/// Of an issuer.
const MOST_KEYS: usize = 100;
/// Keys are asked for again when they are this old.
const FRESH: Duration = Duration::from_mins(10);
/// An issuer that is away is done without for this long.
const USABLE: Duration = Duration::from_hours(24);
/// Between two questions, whatever tokens name.
const PAUSE: Duration = Duration::from_secs(10);

pub(super) struct Keys {
    name: String,
    place: Place,
    held: Mutex<Held>,
}

enum Place {
    File(std::path::PathBuf),
    Url(String, Client),
}

#[derive(Default)]
struct Held {
    keys: Vec<Jwk>,
    /// When they were read.
    read: Option<Instant>,
    /// When they were asked for last, whatever came of it.
    asked: Option<Instant>,
}

impl Keys {
    pub(super) fn new(settings: &TokenIssuer) -> Result<Self, String> {
        let place = match (&settings.jwks, &settings.jwks_file) {
            (Some(url), _) => {
                let client = Client::new(settings.ca.as_deref())?;
                Place::Url(url.as_str().to_owned(), client)
            }
            (None, Some(file)) => Place::File(file.clone()),
            (None, None) => return Err("an issuer has `jwks` or `jwks-file`".to_owned()),
        };
        Ok(Self {
            name: settings.name.as_str().to_owned(),
            place,
            held: Mutex::default(),
        })
    }

    /// The key of that name. One asks, for the others what is known holds: who shows tokens of keys that do not exist keeps
    /// nobody waiting.
    pub(super) fn find(&self, kid: &str) -> Result<Jwk, Refused> {
        self.find_at(kid, Instant::now())
    }

    pub(super) fn find_at(&self, kid: &str, now: Instant) -> Result<Jwk, Refused> {
        let my_turn = {
            let mut held = self.held();
            let fresh = held.age(now).is_some_and(|age| age < FRESH);
            if let (true, Some(key)) = (fresh, held.find(kid)) {
                return Ok(key);
            }
            let rested = |asked: Instant| now.saturating_duration_since(asked) >= PAUSE;
            let my_turn = held.asked.is_none_or(rested);
            if my_turn {
                held.asked = Some(now);
            }
            my_turn
        };
        if my_turn {
            match self.read() {
                Ok(keys) => {
                    let mut held = self.held();
                    held.keys = keys;
                    held.read = Some(now);
                }
                Err(error) => {
                    let issuer = &self.name;
                    tracing::warn!(
                        issuer,
                        error,
                        "the keys of an issuer of tokens cannot be had"
                    );
                }
            }
        }
        let held = self.held();
        if held.age(now).is_none_or(|age| age >= USABLE) {
            let why = "the keys of the issuer of this token cannot be had at this moment";
            return Err(Refused::Unavailable(why.to_owned()));
        }
        let found = held.find(kid);
        found.ok_or_else(|| unproven("its issuer has no key of that name"))
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        // It is never left half changed.
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn read(&self) -> Result<Vec<Jwk>, String> {
        let bytes = match &self.place {
            Place::File(path) => {
                let read = std::fs::read(path);
                read.map_err(|error| format!("`{}`: {error}", path.display()))?
            }
            Place::Url(url, client) => {
                let answer = client.get(url, &[])?;
                if answer.status != 200 {
                    return Err(format!("`{url}` answered with status {}", answer.status));
                }
                answer.body.to_vec()
            }
        };
        let document: Value = serde_json::from_slice(&bytes).map_err(|error| error.to_string())?;
        let list = document.get("keys").and_then(Value::as_array);
        let list = list.ok_or("it is no JSON Web Key Set: `keys` is missing")?;
        if list.len() > MOST_KEYS {
            return Err(format!("it has more than {MOST_KEYS} keys"));
        }
        // Of a kind that we do not know: not for us.
        let keys = list
            .iter()
            .filter_map(|key| serde_json::from_value(key.clone()).ok());
        Ok(keys.collect())
    }
}

impl Held {
    fn age(&self, now: Instant) -> Option<Duration> {
        let read = self.read?;
        Some(now.saturating_duration_since(read))
    }

    fn find(&self, kid: &str) -> Option<Jwk> {
        let named = |key: &&Jwk| key.common.key_id.as_deref() == Some(kid);
        self.keys.iter().find(named).cloned()
    }
}
