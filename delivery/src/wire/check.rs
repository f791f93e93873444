//! The grammar and the bound of one field.
//!
//! Never repeats what the peer sent: a complaint names the field and what is wrong with it.

use std::net::IpAddr;
use std::str::FromStr;

use bytes::Bytes;
use mesh_bundle::{Digest, Kri};
use rustls_pki_types::CertificateDer;

use crate::bounds;

/// What a peer sent that is not of this protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("`{field}` {problem}")]
pub struct Malformed {
    /// As the protocol file calls it.
    pub field: &'static str,
    /// What is wrong with it.
    pub problem: Problem,
}

/// What can be wrong with a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// Nothing is there.
    #[error("is missing")]
    Missing,
    /// More bytes or items than its bound.
    #[error("has {found}, at most {limit} are taken")]
    TooLong {
        /// What came.
        found: usize,
        /// What is taken.
        limit: usize,
    },
    /// A control character in a text for people.
    #[error("holds a control character")]
    Control,
    /// Another grammar.
    #[error("is not {0}")]
    Not(&'static str),
}

pub(crate) fn malformed(field: &'static str, problem: Problem) -> Malformed {
    Malformed { field, problem }
}

pub(crate) fn bounded(field: &'static str, found: usize, limit: usize) -> Result<(), Malformed> {
    if found > limit {
        return Err(malformed(field, Problem::TooLong { found, limit }));
    }
    Ok(())
}

/// A text for people: short, and safe to print.
pub(crate) fn text(field: &'static str, text: String, limit: usize) -> Result<String, Malformed> {
    bounded(field, text.len(), limit)?;
    if text.chars().any(char::is_control) {
        return Err(malformed(field, Problem::Control));
    }
    Ok(text)
}

pub(crate) fn kri(field: &'static str, text: &str) -> Result<Kri, Malformed> {
    bounded(field, text.len(), bounds::KRI)?;
    if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(malformed(field, Problem::Not("a KRI")));
    }
    Kri::from_str(text).map_err(|_| malformed(field, Problem::Not("a KRI")))
}

/// Empty means none.
pub(crate) fn optional_kri(field: &'static str, text: &str) -> Result<Option<Kri>, Malformed> {
    (!text.is_empty()).then(|| kri(field, text)).transpose()
}

pub(crate) fn digest(field: &'static str, bytes: &[u8]) -> Result<Digest, Malformed> {
    let bytes: [u8; 32] = bytes
        .try_into()
        .map_err(|_| malformed(field, Problem::Not("a SHA-256 digest")))?;
    Ok(Digest::from_bytes(bytes))
}

pub(crate) fn port(field: &'static str, port: u32) -> Result<u16, Malformed> {
    match u16::try_from(port) {
        Ok(0) | Err(_) => Err(malformed(field, Problem::Not("a port"))),
        Ok(port) => Ok(port),
    }
}

/// An IP address, or letters, digits, `-`, `_` and `.` as in a DNS name.
pub(crate) fn address(field: &'static str, address: String) -> Result<String, Malformed> {
    bounded(field, address.len(), bounds::NAME)?;
    let name = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    let named = !address.is_empty() && address.bytes().all(name);
    if named || address.parse::<IpAddr>().is_ok() {
        return Ok(address);
    }
    Err(malformed(field, Problem::Not("an address")))
}

/// The bytes are parsed by whoever trusts them; here they are only bounded. Empty is nothing.
pub(crate) fn der(field: &'static str, bytes: &[u8], limit: usize) -> Result<Vec<u8>, Malformed> {
    if bytes.is_empty() {
        return Err(malformed(field, Problem::Missing));
    }
    bounded(field, bytes.len(), limit)?;
    Ok(bytes.to_vec())
}

pub(crate) fn certificates(
    field: &'static str,
    certificates: &[Bytes],
    limit: usize,
) -> Result<Vec<CertificateDer<'static>>, Malformed> {
    if certificates.is_empty() {
        return Err(malformed(field, Problem::Missing));
    }
    bounded(field, certificates.len(), limit)?;
    certificates
        .iter()
        .map(|bytes| der(field, bytes, bounds::CERTIFICATE).map(CertificateDer::from))
        .collect()
}

/// Makes any text one that [`text`] takes: what explains a trouble must not become a trouble itself.
pub(crate) fn words(text: &str, limit: usize) -> String {
    let mut words = String::with_capacity(text.len().min(limit));
    for c in text.chars() {
        let c = if c.is_control() { ' ' } else { c };
        if words.len() + c.len_utf8() > limit {
            break;
        }
        words.push(c);
    }
    words
}
