//! SPIFFE IDs: who a workload is, parsed once and compared structurally.
//!
//! Never a plain string comparison on what a peer sent: a value of these types has passed the grammar.
//! Source: SPIFFE-ID specification section 2, narrowed by language 2.7.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

const SCHEME: &str = "spiffe://";
/// SPIFFE-ID specification 2.3: implementations support at least, and we accept at most, this many bytes.
const MAX_LENGTH: usize = 2048;
/// SPIFFE-ID specification 2.1.
const MAX_TRUST_DOMAIN: usize = 255;

/// The part of a SPIFFE ID that names who vouches for it: `[a-z0-9._-]+`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TrustDomain(String);

/// `spiffe://<trust domain>/<path>`; the path may be absent.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SpiffeId {
    text: String,
    trust_domain: TrustDomain,
}

/// Why a text is not a SPIFFE ID or not a trust domain.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MalformedSpiffeId {
    /// It does not begin with `spiffe://`.
    #[error("scheme is missing or invalid: it must begin with `spiffe://`")]
    Scheme,
    /// Nothing between `spiffe://` and the path.
    #[error("trust domain is missing")]
    NoTrustDomain,
    /// A character outside of `[a-z0-9._-]`.
    #[error(
        "trust domain characters are limited to lower-case letters, numbers, dots, dashes and underscores"
    )]
    TrustDomainCharacter,
    /// A path segment is empty, or the path ends with `/`.
    #[error("path cannot contain empty segments or end with a slash")]
    EmptySegment,
    /// `.` or `..` as a path segment.
    #[error("path cannot contain dot segments")]
    DotSegment,
    /// A character outside of `[a-zA-Z0-9._-]` in the path.
    #[error(
        "path segment characters are limited to letters, numbers, dots, dashes and underscores"
    )]
    PathCharacter,
    /// More than 2048 bytes, or more than 255 in the trust domain.
    #[error("it is too long")]
    TooLong,
}

impl TrustDomain {
    /// The bare name, `default.east.mesh.local`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for TrustDomain {
    type Err = MalformedSpiffeId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let valid = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"._-".contains(&b);
        if text.is_empty() {
            Err(MalformedSpiffeId::NoTrustDomain)
        } else if text.len() > MAX_TRUST_DOMAIN {
            Err(MalformedSpiffeId::TooLong)
        } else if !text.bytes().all(valid) {
            Err(MalformedSpiffeId::TrustDomainCharacter)
        } else {
            Ok(Self(text.to_owned()))
        }
    }
}

impl SpiffeId {
    /// The whole ID as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Who vouches for it.
    #[must_use]
    pub fn trust_domain(&self) -> &TrustDomain {
        &self.trust_domain
    }

    /// What follows the trust domain: empty, or beginning with `/`.
    #[must_use]
    pub fn path(&self) -> &str {
        self.text
            .get(SCHEME.len() + self.trust_domain.0.len()..)
            .unwrap_or_default()
    }
}

impl FromStr for SpiffeId {
    type Err = MalformedSpiffeId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.len() > MAX_LENGTH {
            return Err(MalformedSpiffeId::TooLong);
        }
        let rest = text.strip_prefix(SCHEME).ok_or(MalformedSpiffeId::Scheme)?;
        let (domain, path) = match rest.split_once('/') {
            Some((domain, path)) => (domain, Some(path)),
            None => (rest, None),
        };
        let trust_domain = domain.parse()?;
        for segment in path.into_iter().flat_map(|path| path.split('/')) {
            let valid = |b: u8| b.is_ascii_alphanumeric() || b"._-".contains(&b);
            match segment {
                "" => return Err(MalformedSpiffeId::EmptySegment),
                "." | ".." => return Err(MalformedSpiffeId::DotSegment),
                _ if !segment.bytes().all(valid) => return Err(MalformedSpiffeId::PathCharacter),
                _ => {}
            }
        }
        Ok(Self {
            text: text.to_owned(),
            trust_domain,
        })
    }
}

impl TryFrom<String> for TrustDomain {
    type Error = MalformedSpiffeId;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<TrustDomain> for String {
    fn from(domain: TrustDomain) -> Self {
        domain.0
    }
}

impl TryFrom<String> for SpiffeId {
    type Error = MalformedSpiffeId;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<SpiffeId> for String {
    fn from(id: SpiffeId) -> Self {
        id.text
    }
}

impl fmt::Display for TrustDomain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for SpiffeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
