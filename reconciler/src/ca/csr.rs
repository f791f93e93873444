//! Certificate requests: a public key, and the proof that the sender holds the private one.
//!
//! Never looks at the names and extensions in a request: what a certificate says is decided by meshd alone.

use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1, UnparsedPublicKey};
use mesh_bundle::Digest;
use rcgen::SubjectPublicKeyInfo;
use x509_parser::oid_registry::{
    OID_EC_P256, OID_KEY_TYPE_EC_PUBLIC_KEY, OID_SIG_ECDSA_WITH_SHA256,
};
use x509_parser::prelude::{FromDer, X509CertificationRequest};

use super::CaFailure;

/// A P-256 request without names has about 200 bytes; libraries put some names and extensions into it.
const LENGTH_LIMIT: usize = 16 * 1024;

/// A request whose sender holds the private key.
#[derive(Debug)]
pub(crate) struct Request {
    pub(super) key: SubjectPublicKeyInfo,
    /// Tells one key from another.
    pub(crate) fingerprint: Digest,
    /// As it came.
    pub(crate) der: Vec<u8>,
}

impl Request {
    /// Reads PKCS#10, DER.
    pub(crate) fn read(der: &[u8]) -> Result<Self, CaFailure> {
        let refuse = CaFailure::Request;
        if der.len() > LENGTH_LIMIT {
            return Err(refuse("it is too long"));
        }
        let Ok((rest, request)) = X509CertificationRequest::from_der(der) else {
            return Err(refuse("it is not a PKCS#10 request"));
        };
        if !rest.is_empty() {
            return Err(refuse("there is something behind it"));
        }
        let info = &request.certification_request_info;
        let algorithm = &info.subject_pki.algorithm;
        let curve = algorithm.parameters.as_ref().and_then(|p| p.as_oid().ok());
        if algorithm.algorithm != OID_KEY_TYPE_EC_PUBLIC_KEY || curve != Some(OID_EC_P256) {
            return Err(refuse("the key must be ECDSA P-256"));
        }
        if request.signature_algorithm.algorithm != OID_SIG_ECDSA_WITH_SHA256 {
            return Err(refuse("the signature must be ECDSA with SHA-256"));
        }
        let point = info.subject_pki.subject_public_key.as_ref();
        UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, point)
            .verify(info.raw, request.signature_value.as_ref())
            .map_err(|_| refuse("its signature is not by its key"))?;
        let key = SubjectPublicKeyInfo::from_der(info.subject_pki.raw)
            .map_err(|_| refuse("the key must be ECDSA P-256"))?;
        Ok(Self {
            key,
            fingerprint: Digest::of(info.subject_pki.raw),
            der: der.to_vec(),
        })
    }
}

/// A key and a request for it, as a proxy makes them: to try out an authority.
pub(crate) fn probe() -> Result<(Vec<u8>, Vec<u8>), CaFailure> {
    let key = rcgen::KeyPair::generate().map_err(super::signing)?;
    let request = rcgen::CertificateParams::default()
        .serialize_request(&key)
        .map_err(super::signing)?;
    Ok((key.serialize_der(), request.der().to_vec()))
}
