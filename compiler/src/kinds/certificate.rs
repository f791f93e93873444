//! What a document may hold of certificates: PEM text of CAs (language 3.8 and 3.9).
//!
//! Never verifies a signature, and never repeats what it read in a message.

use mesh_bundle::Digest;
use x509_parser::pem::Pem;
use x509_parser::prelude::{FromDer, X509Certificate};

/// The CA that signs the certificates of workloads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Issuer {
    /// Nobody else vouches for it.
    pub(crate) self_signed: bool,
}

/// From when to when a certificate is valid, in seconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Period {
    pub(crate) from: i64,
    pub(crate) until: i64,
}

/// Why a text is not what is needed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BadCertificate {
    /// There is no PEM block in it.
    #[error("there is no certificate in PEM format here")]
    NoBlock,
    /// A block that is cut off, or not base64.
    #[error("block {0} is damaged")]
    Damaged(usize),
    /// A block that is not a certificate.
    #[error("block {0} is not a certificate")]
    NotACertificate(usize),
    /// A private key has no business in a trust bundle.
    #[error("block {0} is a private key: replace it, it is known now")]
    PrivateKey(usize),
    /// A certificate that cannot sign others.
    #[error("the certificate in block {0} is not that of a CA")]
    NotAnAuthority(usize),
    /// A CA that may not sign certificates.
    #[error("the CA in block {0} may not sign certificates: its key usage must hold `keyCertSign`")]
    CannotSign(usize),
    /// A key that agrees on secrets must not sign.
    #[error("the CA in block {0} must not have the key usage `keyAgreement`")]
    AgreesOnKeys(usize),
}

/// Checks a text that holds certificates of CAs and nothing else; their number.
pub(crate) fn authorities(text: &str) -> Result<usize, BadCertificate> {
    each(text, |_, _| Ok(()))
}

/// Checks the chain of a CA that is to sign the certificates of workloads, its own certificate first.
pub(crate) fn issuer(text: &str) -> Result<Issuer, BadCertificate> {
    let mut found = None;
    each(text, |number, certificate| {
        let usage = certificate.key_usage().ok().flatten();
        if usage
            .as_ref()
            .is_some_and(|usage| !usage.value.key_cert_sign())
        {
            return Err(BadCertificate::CannotSign(number));
        }
        if usage.is_some_and(|usage| usage.value.key_agreement()) {
            return Err(BadCertificate::AgreesOnKeys(number));
        }
        found.get_or_insert(Issuer {
            self_signed: certificate.subject() == certificate.issuer(),
        });
        Ok(())
    })?;
    found.ok_or(BadCertificate::NoBlock)
}

/// How long the certificates of a text are valid, in the order of its blocks. What is damaged has been reported.
pub(crate) fn periods(text: &str) -> Vec<Period> {
    let read = |block: Pem| {
        let (_, certificate) = X509Certificate::from_der(&block.contents).ok()?;
        let validity = certificate.validity();
        Some(Period {
            from: validity.not_before.timestamp(),
            until: validity.not_after.timestamp(),
        })
    };
    blocks(text).flatten().map_while(read).collect()
}

/// SHA-256 of the key (`SubjectPublicKeyInfo`) of each certificate of a text. What is damaged has been reported.
pub(crate) fn keys(text: &str) -> Vec<Digest> {
    let read = |block: Pem| {
        let (_, certificate) = X509Certificate::from_der(&block.contents).ok()?;
        Some(Digest::of(certificate.public_key().raw))
    };
    blocks(text).flatten().filter_map(read).collect()
}

/// Is there a PEM block of a private key in this text?
pub(crate) fn holds_private_key(text: &str) -> bool {
    blocks(text).flatten().any(|block| is_private_key(&block))
}

fn each(
    text: &str,
    mut judge: impl FnMut(usize, &X509Certificate<'_>) -> Result<(), BadCertificate>,
) -> Result<usize, BadCertificate> {
    let mut count = 0;
    for (number, block) in (1..).zip(blocks(text)) {
        let block = block.map_err(|()| BadCertificate::Damaged(number))?;
        if is_private_key(&block) {
            return Err(BadCertificate::PrivateKey(number));
        }
        let not_one = BadCertificate::NotACertificate(number);
        if block.label != "CERTIFICATE" {
            return Err(not_one);
        }
        let Ok(([], certificate)) = X509Certificate::from_der(&block.contents) else {
            return Err(not_one);
        };
        if !certificate.is_ca() {
            return Err(BadCertificate::NotAnAuthority(number));
        }
        judge(number, &certificate)?;
        count = number;
    }
    if count == 0 {
        return Err(BadCertificate::NoBlock);
    }
    Ok(count)
}

fn is_private_key(block: &Pem) -> bool {
    block.label.ends_with("PRIVATE KEY")
}

/// The PEM blocks of a text, up to the first damaged one.
fn blocks(text: &str) -> impl Iterator<Item = Result<Pem, ()>> {
    Pem::iter_from_buffer(text.as_bytes()).map(|block| block.map_err(|_| ()))
}
