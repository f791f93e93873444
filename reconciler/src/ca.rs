//! Certificate authorities: what signs the certificates of proxies and of meshd itself.
//!
//! Never lets a private key out of the process and its state directory, never takes a name from a certificate request,
//! and never makes a new key where one was lost.

mod anchors;
mod control;
mod csr;
mod kept;
mod leaf;
mod offline;
mod provided;
mod seal;
mod store;

use std::fmt;
use std::time::Duration;

use aws_lc_rs::hmac;
use mesh_bundle::{Digest, TrustDomain};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, PublicKeyData, SanType, SigningKey,
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, pem::PemObject};
use x509_parser::prelude::{FromDer, X509Certificate};
use zeroize::{Zeroize, Zeroizing};

use crate::random;

pub use anchors::{AnchorStep, Step};
pub use control::{Former, former, rotate};
pub(crate) use csr::{Request, probe};
pub use kept::{ControlAuthority, KeptAuthority, control, list, steps};
pub(crate) use leaf::{Issued, Name};
pub use offline::{install, request, root, sign};
pub(crate) use provided::Values;
pub use seal::Seal;
pub use store::CONTROL;
pub(crate) use store::{Authorities, Authority, open_control};

/// Clocks of other hosts may be this far behind.
pub(crate) const SKEW: Duration = Duration::from_mins(5);
/// Of a certificate authority that meshd makes.
const AUTHORITY_LIFETIME: Duration = Duration::from_hours(10 * 365 * 24);
/// The upper bound of a common name (RFC 5280, appendix A).
const COMMON_NAME_LIMIT: usize = 64;

/// Why a certificate authority cannot be used, or did not sign.
#[derive(Debug, thiserror::Error)]
pub enum CaFailure {
    /// Made by meshd before, and gone now. A person must decide.
    #[error(
        "the certificate authority `{name}` is lost: meshd made it before, and `{file}` is {what}. Restore the file from a \
         backup. To begin anew instead (every certificate that it signed becomes worthless), remove `{file}` and the line \
         `{name}` from `{list}`"
    )]
    Lost {
        /// `control`, or the KRI of the `MeshIdentity`.
        name: String,
        /// Where it was.
        file: String,
        /// `missing`, `damaged: …`.
        what: String,
        /// Where meshd wrote down that it made it.
        list: String,
    },
    /// The key is there, and cannot be opened.
    #[error("the key of the certificate authority `{name}` is sealed: {why}")]
    Sealed {
        /// `control`, or the KRI of the `MeshIdentity`.
        name: String,
        /// What is wrong.
        why: String,
    },
    /// The operator's certificates or key do not do.
    #[error("the certificate authority of {identity} cannot be used: {why}")]
    Unusable {
        /// The `MeshIdentity`.
        identity: String,
        /// What is wrong.
        why: String,
    },
    /// The state directory could not be read or written.
    #[error(transparent)]
    State(#[from] crate::state::StateFailure),
    /// The request for a certificate is refused.
    #[error("the certificate request is refused: {0}")]
    Request(&'static str),
    /// It cannot sign at this moment.
    #[error("the certificate authority cannot sign: {0}")]
    Signing(String),
}

/// A private key. Wiped when it is dropped.
struct Key(KeyPair);

impl Drop for Key {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl PublicKeyData for Key {
    fn der_bytes(&self) -> &[u8] {
        self.0.der_bytes()
    }

    fn algorithm(&self) -> &'static rcgen::SignatureAlgorithm {
        self.0.algorithm()
    }
}

impl SigningKey for Key {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
        self.0.sign(message)
    }
}

/// A key and the certificates that make it an authority.
pub(crate) struct CertificateAuthority {
    issuer: Issuer<'static, Key>,
    /// Its own certificate, then those that vouch for it; the last one is the trust anchor.
    certificates: Vec<CertificateDer<'static>>,
    not_before: u64,
    not_after: u64,
    /// The one before it, while that vouches for it.
    former: Option<Former>,
}

impl fmt::Debug for CertificateAuthority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CertificateAuthority")
            .field("not_after", &self.not_after)
            .finish_non_exhaustive()
    }
}

impl CertificateAuthority {
    /// Makes an authority that is its own trust anchor, and the PEM text to keep it by.
    fn generate(
        name: &str,
        trust_domain: Option<&TrustDomain>,
        now: u64,
    ) -> Result<(Self, Zeroizing<String>), CaFailure> {
        Self::self_signed(name, trust_domain, (AUTHORITY_LIFETIME, 0), now)
    }

