//! The PKI secrets engine of `HashiCorp` Vault (and of `OpenBao`, which has the same HTTP API).
//!
//! Never keeps a token longer than its lease, and never shows one.

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use mesh_bundle::SpiffeId;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::Signs;
use crate::ca::{Request, pem_block};
use crate::https::{Answer, Client};
use crate::secret;
use crate::settings::{AppRole, VaultSigner};

/// Of what a server says about a failure.
const MOST_WORDS: usize = 300;
/// A token without a lease is asked for again after this.
const LEASE: Duration = Duration::from_mins(5);

pub(super) struct Vault {
    client: Client,
    settings: VaultSigner,
    /// Of an `AppRole`: the token, and until when it is used.
    session: Mutex<Option<(Zeroizing<String>, Instant)>>,
}

impl Vault {
    pub(super) fn new(settings: &VaultSigner) -> Result<Self, String> {
        Ok(Self {
            client: Client::new(settings.ca.as_deref())?,
            settings: settings.clone(),
            session: Mutex::new(None),
        })
    }

    fn url(&self, path: &str) -> String {
        format!("{}/v1/{path}", self.settings.address.as_str())
    }

    /// One request with a token; a token that is refused is asked for once more.
    fn ask(&self, path: &str, body: Option<&Value>) -> Result<Value, String> {
        let first = self.send(path, body)?;
        if first.status != 403 || self.settings.approle.is_none() {
            return value(&first);
        }
        *self.session.lock().unwrap_or_else(PoisonError::into_inner) = None;
        value(&self.send(path, body)?)
    }

    fn send(&self, path: &str, body: Option<&Value>) -> Result<Answer, String> {
        let token = self.token()?;
        let mut headers = vec![
            ("x-vault-token", token.as_str()),
            ("x-vault-request", "true"),
        ];
        headers.extend(self.namespace());
        let url = self.url(path);
        match body {
            Some(body) => self
                .client
                .post(&url, &headers, body.to_string().into_bytes()),
            None => self.client.get(&url, &headers),
        }
    }

    fn namespace(&self) -> Option<(&'static str, &str)> {
        let namespace = self.settings.namespace.as_deref()?;
        Some(("x-vault-namespace", namespace))
    }

    fn token(&self) -> Result<Zeroizing<String>, String> {
        match (&self.settings.token_file, &self.settings.approle) {
            (Some(file), _) => secret::read(file),
            (None, Some(role)) => self.session(role),
            (None, None) => Err("it has neither `token-file` nor `approle`".to_owned()),
        }
    }

    /// The token of an `AppRole`: that of the last login, while its lease lasts.
    fn session(&self, role: &AppRole) -> Result<Zeroizing<String>, String> {
        let mut session = self.session.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((token, until)) = &*session
            && Instant::now() < *until
        {
            return Ok(token.clone());
        }
        let read = |file: &PathBuf| secret::read(file);
        let (id, word) = (read(&role.role_id_file)?, read(&role.secret_id_file)?);
        let body = Zeroizing::new(
            json!({ "role_id": id.as_str(), "secret_id": word.as_str() }).to_string(),
        );
        let url = self.url(&format!("auth/{}/login", role.mount));
        let headers: Vec<_> = self.namespace().into_iter().collect();
        let answer = self.client.post(&url, &headers, body.as_bytes().to_vec())?;
        let answer = value(&answer).map_err(|why| format!("logging in: {why}"))?;
        let token = answer.pointer("/auth/client_token").and_then(Value::as_str);
        let token = token.ok_or("logging in: the answer holds no token")?;
        let lease = answer
            .pointer("/auth/lease_duration")
            .and_then(Value::as_u64);
        let lease = lease
            .filter(|seconds| *seconds > 0)
            .map_or(LEASE, Duration::from_secs);
        let token = Zeroizing::new(token.to_owned());
        *session = Some((token.clone(), Instant::now() + lease * 2 / 3));
        Ok(token)
    }
}

impl Signs for Vault {
    fn chain(&self) -> Result<Vec<CertificateDer<'static>>, String> {
        // Public: no token is shown for it.
        let url = self.url(&format!("{}/ca_chain", self.settings.mount));
        let headers: Vec<_> = self.namespace().into_iter().collect();
        let mut answer = self.client.get(&url, &headers)?;
        if answer.body.trim_ascii().is_empty() && (answer.status == 200 || answer.status == 204) {
            // A root has no chain.
            let url = self.url(&format!("{}/ca/pem", self.settings.mount));
            answer = self.client.get(&url, &headers)?;
        }
        if answer.status != 200 {
            return Err(words(&answer));
        }
        certificates(&answer.body)
    }

    fn sign(
        &self,
        request: &Request,
        id: &SpiffeId,
        lifetime: Duration,
    ) -> Result<Vec<CertificateDer<'static>>, String> {
        let VaultSigner { mount, role, .. } = &self.settings;
        let body = json!({
            "csr": pem_block("CERTIFICATE REQUEST", &request.der).as_str(),
            "uri_sans": id.as_str(),
            "ttl": format!("{}s", lifetime.as_secs()),
            "format": "pem",
            "exclude_cn_from_sans": true,
        });
        let answer = self.ask(&format!("{mount}/sign/{role}"), Some(&body))?;
        let text = |pointer: &str| answer.pointer(pointer).and_then(Value::as_str);
        let leaf = text("/data/certificate").ok_or("the answer holds no certificate")?;
        let mut chain = certificates(leaf.as_bytes())?;
        let above = answer.pointer("/data/ca_chain").and_then(Value::as_array);
        let above: Vec<&str> = match above {
            Some(list) => list.iter().filter_map(Value::as_str).collect(),
            None => text("/data/issuing_ca").into_iter().collect(),
        };
        for each in above {
            chain.extend(certificates(each.as_bytes())?);
        }
        Ok(chain)
    }
}

fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    let list: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    list.map_err(|_| "the answer holds no PEM certificates".to_owned())
}

fn value(answer: &Answer) -> Result<Value, String> {
    if answer.status != 200 {
        return Err(words(answer));
    }
    serde_json::from_slice(&answer.body).map_err(|error| format!("the answer is no JSON: {error}"))
}

/// What Vault says of a failure.
fn words(answer: &Answer) -> String {
    let said: Option<Value> = serde_json::from_slice(&answer.body).ok();
    let errors = said
        .as_ref()
        .and_then(|said| said.get("errors")?.as_array());
    let errors = errors.into_iter().flatten().filter_map(Value::as_str);
    let text = errors.collect::<Vec<_>>().join("; ");
    let text: String = text.escape_default().take(MOST_WORDS).collect();
    let meaning = match answer.status {
        403 => "the token is refused, or its policy does not permit it",
        404 => "there is no such mount or role",
        429 | 473 => "it is a standby, or asked too often",
        503 => "it is sealed, or in maintenance",
        _ => "it does not sign",
    };
    match text.is_empty() {
        true => format!("Vault answers {}: {meaning}", answer.status),
        false => format!("Vault answers {}: {meaning}: {text}", answer.status),
    }
}
