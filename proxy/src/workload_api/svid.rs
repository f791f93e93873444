//! What an agent gives: certificates with their keys, and what they are believed by.
//!
//! Never takes a part of an identity: key, chain, name and bundle fit each other, or it is left out and told.

use std::fmt;
use std::sync::Arc;

use mesh_bundle::SpiffeId;
use mesh_delivery::workload_api::{Answer, Svid};
use rustls_pki_types::CertificateDer;
use x509_parser::prelude::{FromDer as _, X509Certificate};
use zeroize::Zeroizing;

use crate::enroll::is_authority;
use crate::identity::{Credential, PrivateKey};

/// Of one bundle.
const MOST_AUTHORITIES: usize = 32;

/// All that an agent gives at a time.
#[derive(Debug)]
pub(super) struct Given(Vec<Arc<Credential>>);

impl Given {
    /// What of an answer can be used; `Err` where that is nothing.
    pub(super) fn read(answer: Answer, now: u64) -> Result<Self, String> {
        let mut taken = Vec::new();
        let mut why = "it gives no identity".to_owned();
        for svid in answer.svids {
            let name = shown(&svid.spiffe_id);
            match read(svid, now) {
                Ok(credential) => taken.push(Arc::new(credential)),
                Err(reason) => {
                    tracing::warn!(name, reason, "an identity of the SPIFFE agent is not taken");
                    why = format!("`{name}`: {reason}");
                }
            }
        }
        match taken.is_empty() {
            true => Err(why),
            false => Ok(Self(taken)),
        }
    }

    pub(super) fn named(&self, name: &SpiffeId) -> Option<Arc<Credential>> {
        let mut all = self.0.iter();
        all.find(|credential| credential.name() == name).cloned()
    }
}

impl fmt::Display for Given {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, credential) in self.0.iter().enumerate() {
            let before = if index == 0 { "" } else { ", " };
            write!(f, "{before}`{}`", credential.name())?;
        }
        Ok(())
    }
}

/// Somebody else's text, in a log.
fn shown(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(200).collect()
}

fn read(svid: Svid, now: u64) -> Result<Credential, String> {
    let name: SpiffeId = svid.spiffe_id.parse().map_err(|why| format!("{why}"))?;
    let key = PrivateKey::given(Zeroizing::new(svid.key));
    let chain = certificates(&svid.chain)?;
    // Whoever gives it sends the next one in time.
    let credential =
        Credential::accept(key, chain, u64::MAX, now).map_err(|why| why.to_string())?;
    let credential = credential.named(&name).map_err(|why| why.to_string())?;
    let anchors = certificates(&svid.bundle)?;
    if anchors.is_empty() || anchors.len() > MOST_AUTHORITIES {
        let found = anchors.len();
        return Err(format!(
            "its bundle holds {found} certificates, 1 to {MOST_AUTHORITIES} are due"
        ));
    }
    match anchors.iter().all(signs) {
        true => Ok(credential.vouched_by(anchors)),
        false => Err("its bundle holds what is no authority".to_owned()),
    }
}

/// Is it one of those that sign others (X.509-SVID 4.1)?
fn signs(der: &CertificateDer<'static>) -> bool {
    let is_ca = X509Certificate::from_der(der).is_ok_and(|(_, it)| it.is_ca());
    is_ca && is_authority(der)
}

/// Certificates that lie one after the other.
fn certificates(mut der: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    let mut found = Vec::new();
    while !der.is_empty() {
        let read = X509Certificate::from_der(der);
        let (rest, _) = read.map_err(|why| format!("a certificate cannot be read: {why}"))?;
        let (one, _) = der.split_at(der.len() - rest.len());
        found.push(CertificateDer::from(one.to_vec()));
        der = rest;
    }
    Ok(found)
}
