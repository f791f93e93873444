//! Another control authority: the one that proxies and meshd know each other by.
//!
//! Never a moment at which somebody knows neither: the one before vouches for the next, and its key is gone from then on.

use std::time::Duration;

use mesh_bundle::Digest;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::kept::{ControlAuthority, keep};
use super::store::open_control;
use super::{CONTROL, CaFailure, CertificateAuthority, SKEW, pem, pin_of, signing};
use crate::random;
use crate::state::StateDir;
use crate::token::LONGEST;

/// What it is called in certificates.
pub(super) const TITLE: &str = "meshd control";
/// The one before, and what it says of this one.
const FORMER: &str = "ca/control.former.pem";
/// Every control certificate that the one before has signed has ended by then, and every join token that names it.
const OVERLAP: Duration = LONGEST;

/// The control authority before this one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Former {
    /// Its certificate.
    pub(super) anchor: CertificateDer<'static>,
    /// That of its successor, signed by it.
    pub(super) cross: CertificateDer<'static>,
    /// SHA-256 of its key.
    pub pin: Digest,
    /// Until when it is trusted, in seconds since 1970.
    pub until: u64,
}

/// Makes another control authority in the place of the one that is there. A meshd that runs takes it at its next start; who
/// knows only the one before goes on to know meshd, and hears of this one with its next certificate.
///
/// # Errors
/// There is none, its key cannot be opened, or one before it is still trusted.
pub fn rotate(state: &StateDir, now: u64) -> Result<ControlAuthority, CaFailure> {
    let before = open_control(state, now)?;
    if let Some(former) = &before.former {
        let left = Duration::from_secs(former.until.saturating_sub(now));
        let left = mesh_bundle::Duration::from(left);
        return Err(signing(format!(
            "it has another one before it, which is trusted for {left} more: somebody may know that one alone"
        )));
    }
    // A name of its own: a path from a leaf to it has one way.
    let title = format!("{TITLE} {}", random::hex(4));
    let (next, text) = CertificateAuthority::generate(&title, None, now)?;
    let left = Duration::from_secs(before.not_after().saturating_sub(now));
    let vouched = before.vouch(next.issuer.key(), &title, left, now)?;
    let former: String = before
        .anchor()
        .into_iter()
        .chain(vouched.first())
        .map(pem)
        .collect();
    // This first: beside the authority before it says nothing.
    state.write(FORMER, former.as_bytes())?;
    keep(state, CONTROL, text.as_bytes())?;
    let anchor = next
        .anchor()
        .cloned()
        .ok_or_else(|| signing("it has no certificate"))?;
    Ok(anchor.into())
}

/// The control authority before this one, while it is trusted. Works beside a running meshd.
///
/// # Errors
/// The state directory cannot be read.
pub fn former(state: &StateDir, now: u64) -> Result<Option<Former>, CaFailure> {
    let Some(text) = state.read(FORMER)? else {
        return Ok(None);
    };
    let certificates: Vec<_> = CertificateDer::pem_slice_iter(&text).flatten().collect();
    let [anchor, cross] = certificates.as_slice() else {
        return Err(signing(format!(
            "`{FORMER}` is damaged; restore it, or remove it: then proxies that have not heard of the new control authority must be enrolled again"
        )));
    };
    let read = X509Certificate::from_der(cross);
    let begun = read.map(|(_, cross)| cross.validity().not_before.timestamp());
    let begun = begun.ok().and_then(|begun| u64::try_from(begun).ok());
    let until = begun.unwrap_or_default() + (SKEW + OVERLAP).as_secs();
    let former = Former {
        pin: pin_of(anchor).ok_or_else(|| signing(format!("`{FORMER}` is damaged")))?,
        anchor: anchor.clone(),
        cross: cross.clone(),
        until,
    };
    Ok(Some(former).filter(|former| former.until > now))
}

/// The same, where it vouches for this one: a kill between the two files leaves one that does not.
pub(super) fn former_of(
    state: &StateDir,
    authority: &CertificateAuthority,
    now: u64,
) -> Result<Option<Former>, CaFailure> {
    let former = former(state, now)?;
    Ok(former.filter(|former| pin_of(&former.cross) == Some(authority.pin())))
}

#[cfg(test)]
mod tests;
