//! Certificates of every kind, good and forged, for those who knock at the mesh from outside.
//!
//! Never the mesh's own keys: what it signs is trusted only where a test gives its authority to a `MeshIdentity`.

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SanType,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

/// A certificate authority that a test holds.
#[derive(Debug)]
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    /// The certificate, PEM.
    pub certificate: String,
    /// The key, PEM.
    pub key: String,
}

/// A certificate chain and its key.
#[derive(Debug)]
pub struct Identity {
    /// Leaf first.
    pub chain: Vec<CertificateDer<'static>>,
    /// Of the leaf.
    pub key: PrivateKeyDer<'static>,
}

/// What a leaf claims to be.
#[derive(Debug, Clone, Copy, Default)]
pub struct Names<'a> {
    /// URI names; a good one has one.
    pub uris: &'a [&'a str],
    /// DNS names; a good one has none.
    pub dns: &'a [&'a str],
    /// May sign others; a good leaf may not.
    pub ca: bool,
    /// Ended long ago.
    pub expired: bool,
}

impl Authority {
    /// A new one for a trust domain.
    ///
    /// # Panics
    /// When the trust domain cannot stand in a certificate.
    #[must_use]
    pub fn new(trust_domain: &str) -> Self {
        let key = KeyPair::generate().expect("a key");
        let mut parameters = CertificateParams::default();
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        parameters
            .distinguished_name
            .push(DnType::CommonName, trust_domain);
        parameters.subject_alt_names = vec![uri(&format!("spiffe://{trust_domain}"))];
        let certificate = parameters.self_signed(&key).expect("a certificate").pem();
        let pem = key.serialize_pem();
        Self {
            issuer: Issuer::new(parameters, key),
            certificate,
            key: pem,
        }
    }

    /// A leaf with these names, signed.
    ///
    /// # Panics
    /// When a name cannot stand in a certificate.
    #[must_use]
    pub fn issue(&self, names: &Names<'_>) -> Identity {
        let key = KeyPair::generate().expect("a key");
        let leaf = leaf(names).signed_by(&key, &self.issuer).expect("a leaf");
        identity(leaf.der().clone(), &key)
    }
}

impl Identity {
    /// A leaf with these names that nobody signed but itself.
    ///
    /// # Panics
    /// When a name cannot stand in a certificate.
    #[must_use]
    pub fn forged(names: &Names<'_>) -> Self {
        let key = KeyPair::generate().expect("a key");
        let leaf = leaf(names).self_signed(&key).expect("a leaf");
        identity(leaf.der().clone(), &key)
    }
}

fn identity(leaf: CertificateDer<'static>, key: &KeyPair) -> Identity {
    Identity {
        chain: vec![leaf],
        key: PrivatePkcs8KeyDer::from(key.serialize_der()).into(),
    }
}

fn leaf(names: &Names<'_>) -> CertificateParams {
    let mut parameters = CertificateParams::default();
    let uris = names.uris.iter().map(|name| uri(name));
    let dns = names.dns.iter().map(|name| {
        let name = (*name).try_into().expect("a DNS name");
        SanType::DnsName(name)
    });
    parameters.subject_alt_names = uris.chain(dns).collect();
    parameters.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    parameters.extended_key_usages = vec![
        ExtendedKeyUsagePurpose::ClientAuth,
        ExtendedKeyUsagePurpose::ServerAuth,
    ];
    if names.ca {
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        parameters.key_usages.push(KeyUsagePurpose::KeyCertSign);
    }
    if names.expired {
        parameters.not_before = rcgen::date_time_ymd(2020, 1, 1);
        parameters.not_after = rcgen::date_time_ymd(2020, 1, 2);
    }
    parameters
}

fn uri(name: &str) -> SanType {
    SanType::URI(name.try_into().expect("an ASCII name"))
}
