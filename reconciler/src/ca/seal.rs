//! Keys of authorities at rest: sealed with a secret that lies elsewhere, so that a copy of the state directory alone signs
//! nothing.
//!
//! Never takes a sealed key for a missing one, and never writes one in the clear where a secret is given.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::sync::{Mutex, PoisonError};

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use aws_lc_rs::pbkdf2;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use zeroize::Zeroizing;

use super::pem_block;
use crate::random;

const LABEL: &str = "MESHD SEALED KEY";
const SALT: usize = 16;
/// What OWASP asks of PBKDF2 with SHA-256 (2023): a passphrase of a person is worth something too.
const ITERATIONS: u32 = 600_000;
/// Keys that are remembered: deriving one takes a third of a second, and every commit reads them.
const MOST_DERIVED: usize = 64;
/// A key has about 140 bytes.
const MOST_BYTES: usize = 16 * 1024;

/// The secret.
pub struct Seal {
    secret: Zeroizing<String>,
    /// By their salts.
    derived: Mutex<BTreeMap<[u8; SALT], Zeroizing<[u8; 32]>>>,
}

impl std::fmt::Debug for Seal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Seal")
    }
}

impl Seal {
    /// A passphrase, or random text.
    #[must_use]
    pub fn new(secret: Zeroizing<String>) -> Self {
        Self {
            secret,
            derived: Mutex::default(),
        }
    }

    /// A PEM block that only [`Self::open`] with the same secret and name reads.
    pub(super) fn seal(&self, name: &str, key: &[u8]) -> Result<String, String> {
        let salt: [u8; SALT] = random::bytes();
        let mut text = Zeroizing::new(key.to_vec());
        let cipher = self.cipher(&salt)?;
        let nonce = cipher.seal_in_place_append_tag(Aad::from(name), &mut *text);
        let nonce = nonce.map_err(|_| "it cannot be sealed".to_owned())?;
        let mut whole = salt.to_vec();
        whole.extend(nonce.as_ref());
        whole.extend(text.iter());
        Ok(pem_block(LABEL, &whole).to_string())
    }

    /// The key in a sealed block.
    pub(super) fn open(&self, name: &str, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, String> {
        let wrong = || "the secret in `seal-file` does not open it".to_owned();
        let (salt, rest) = sealed.split_first_chunk::<SALT>().ok_or_else(wrong)?;
        let (nonce, text) = rest.split_at_checked(NONCE_LEN).ok_or_else(wrong)?;
        let mut text = Zeroizing::new(text.to_vec());
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| wrong())?;
        let opened = self
            .cipher(salt)?
            .open_in_place(nonce, Aad::from(name), &mut text);
        let length = opened.map_err(|_| wrong())?.len();
        text.truncate(length);
        Ok(text)
    }

    fn cipher(&self, salt: &[u8; SALT]) -> Result<RandomizedNonceKey, String> {
        let mut derived = self.derived.lock().unwrap_or_else(PoisonError::into_inner);
        if derived.len() >= MOST_DERIVED {
            derived.clear();
        }
        let key = derived.entry(*salt).or_insert_with(|| {
            let mut key = Zeroizing::new([0; 32]);
            let secret = self.secret.as_bytes();
            let iterations = NonZeroU32::new(ITERATIONS).unwrap_or(NonZeroU32::MIN);
            pbkdf2::derive(
                pbkdf2::PBKDF2_HMAC_SHA256,
                iterations,
                salt,
                secret,
                &mut *key,
            );
            key
        });
        RandomizedNonceKey::new(&AES_256_GCM, &**key).map_err(|_| "it cannot be sealed".to_owned())
    }
}

/// What a text holds in a sealed block, if it has one.
pub(super) fn find(pem: &[u8]) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(pem).ok()?;
    let (_, rest) = text.split_once(&format!("-----BEGIN {LABEL}-----"))?;
    let (body, _) = rest.split_once(&format!("-----END {LABEL}-----"))?;
    let body: String = body.split_ascii_whitespace().collect();
    (body.len() <= MOST_BYTES).then(|| BASE64_STANDARD.decode(body).ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seal(text: &str) -> Seal {
        Seal::new(Zeroizing::new(text.to_owned()))
    }

    #[test]
    fn only_the_same_secret_and_name_open_it() {
        let sealed = seal("a long word").seal("control", b"the key").unwrap();
        assert!(!sealed.contains("key") || sealed.contains("SEALED KEY"));
        let block = find(sealed.as_bytes()).unwrap();
        let open = |secret: &str, name: &str, block: &[u8]| seal(secret).open(name, block);
        assert_eq!(*open("a long word", "control", &block).unwrap(), b"the key");
        open("another word", "control", &block).unwrap_err();
        open("a long word", "kri_mid_shop___identity_", &block).unwrap_err();
        for at in [0, SALT, SALT + NONCE_LEN, block.len() - 1] {
            let mut bent = block.clone();
            bent[at] ^= 1;
            open("a long word", "control", &bent).unwrap_err();
        }
        for short in [0, SALT, SALT + NONCE_LEN] {
            open("a long word", "control", &block[..short]).unwrap_err();
        }
        assert_ne!(
            sealed,
            seal("a long word").seal("control", b"the key").unwrap()
        );
        assert_eq!(find(b"-----BEGIN PRIVATE KEY-----"), None);
    }
}
