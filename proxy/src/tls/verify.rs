//! Whom to believe: a chain to the anchors of the trust domain that the leaf itself names (SPIFFE X.509-SVID).
//!
//! Never lets the anchors of one trust domain vouch for another, and never repairs: a certificate that is not exactly
//! what an SVID must be is refused, whoever signed it.

mod believed;

use std::collections::BTreeMap;
use std::sync::Arc;

use mesh_bundle::{Revoked, SpiffeId, TrustDomain};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, OtherError, SignatureScheme,
};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, ServerName, TrustAnchor, UnixTime};
use webpki::{EndEntityCert, KeyUsage, anchor_from_trusted_cert};
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::FromDer as _;
use x509_parser::public_key::PublicKey;

use believed::{Believed, Known};

/// A leaf and what is between it and an anchor; nobody needs more, and each one costs a signature.
const MOST_CERTIFICATES: usize = 6;
/// Smaller ones have been factored, or will be.
const FEWEST_RSA_BITS: usize = 2048;
const FEWEST_CURVE_BITS: usize = 256;

/// Which side the certificate is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Role {
    Client,
    Server,
}

/// Anchors by the trust domain whose identities they may vouch for.
#[derive(Debug, Default)]
pub(crate) struct Trust {
    source: mesh_bundle::resource::Trust,
    anchors: BTreeMap<TrustDomain, Vec<TrustAnchor<'static>>>,
    believed: Believed,
}

/// Why a peer is not believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NotTrusted {
    #[error("the certificate cannot be read")]
    Malformed,
    #[error("{0} certificates, at most {MOST_CERTIFICATES}")]
    TooLong(usize),
    #[error("{0} URI names, exactly one is due")]
    UriNames(usize),
    #[error("the URI name is not a SPIFFE ID: {0}")]
    NotSpiffe(mesh_bundle::spiffe::MalformedSpiffeId),
    #[error("the SPIFFE ID names a trust domain, and no workload in it")]
    NoPath,
    #[error("a CA certificate, or one that may sign others")]
    Authority,
    #[error("the key is too weak, or of a kind that is not known")]
    WeakKey,
    #[error("nobody is trusted for `{0}`")]
    TrustDomain(TrustDomain),
    #[error("{0}")]
    Chain(webpki::Error),
    #[error(
        "the certificate of `{0}` is revoked: its Dataplane was removed, or an operator said so"
    )]
    Revoked(SpiffeId),
    #[error("`{0}` is not a server of this service")]
    OtherServer(SpiffeId),
}

impl Trust {
    /// From the PEM blocks of the bundle.
    pub(crate) fn read(trust: &mesh_bundle::resource::Trust) -> Result<Self, (String, String)> {
        let mut anchors = BTreeMap::new();
        for (domain, blocks) in &trust.anchors {
            let mut read = Vec::new();
            for (index, block) in blocks.iter().enumerate() {
                let bad = |reason: String| (format!("/anchors/{domain}/{index}"), reason);
                let der = CertificateDer::from_pem_slice(block.as_bytes())
                    .map_err(|why| bad(why.to_string()))?;
                let anchor = anchor_from_trusted_cert(&der).map_err(|why| bad(why.to_string()))?;
                read.push(anchor.to_owned());
            }
            anchors.insert(domain.clone(), read);
        }
        let source = trust.clone();
        Ok(Self {
            source,
            anchors,
            believed: Believed::default(),
        })
    }

    /// Whoever one of them believes, the other believes too.
    pub(crate) fn is_same_as(&self, other: &Self) -> bool {
        self.source == other.source
    }

