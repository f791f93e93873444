//! Certificates of proxies and of meshd itself.
//!
//! Never issues a certificate with more than one name, with the power to sign, or with a life beyond that of its authority.

use std::time::Duration;

use mesh_bundle::{Instance, SpiffeId};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyUsagePurpose, PublicKeyData, SanType, SerialNumber,
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::{CaFailure, CertificateAuthority, Request, SKEW, fresh_key, renew_at, signing};
use crate::random;

/// The one name of a certificate.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Name<'a> {
    /// A proxy to meshd.
    Spiffe(&'a SpiffeId),
    /// A workload to its peers, whose proxy is an instance of it; issued at that time.
    Workload(&'a SpiffeId, Instance, u64),
    /// meshd to a proxy.
    Dns(&'a str),
}

/// A certificate with what its holder needs beside it.
#[derive(Debug, Clone)]
pub(crate) struct Issued {
    /// Leaf first; without the trust anchor.
    pub(crate) chain: Vec<CertificateDer<'static>>,
    /// Seconds since 1970.
    pub(crate) not_after: u64,
    /// Seconds since 1970.
    pub(crate) renew_at: u64,
}

impl CertificateAuthority {
    /// Signs a certificate for the key of a request.
    pub(crate) fn issue(
        &self,
        request: &Request,
        name: Name<'_>,
        lifetime: Duration,
        now: u64,
    ) -> Result<Issued, CaFailure> {
        self.sign(&request.key, name, lifetime, now)
    }

    /// A new key with a certificate for it: meshd's own. The chain holds the authority too.
    pub(crate) fn issue_own(
        &self,
        name: &str,
        lifetime: Duration,
        now: u64,
    ) -> Result<(Issued, PrivateKeyDer<'static>), CaFailure> {
        let (key, der) = fresh_key()?;
        let mut issued = self.sign(&key, Name::Dns(name), lifetime, now)?;
        // Who knows the authority before this one alone finds a way to it.
        issued
            .chain
            .extend(self.former.iter().map(|former| former.cross.clone()));
        issued.chain.extend(self.anchors());
        Ok((issued, der))
    }

    /// Signs an authority that may sign leaves and nothing else, and that says the same of its trust domain: its certificate,
    /// then those that vouch for it.
    pub(super) fn vouch(
        &self,
        key: &impl PublicKeyData,
        name: &str,
        lifetime: Duration,
        now: u64,
    ) -> Result<Vec<CertificateDer<'static>>, CaFailure> {
        if now >= self.not_after {
            return Err(signing("its own certificate has expired"));
        }
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, name);
        params.serial_number = Some(serial());
        let not_before = now.saturating_sub(SKEW.as_secs()).max(self.not_before);
        let not_after = now.saturating_add(lifetime.as_secs()).min(self.not_after);
        set_validity(&mut params, not_before, not_after);
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params.use_authority_key_identifier_extension = true;
        if let Some(domain) = self.certificates.first().and_then(domain_of) {
            let id = domain.as_str().try_into().map_err(signing)?;
            params.subject_alt_names = vec![SanType::URI(id)];
        }
        let signed = params.signed_by(key, &self.issuer);
        let mut chain = vec![signed.map_err(signing)?.der().clone()];
        chain.extend(self.certificates.iter().cloned());
        Ok(chain)
    }

    fn sign(
        &self,
        key: &impl PublicKeyData,
        name: Name<'_>,
        lifetime: Duration,
        now: u64,
    ) -> Result<Issued, CaFailure> {
        if now >= self.not_after {
            return Err(signing("its own certificate has expired"));
        }
        if now.saturating_add(SKEW.as_secs()) < self.not_before {
            return Err(signing("its own certificate is not valid yet"));
        }
        let not_after = now
            .saturating_add(lifetime.as_secs())
            .min(self.not_after)
            .max(now + 1);
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        params.serial_number = Some(match name {
            Name::Workload(_, instance, issued) => {
                SerialNumber::from_slice(&instance.serial(issued, random::bytes()))
            }
            Name::Spiffe(_) | Name::Dns(_) => serial(),
        });
        let not_before = now.saturating_sub(SKEW.as_secs()).max(self.not_before);
        set_validity(&mut params, not_before, not_after);
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![
            ExtendedKeyUsagePurpose::ServerAuth,
            ExtendedKeyUsagePurpose::ClientAuth,
        ];
        params.use_authority_key_identifier_extension = true;
        params.subject_alt_names = vec![match name {
            Name::Spiffe(id) | Name::Workload(id, ..) => {
                SanType::URI(id.as_str().try_into().map_err(signing)?)
            }
            Name::Dns(name) => SanType::DnsName(name.try_into().map_err(signing)?),
        }];
        let leaf = params.signed_by(key, &self.issuer).map_err(signing)?;
        let mut chain = vec![leaf.der().clone()];
        let between = self.certificates.len().saturating_sub(1);
        chain.extend(self.certificates.iter().take(between).cloned());
        Ok(Issued {
            chain,
            not_after,
            renew_at: renew_at(now, not_after),
        })
    }
}

/// The SPIFFE ID that an authority has, if any: that of its trust domain.
fn domain_of(certificate: &CertificateDer<'static>) -> Option<String> {
    let (_, certificate) = X509Certificate::from_der(certificate).ok()?;
    let names = certificate.subject_alternative_name().ok().flatten()?;
    names
        .value
        .general_names
        .iter()
        .find_map(|name| match name {
            GeneralName::URI(id) if id.starts_with("spiffe://") => Some((*id).to_owned()),
            _ => None,
        })
}

/// Random, positive, 16 bytes.
pub(super) fn serial() -> SerialNumber {
    let mut bytes: [u8; 16] = random::bytes();
    if let Some(first) = bytes.first_mut() {
        // Neither negative nor shorter than the others.
        *first = (*first & 0x7f) | 0x40;
    }
    SerialNumber::from_slice(&bytes)
}

/// Both in seconds since 1970; a certificate cannot say more than the year 9999.
pub(super) fn set_validity(params: &mut CertificateParams, not_before: u64, not_after: u64) {
    const END: u64 = 253_402_300_799;
    let time =
        |seconds: u64| rcgen::date_time_ymd(1970, 1, 1) + Duration::from_secs(seconds.min(END));
    params.not_before = time(not_before);
    params.not_after = time(not_after);
}
