//! TLS towards what is outside of the mesh: the server proves a name, not a SPIFFE ID (language 3.4).
//!
//! Never shows the identity of this proxy, and never verifies less than the document says.

use std::sync::{Arc, LazyLock};

use mesh_bundle::resource::external::{
    Authorities, ClientCertificate, ExpectedName, TlsOrigination, TlsVersion, Verification,
};
use mesh_bundle::{Digest, ValueSource};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::crypto::{verify_tls12_signature, verify_tls13_signature};
use rustls::server::ParsedCertificate;
use rustls::version::{TLS12, TLS13};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
    SupportedProtocolVersion,
};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::FromDer as _;

use super::{ClientSide, PROVIDER, Peer};

/// Whom this machine trusts, read when it is needed first.
static SYSTEM: LazyLock<Arc<RootCertStore>> = LazyLock::new(|| {
    let found = rustls_native_certs::load_native_certs();
    for why in &found.errors {
        tracing::warn!(%why, "some authorities of this machine cannot be read");
    }
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(found.certs);
    Arc::new(roots)
});

/// What is used to reach one cluster outside, by what is spoken to it.
#[derive(Debug, Clone)]
pub(crate) struct OutsideTls {
    pub(crate) h2: ClientSide,
    pub(crate) h1: ClientSide,
    pub(crate) tcp: ClientSide,
    /// Equal for equal settings: connections that were opened under others are not used.
    pub(crate) settings: Arc<str>,
}

/// Why there is no way to reach it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unusable {
    /// A Secret that this proxy has not been given.
    #[error("a secret of its TLS is missing")]
    Secret,
    /// Something that is not what it must be.
    #[error("{0}")]
    Malformed(String),
}

impl OutsideTls {
    /// To a server of this name that an authority vouches for which this machine trusts.
    pub(crate) fn of_name(name: &str) -> Result<Self, Unusable> {
        Self::of_server(name, Authorities::System, None, |_| None)
    }

    /// To a server of this name that one of these authorities vouches for.
    pub(crate) fn of_server<'v>(
        name: &str,
        authorities: Authorities,
        client: Option<ClientCertificate>,
        value: impl Fn(&ValueSource) -> Option<&'v [u8]>,
    ) -> Result<Self, Unusable> {
        let tls = TlsOrigination {
            min_version: TlsVersion::Tls12,
            max_version: TlsVersion::Tls13,
            verification: Verification::Secured,
            server_name: Some(name.to_owned()),
            names: Vec::new(),
            authorities,
            client,
        };
        Self::new(&tls, value)
    }

    /// From the bundle, and the values that it refers to.
    pub(crate) fn new<'v>(
        tls: &TlsOrigination,
        value: impl Fn(&ValueSource) -> Option<&'v [u8]>,
    ) -> Result<Self, Unusable> {
        let malformed = |why: &dyn std::fmt::Display| Unusable::Malformed(why.to_string());
        let server_name = tls.server_name.clone().map(ServerName::try_from);
        let server_name = server_name.transpose().map_err(|why| malformed(&why))?;
        let verifier = Arc::new(Verifier {
            roots: roots(tls, &value)?,
            verification: tls.verification,
            names: tls.names.clone(),
        });
        let between = |version| tls.min_version <= version && version <= tls.max_version;
        let mut versions: Vec<&'static SupportedProtocolVersion> = Vec::new();
        versions.extend(between(TlsVersion::Tls13).then_some(&TLS13));
        versions.extend(between(TlsVersion::Tls12).then_some(&TLS12));
        let config = ClientConfig::builder_with_provider(Arc::clone(&PROVIDER))
            .with_protocol_versions(&versions)
            .map_err(|why| malformed(&why))?
            .dangerous()
            .with_custom_certificate_verifier(verifier);
        let config = match &tls.client {
            None => config.with_no_client_auth(),
            Some(client) => {
                let (chain, key) = client_certificate(client, &value)?;
                let config = config.with_client_auth_cert(chain, key);
                config.map_err(|why| malformed(&why))?
            }
        };
        let speaking = |alpn: &[&[u8]]| {
            let mut config = config.clone();
            config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
            ClientSide {
                config: Arc::new(config),
                local: "".into(),
                serial: 0,
                peer: Peer::Outside(server_name.clone()),
            }
        };
        let mut settings = serde_json::to_string(tls).map_err(|why| malformed(&why))?;
        for source in tls.secrets() {
            let value = value(&source).unwrap_or_default();
            settings.push_str(&Digest::of(value).to_string());
        }
        Ok(Self {
            h2: speaking(&[b"h2"]),
            h1: speaking(&[b"http/1.1"]),
            tcp: speaking(&[]),
            settings: settings.into(),
        })
    }
}