    /// The same for so long, and for so many authorities between it and a leaf.
    fn self_signed(
        name: &str,
        trust_domain: Option<&TrustDomain>,
        (lifetime, below): (Duration, u8),
        now: u64,
    ) -> Result<(Self, Zeroizing<String>), CaFailure> {
        let key = Key(KeyPair::generate().map_err(signing)?);
        let mut params = CertificateParams::default();
        let mut subject = DistinguishedName::new();
        let name: String = name.chars().take(COMMON_NAME_LIMIT).collect();
        subject.push(DnType::CommonName, name);
        params.distinguished_name = subject;
        params.serial_number = Some(leaf::serial());
        let not_after = now.saturating_add(lifetime.as_secs());
        leaf::set_validity(&mut params, now.saturating_sub(SKEW.as_secs()), not_after);
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(below));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        if let Some(domain) = trust_domain {
            let id = format!("spiffe://{domain}").try_into().map_err(signing)?;
            params.subject_alt_names = vec![SanType::URI(id)];
        }
        let certificate = params.self_signed(&key).map_err(signing)?;
        let mut pem = Zeroizing::new(key.0.serialize_pem());
        pem.push_str(&certificate.pem());
        Ok((Self::new(key, vec![certificate.der().clone()])?, pem))
    }

    /// From the PEM text that [`Self::generate`] gave: the key, then the certificates. A key that is sealed was opened before.
    fn from_pem(pem: &[u8], opened: Option<&[u8]>) -> Result<Self, CaFailure> {
        let key = match opened {
            Some(der) => PrivatePkcs8KeyDer::from(der.to_vec()).into(),
            None => PrivateKeyDer::from_pem_slice(pem).map_err(signing)?,
        };
        let key = Key(KeyPair::try_from(&key).map_err(signing)?);
        let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
        Self::new(key, certificates.map_err(signing)?)
    }

    fn new(key: Key, certificates: Vec<CertificateDer<'static>>) -> Result<Self, CaFailure> {
        let first = certificates
            .first()
            .ok_or_else(|| signing("there is no certificate"))?;
        let (_, parsed) = X509Certificate::from_der(first).map_err(signing)?;
        if parsed.public_key().raw != key.subject_public_key_info() {
            return Err(signing("the key is not that of the certificate"));
        }
        // What it signs is good for as long as all that vouches for it.
        let (mut not_before, mut not_after) = (0, u64::MAX);
        for certificate in &certificates {
            let (_, parsed) = X509Certificate::from_der(certificate).map_err(signing)?;
            let validity = parsed.validity();
            let seconds = |time: i64| u64::try_from(time).unwrap_or_default();
            not_before = seconds(validity.not_before.timestamp()).max(not_before);
            not_after = seconds(validity.not_after.timestamp()).min(not_after);
        }
        let issuer = Issuer::from_ca_cert_der(first, key).map_err(signing)?;
        Ok(Self {
            issuer,
            not_before,
            not_after,
            certificates,
            former: None,
        })
    }

    /// What others trust it by.
    pub(crate) fn anchor(&self) -> Option<&CertificateDer<'static>> {
        self.certificates.last()
    }

    /// What others trust it by, and what they trusted the one before it by.
    pub(crate) fn anchors(&self) -> Vec<CertificateDer<'static>> {
        let former = self.former.iter().map(|former| &former.anchor);
        self.anchor().into_iter().chain(former).cloned().collect()
    }

    /// Is another one still trusted in its place?
    pub(crate) fn has_former(&self) -> bool {
        self.former.is_some()
    }

    /// Its own certificate, then those that vouch for it.
    pub(crate) fn certificates(&self) -> &[CertificateDer<'static>] {
        &self.certificates
    }

    /// Seconds since 1970.
    pub(crate) fn not_after(&self) -> u64 {
        self.not_after
    }

    /// SHA-256 of its `SubjectPublicKeyInfo`: what a join token pins.
    pub(crate) fn pin(&self) -> Digest {
        Digest::of(&self.issuer.key().subject_public_key_info())
    }

    /// A secret that whoever has its key can make, and that says nothing of the key or of secrets for other purposes.
    pub(crate) fn secret_for(&self, purpose: &str) -> Zeroizing<Vec<u8>> {
        let der = Zeroizing::new(self.issuer.key().0.serialize_der());
        let key = hmac::Key::new(hmac::HMAC_SHA256, &der);
        Zeroizing::new(hmac::sign(&key, purpose.as_bytes()).as_ref().to_vec())
    }
}

/// A PEM `CERTIFICATE` block, as a `Trust` resource holds it.
pub(crate) fn pem(certificate: &CertificateDer<'_>) -> String {
    pem_block("CERTIFICATE", certificate).to_string()
}

/// A PEM block. Wiped after use: it may be a key.
pub(crate) fn pem_block(label: &str, der: &[u8]) -> Zeroizing<String> {
    use base64::Engine;
    let text = Zeroizing::new(base64::engine::general_purpose::STANDARD.encode(der));
    // Of its final size from the start: no copy of it is left behind.
    let mut pem = Zeroizing::new(String::with_capacity(text.len() * 66 / 64 + 128));
    pem.push_str(&format!("-----BEGIN {label}-----\n"));
    for (at, character) in (1..).zip(text.chars()) {
        pem.push(character);
        if at % 64 == 0 {
            pem.push('\n');
        }
    }
    if !pem.ends_with('\n') {
        pem.push('\n');
    }
    pem.push_str(&format!("-----END {label}-----\n"));
    pem
}

/// SHA-256 of the `SubjectPublicKeyInfo` of a certificate; `None`: it is none.
pub(crate) fn pin_of(certificate: &CertificateDer<'_>) -> Option<Digest> {
    let (_, certificate) = X509Certificate::from_der(certificate).ok()?;
    Some(Digest::of(certificate.public_key().raw))
}

/// A key for meshd's own certificate, with its PKCS#8 bytes.
fn fresh_key() -> Result<(Key, PrivateKeyDer<'static>), CaFailure> {
    let key = Key(KeyPair::generate().map_err(signing)?);
    let der = PrivatePkcs8KeyDer::from(key.0.serialize_der()).into();
    Ok((key, der))
}

fn signing(why: impl fmt::Display) -> CaFailure {
    CaFailure::Signing(why.to_string())
}

/// When a holder should ask again: two thirds into the time that is left, give or take a tenth, so that proxies that were
/// started together do not ask together.
pub(crate) fn renew_at(now: u64, not_after: u64) -> u64 {
    let left = Duration::from_secs(not_after.saturating_sub(now));
    now + random::around(left * 2 / 3, 10).as_secs()
}

#[cfg(test)]
mod tests;