    /// Who the chain proves its holder to be. That it is the holder who sent it, each handshake proves anew.
    pub(crate) fn verify(
        &self,
        chain: &[CertificateDer<'_>],
        now: UnixTime,
        role: Role,
        provider: &CryptoProvider,
    ) -> Result<SpiffeId, NotTrusted> {
        let (leaf, intermediates) = chain.split_first().ok_or(NotTrusted::Malformed)?;
        if chain.len() > MOST_CERTIFICATES {
            return Err(NotTrusted::TooLong(chain.len()));
        }
        let known = Known::of(chain, role);
        if let Some(id) = self.believed.id(&known, now) {
            return Ok(id);
        }
        let id = svid(leaf, &self.source.revoked)?;
        let anchors = self
            .anchors
            .get(id.trust_domain())
            .ok_or_else(|| NotTrusted::TrustDomain(id.trust_domain().clone()))?;
        let usage = match role {
            Role::Client => KeyUsage::client_auth(),
            Role::Server => KeyUsage::server_auth(),
        };
        let algorithms = provider.signature_verification_algorithms.all;
        EndEntityCert::try_from(leaf)
            .map_err(NotTrusted::Chain)?
            .verify_for_usage(algorithms, anchors, intermediates, now, usage, None, None)
            .map_err(NotTrusted::Chain)?;
        self.believed.remember(known, &id, now, chain);
        Ok(id)
    }
}

/// The identity of a leaf, after everything about it that no signature tells was checked.
fn svid(leaf: &CertificateDer<'_>, revoked: &[Revoked]) -> Result<SpiffeId, NotTrusted> {
    let certificate = parse(leaf)?;
    if certificate.is_ca() {
        return Err(NotTrusted::Authority);
    }
    let usage = certificate.key_usage().map_err(|_| NotTrusted::Malformed)?;
    let may_sign_others = usage.is_some_and(|usage| {
        let usage = usage.value;
        usage.key_cert_sign() || usage.crl_sign() || !usage.digital_signature()
    });
    if may_sign_others {
        return Err(NotTrusted::Authority);
    }
    let strong = match certificate.public_key().parsed() {
        Ok(PublicKey::RSA(key)) => key.key_size() >= FEWEST_RSA_BITS,
        Ok(PublicKey::EC(point)) => point.key_size() >= FEWEST_CURVE_BITS,
        // What is left and can be verified at all is Ed25519.
        Ok(PublicKey::Unknown(key)) => key.len() * 8 >= FEWEST_CURVE_BITS,
        _ => false,
    };
    if !strong {
        return Err(NotTrusted::WeakKey);
    }
    let id = identity(&certificate)?;
    match Revoked::covers(revoked, certificate.raw_serial()) {
        true => Err(NotTrusted::Revoked(id)),
        false => Ok(id),
    }
}

/// The identity of a leaf that was verified before.
pub(super) fn spiffe_id(leaf: &CertificateDer<'_>) -> Result<SpiffeId, NotTrusted> {
    identity(&parse(leaf)?)
}

/// In seconds since 1970; 0 where it cannot be read.
pub(super) fn not_after(leaf: &CertificateDer<'_>) -> u64 {
    let end = parse(leaf).map(|leaf| leaf.validity().not_after.timestamp());
    end.ok()
        .and_then(|end| u64::try_from(end).ok())
        .unwrap_or_default()
}

fn parse<'a>(leaf: &'a CertificateDer<'_>) -> Result<X509Certificate<'a>, NotTrusted> {
    match X509Certificate::from_der(leaf.as_ref()) {
        Ok(([], certificate)) => Ok(certificate),
        _ => Err(NotTrusted::Malformed),
    }
}

fn identity(certificate: &X509Certificate<'_>) -> Result<SpiffeId, NotTrusted> {
    let names = certificate
        .subject_alternative_name()
        .map_err(|_| NotTrusted::Malformed)?;
    let names = names.map(|extension| extension.value.general_names.as_slice());
    let mut uris = Vec::new();
    for name in names.unwrap_or_default() {
        match name {
            GeneralName::URI(uri) => uris.push(*uri),
            GeneralName::Invalid(..) => return Err(NotTrusted::Malformed),
            _ => {}
        }
    }
    let id: SpiffeId = match uris.as_slice() {
        [uri] => uri.parse().map_err(NotTrusted::NotSpiffe)?,
        _ => return Err(NotTrusted::UriNames(uris.len())),
    };
    // A name of that kind is for those that sign: X509-SVID, section 3.
    if matches!(id.path(), "" | "/") {
        return Err(NotTrusted::NoPath);
    }
    Ok(id)
}

/// Asks [`Trust`] on behalf of rustls.
#[derive(Debug)]
pub(super) struct Verifier {
    trust: Arc<Trust>,
    provider: Arc<CryptoProvider>,
    /// On the client's side: whom the service may be.
    servers: Option<Vec<SpiffeId>>,
}

impl Verifier {
    pub(super) fn new(
        trust: Arc<Trust>,
        provider: &Arc<CryptoProvider>,
        servers: Option<Vec<SpiffeId>>,
    ) -> Self {
        Self {
            trust,
            provider: Arc::clone(provider),
            servers,
        }
    }

    fn verify(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
        role: Role,
    ) -> Result<(), Error> {
        let mut chain = Vec::with_capacity(1 + intermediates.len());
        chain.push(leaf.clone());
        chain.extend_from_slice(intermediates);
        let id = self
            .trust
            .verify(&chain, now, role, &self.provider)
            .map_err(alert)?;
        match &self.servers {
            Some(servers) if !servers.contains(&id) => Err(alert(NotTrusted::OtherServer(id))),
            _ => Ok(()),
        }
    }
}

/// The same reason, as rustls has it to choose its alert.
fn alert(why: NotTrusted) -> Error {
    let certificate = match &why {
        NotTrusted::Malformed => CertificateError::BadEncoding,
        NotTrusted::Revoked(_) => CertificateError::Revoked,
        NotTrusted::Chain(webpki::Error::CertExpired { .. }) => CertificateError::Expired,
        NotTrusted::Chain(webpki::Error::CertNotValidYet { .. }) => CertificateError::NotValidYet,
        NotTrusted::Chain(webpki::Error::UnknownIssuer) | NotTrusted::TrustDomain(_) => {
            CertificateError::UnknownIssuer
        }
        _ => CertificateError::Other(OtherError(Arc::new(why))),
    };
    Error::InvalidCertificate(certificate)
}

impl ClientCertVerifier for Verifier {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        self.verify(end_entity, intermediates, now, Role::Client)?;
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, cert, dss, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, cert, dss, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.verify(end_entity, intermediates, now, Role::Server)?;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        ClientCertVerifier::verify_tls12_signature(self, message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        ClientCertVerifier::verify_tls13_signature(self, message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        ClientCertVerifier::supported_verify_schemes(self)
    }
}
