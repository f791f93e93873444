//! Whether the server at the other end is the meshd that the token came from.
//!
//! Never accepts a chain because it is well made: it must hold the CA whose key the token pins, as a CA, and the server's
//! certificate must be signed by that key, valid now, and for meshd's name.

use std::sync::Arc;

use mesh_bundle::Digest;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms, verify_tls13_signature};
use rustls::{
    CertificateError, DigitallySignedStruct, Error, PeerMisbehaved, RootCertStore, SignatureScheme,
};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::meshd;

/// The judge of one enrolment.
#[derive(Debug)]
pub(super) struct Pinned {
    pin: Digest,
    provider: Arc<CryptoProvider>,
    algorithms: WebPkiSupportedAlgorithms,
}

/// The pin of a CA certificate; `None`: it is none.
pub(crate) fn pin_of(der: &CertificateDer<'_>) -> Option<Digest> {
    let (_, certificate) = X509Certificate::from_der(der).ok()?;
    let authority = certificate.is_ca();
    authority.then(|| Digest::of(certificate.public_key().raw))
}

impl Pinned {
    /// `pin` is SHA-256 over the CA's `SubjectPublicKeyInfo`.
    pub(super) fn new(pin: Digest) -> Self {
        let provider = meshd::provider();
        let algorithms = provider.signature_verification_algorithms;
        Self {
            pin,
            provider,
            algorithms,
        }
    }
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let anchor = intermediates
            .iter()
            .find(|der| pin_of(der) == Some(self.pin));
        let anchor = anchor.ok_or(Error::InvalidCertificate(CertificateError::UnknownIssuer))?;
        let mut roots = RootCertStore::empty();
        roots.add(anchor.clone().into_owned())?;
        let verifier = WebPkiServerVerifier::builder_with_provider(
            Arc::new(roots),
            Arc::clone(&self.provider),
        )
        .build()
        .map_err(|error| Error::General(error.to_string()))?;
        verifier.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        // Only TLS 1.3 is offered.
        Err(PeerMisbehaved::SelectedUnofferedCipherSuite.into())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signature, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