fn roots<'v>(
    tls: &TlsOrigination,
    value: impl Fn(&ValueSource) -> Option<&'v [u8]>,
) -> Result<Arc<RootCertStore>, Unusable> {
    match &tls.authorities {
        _ if !tls.verifies_chain() => Ok(Arc::new(RootCertStore::empty())),
        Authorities::System => Ok(Arc::clone(&SYSTEM)),
        Authorities::Secret(name) => {
            let pem = value(&ValueSource::Secret(name.clone()));
            authorities(pem.ok_or(Unusable::Secret)?)
        }
        Authorities::Pem(pem) => authorities(pem.as_bytes()),
    }
}

fn authorities(pem: &[u8]) -> Result<Arc<RootCertStore>, Unusable> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        let bad = |why: &dyn std::fmt::Display| {
            Unusable::Malformed(format!("a CA certificate cannot be used: {why}"))
        };
        let certificate = certificate.map_err(|why| bad(&why))?;
        roots.add(certificate).map_err(|why| bad(&why))?;
    }
    Ok(Arc::new(roots))
}

/// The chain, leaf first, and its key. What is wrong is told without a byte of either.
fn client_certificate<'v>(
    client: &ClientCertificate,
    value: impl Fn(&ValueSource) -> Option<&'v [u8]>,
) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), Unusable> {
    let value = |source| value(source).ok_or(Unusable::Secret);
    let malformed = |what: &str| Unusable::Malformed(format!("{what} of the client is not PEM"));
    let chain = CertificateDer::pem_slice_iter(value(&client.certificate)?);
    let chain: Result<Vec<_>, _> = chain.collect();
    let chain = chain.map_err(|_| malformed("the certificate"))?;
    let key = PrivateKeyDer::from_pem_slice(value(&client.private_key)?);
    Ok((chain, key.map_err(|_| malformed("the private key"))?))
}

#[derive(Debug)]
struct Verifier {
    roots: Arc<RootCertStore>,
    verification: Verification,
    names: Vec<ExpectedName>,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        use Verification::{Secured, SkipChain, SkipNames};
        let certificate = ParsedCertificate::try_from(leaf)?;
        if matches!(self.verification, Secured | SkipNames) {
            let algorithms = PROVIDER.signature_verification_algorithms.all;
            verify_server_cert_signed_by_trust_anchor(
                &certificate,
                &self.roots,
                intermediates,
                now,
                algorithms,
            )?;
        }
        if matches!(self.verification, Secured | SkipChain) {
            match self.names.is_empty() {
                true => verify_server_name(&certificate, server_name)?,
                false => one_of(&self.names, leaf)?,
            }
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &PROVIDER.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &PROVIDER.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        PROVIDER
            .signature_verification_algorithms
            .supported_schemes()
    }
}

/// Is one of these names in the certificate?
fn one_of(names: &[ExpectedName], leaf: &CertificateDer<'_>) -> Result<(), Error> {
    let bad = || Error::InvalidCertificate(CertificateError::BadEncoding);
    let (_, certificate) = X509Certificate::from_der(leaf.as_ref()).map_err(|_| bad())?;
    let found = certificate
        .subject_alternative_name()
        .map_err(|_| bad())?
        .map_or([].as_slice(), |found| found.value.general_names.as_slice());
    let text = |name: &GeneralName<'_>| match name {
        GeneralName::DNSName(name) => Some(name.to_ascii_lowercase()),
        GeneralName::URI(uri) => Some((*uri).to_owned()),
        GeneralName::IPAddress(bytes) => address(bytes),
        _ => None,
    };
    let holds = |name: &String| {
        names.iter().any(|expected| match expected {
            ExpectedName::Exact(text) => text.eq_ignore_ascii_case(name),
            ExpectedName::Prefix(text) => name.starts_with(text),
        })
    };
    match found.iter().filter_map(text).any(|name| holds(&name)) {
        true => Ok(()),
        false => Err(Error::InvalidCertificate(CertificateError::NotValidForName)),
    }
}

fn address(bytes: &[u8]) -> Option<String> {
    let four = <[u8; 4]>::try_from(bytes).map(std::net::IpAddr::from);
    let sixteen = <[u8; 16]>::try_from(bytes).map(std::net::IpAddr::from);
    four.or(sixteen).ok().map(|address| address.to_string())
}
