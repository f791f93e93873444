//! A private key: P-256, made in this process, or one of any kind that an agent gives.
//!
//! Never printed, never logged, and overwritten when it is dropped.

use std::fmt;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair};
use rcgen::{CertificateParams, DistinguishedName, PublicKeyData, SignatureAlgorithm, SigningKey};
use rustls_pki_types::CertificateDer;
use x509_parser::prelude::{FromDer, X509Certificate};
use zeroize::Zeroizing;

/// A private key and its public half.
#[derive(Clone)]
pub(crate) struct PrivateKey {
    pkcs8: Zeroizing<Vec<u8>>,
    public: Vec<u8>,
}

/// A key could not be made, read or used. Says nothing of the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NoKey {
    #[error("the system gives no randomness for a key")]
    Randomness,
    #[error("it is not a P-256 key in PKCS#8")]
    Malformed,
    #[error("the key cannot sign a certificate request")]
    Unusable,
}

impl PrivateKey {
    pub(crate) fn generate() -> Result<Self, NoKey> {
        let random = SystemRandom::new();
        let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &random)
            .map_err(|_| NoKey::Randomness)?;
        Self::from_pkcs8(Zeroizing::new(document.as_ref().to_vec()))
    }

    pub(crate) fn from_pkcs8(pkcs8: Zeroizing<Vec<u8>>) -> Result<Self, NoKey> {
        let pair = pair(&pkcs8)?;
        let public = pair.public_key().as_ref().to_vec();
        Ok(Self { pkcs8, public })
    }

    /// One that was made elsewhere, of any kind that TLS takes. It shows no certificate request, and fits no certificate by
    /// itself: TLS compares them.
    pub(crate) const fn given(pkcs8: Zeroizing<Vec<u8>>) -> Self {
        let public = Vec::new();
        Self { pkcs8, public }
    }

    /// For the state file and for TLS; nobody else may ask.
    pub(crate) fn pkcs8(&self) -> &[u8] {
        &self.pkcs8
    }

    /// Whether a certificate is for this key.
    pub(crate) fn fits(&self, certificate: &CertificateDer<'_>) -> bool {
        X509Certificate::from_der(certificate)
            .is_ok_and(|(_, leaf)| *leaf.public_key().subject_public_key.data == *self.public)
    }

    /// A certificate request, DER, with an empty subject and no names: what a certificate says is for the issuer to know.
    pub(crate) fn request(&self) -> Result<Vec<u8>, NoKey> {
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        let request = params
            .serialize_request(&Signer(self))
            .map_err(|_| NoKey::Unusable)?;
        Ok(request.der().to_vec())
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PrivateKey(redacted)")
    }
}

/// rcgen signs with the key, and is never given it.
struct Signer<'a>(&'a PrivateKey);

impl PublicKeyData for Signer<'_> {
    fn der_bytes(&self) -> &[u8] {
        &self.0.public
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        &rcgen::PKCS_ECDSA_P256_SHA256
    }
}

impl SigningKey for Signer<'_> {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
        let pair = pair(&self.0.pkcs8).map_err(|_| rcgen::Error::RemoteKeyError)?;
        let signature = pair
            .sign(&SystemRandom::new(), message)
            .map_err(|_| rcgen::Error::RemoteKeyError)?;
        Ok(signature.as_ref().to_vec())
    }
}

fn pair(pkcs8: &[u8]) -> Result<EcdsaKeyPair, NoKey> {
    EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, pkcs8).map_err(|_| NoKey::Malformed)
}
