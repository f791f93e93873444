//! SHA-256 digests and the canonical encoding that they cover.
//!
//! Canonical: JSON without insignificant white space, object keys in byte order, no floating-point numbers. The same
//! value has the same bytes on every machine. See `docs/decisions/2026-11-24-bundle-is-canonical-json.md`.

use std::fmt;
use std::io;
use std::str::FromStr;

use serde::{Deserialize, Serialize, Serializer};
use sha2::{Digest as _, Sha256};

use crate::canonical;

const PREFIX: &str = "sha256:";

/// The SHA-256 of some bytes, written `sha256:<64 hex digits>`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(try_from = "String")]
pub struct Digest([u8; 32]);

impl Digest {
    /// The digest of `bytes`.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// The 32 raw bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// From the 32 raw bytes that the delivery protocol carries.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The first 12 hex digits: enough for a person to tell two apart.
    #[must_use]
    pub fn short(&self) -> String {
        let hex = self.with_text(|text| text.strip_prefix(PREFIX).map(str::to_owned));
        hex.unwrap_or_default().chars().take(12).collect()
    }

    /// Hands the text over, which needs no memory of its own: a bundle names tens of thousands.
    fn with_text<T>(self, take: impl FnOnce(&str) -> T) -> T {
        // Without a branch, so that many are written at once.
        let digit = |nibble: u8| b'0' + nibble + u8::from(nibble > 9) * (b'a' - b'9' - 1);
        let mut text = [0; PREFIX.len() + 64];
        let (prefix, digits) = text.split_at_mut(PREFIX.len());
        prefix.copy_from_slice(PREFIX.as_bytes());
        for (pair, byte) in digits.as_chunks_mut().0.iter_mut().zip(self.0) {
            *pair = [digit(byte >> 4), digit(byte & 15)];
        }
        // All of it is ASCII.
        take(std::str::from_utf8(&text).unwrap_or_default())
    }
}

/// The canonical bytes of a value.
///
/// # Errors
/// When the value cannot be JSON, such as a map whose keys are not text. The types of this crate always can.
pub fn canonical<T: Serialize>(value: &T) -> Result<Vec<u8>, serde_json::Error> {
    let mut bytes = Vec::new();
    canonical::write(value, &mut bytes)?;
    Ok(bytes)
}

/// How many canonical bytes a value has, without making them: the order of keys changes nothing about that.
///
/// # Errors
/// As [`canonical`].
pub fn size<T: Serialize>(value: &T) -> Result<u64, serde_json::Error> {
    let mut count = Count(0);
    serde_json::to_writer(&mut count, value)?;
    Ok(count.0)
}

/// Counts what is written.
struct Count(u64);

impl io::Write for Count {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A text that is not `sha256:` and 64 lower-case hex digits.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a digest: expected `sha256:` and 64 lower-case hex digits")]
pub struct MalformedDigest {
    /// What was given.
    pub text: String,
}

impl FromStr for Digest {
    type Err = MalformedDigest;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let malformed = || MalformedDigest {
            text: text.to_owned(),
        };
        let hex = text.strip_prefix(PREFIX).ok_or_else(malformed)?;
        let valid = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
        if hex.len() != 64 || !hex.bytes().all(valid) {
            return Err(malformed());
        }
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(hex.as_bytes().chunks(2)) {
            let pair = std::str::from_utf8(pair).map_err(|_| malformed())?;
            *byte = u8::from_str_radix(pair, 16).map_err(|_| malformed())?;
        }
        Ok(Self(bytes))
    }
}

impl TryFrom<String> for Digest {
    type Error = MalformedDigest;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.with_text(|text| serializer.serialize_str(text))
    }
}

impl From<Digest> for String {
    fn from(digest: Digest) -> Self {
        digest.to_string()
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.with_text(|text| f.write_str(text))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
