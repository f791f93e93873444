//! Whether what a signer has answered is what it was asked for.
//!
//! Never takes a certificate that says more than was asked: another name, another key, the power to sign, a longer life.

use std::sync::Arc;
use std::time::Duration;

use mesh_bundle::{Digest, SpiffeId};
use rustls_pki_types::CertificateDer;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::ca::{Issued, Request, SKEW, renew_at};
use crate::tls;

/// A chain is sent in every handshake.
const LONGEST: usize = 8;

/// What was asked for.
pub(super) struct Wanted<'a> {
    pub(super) request: &'a Request,
    pub(super) id: &'a SpiffeId,
    pub(super) lifetime: Duration,
}

/// Are these certificates of authorities?
pub(super) fn chain(chain: &[CertificateDer<'_>]) -> Result<(), String> {
    if chain.is_empty() || chain.len() > LONGEST {
        return Err(format!(
            "it is trusted by {} certificates; 1 to {LONGEST} would do",
            chain.len()
        ));
    }
    for der in chain {
        let (_, certificate) = parsed(der)?;
        if !certificate.is_ca() {
            return Err("a certificate that it is trusted by is no authority".to_owned());
        }
    }
    Ok(())
}

/// A chain that peers will accept for what was wanted, without its anchor.
pub(super) fn leaf(
    mut chain: Vec<CertificateDer<'static>>,
    anchors: &Arc<[CertificateDer<'static>]>,
    wanted: &Wanted<'_>,
    now: u64,
) -> Result<Issued, String> {
    let anchor = anchors.last().ok_or("it is trusted by nothing")?;
    chain.retain(|der| der != anchor);
    if chain.len() > LONGEST {
        return Err("its chain is too long".to_owned());
    }
    let (first, between) = chain
        .split_first()
        .ok_or("it answered without a certificate")?;
    let not_after = {
        let (_, leaf) = parsed(first)?;
        if Digest::of(leaf.public_key().raw) != wanted.request.fingerprint {
            return Err("it signed another key".to_owned());
        }
        let names = leaf.subject_alternative_name().ok().flatten();
        let names = names.map_or(&[][..], |names| names.value.general_names.as_slice());
        if !matches!(names, [GeneralName::URI(id)] if *id == wanted.id.as_str()) {
            return Err(format!("it signed other names than `{}` alone", wanted.id));
        }
        if leaf.is_ca() {
            return Err("it signed an authority".to_owned());
        }
        u64::try_from(leaf.validity().not_after.timestamp()).unwrap_or_default()
    };
    let latest = now.saturating_add(wanted.lifetime.as_secs() + SKEW.as_secs());
    if not_after > latest {
        return Err("it signed for longer than it was asked".to_owned());
    }
    tls::accepted(anchor, first, between, now)
        .map_err(|error| format!("peers would not accept what it signed: {error}"))?;
    Ok(Issued {
        chain,
        not_after,
        renew_at: renew_at(now, not_after),
    })
}

fn parsed<'a>(der: &'a CertificateDer<'_>) -> Result<(&'a [u8], X509Certificate<'a>), String> {
    X509Certificate::from_der(der).map_err(|_| "a certificate cannot be read".to_owned())
}
