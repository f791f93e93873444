//! Certificate authorities and leaves, good ones and bad ones.

use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyPair, KeyUsagePurpose, PublicKeyData, SanType,
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

use crate::world::Svid;

pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pub(crate) pem: String,
}

pub(crate) struct Leaf {
    pub(crate) chain: Vec<CertificateDer<'static>>,
    pub(crate) key: PrivateKeyDer<'static>,
}

pub(crate) fn uri(text: &str) -> SanType {
    SanType::URI(text.try_into().unwrap())
}

impl Authority {
    pub(crate) fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let pem = params.self_signed(&key).unwrap().pem();
        let issuer = Issuer::new(params, key);
        Self { issuer, pem }
    }

    /// A leaf as meshd issues it, and then spoilt.
    pub(crate) fn leaf(&self, id: &str, spoil: impl FnOnce(&mut CertificateParams)) -> Leaf {
        self.leaf_with(&KeyPair::generate().unwrap(), id, spoil)
    }

    pub(crate) fn leaf_with(
        &self,
        key: &KeyPair,
        id: &str,
        spoil: impl FnOnce(&mut CertificateParams),
    ) -> Leaf {
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        params.subject_alt_names = vec![uri(id)];
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![
            ExtendedKeyUsagePurpose::ServerAuth,
            ExtendedKeyUsagePurpose::ClientAuth,
        ];
        spoil(&mut params);
        let certificate = params.signed_by(key, &self.issuer).unwrap();
        Leaf {
            chain: vec![certificate.der().clone()],
            key: PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der())),
        }
    }

    /// For a key that its holder need not show.
    pub(crate) fn certificate(
        &self,
        key: &impl PublicKeyData,
        id: &str,
    ) -> CertificateDer<'static> {
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        params.subject_alt_names = vec![uri(id)];
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        let certificate = params.signed_by(key, &self.issuer).unwrap();
        certificate.der().clone()
    }

    pub(crate) fn svid(&self, id: &str) -> Arc<Svid> {
        let leaf = self.leaf(id, |_| {});
        Arc::new(Svid {
            chain: leaf.chain,
            key: leaf.key,
            spiffe_id: id.parse().unwrap(),
            not_after: u64::MAX,
            anchors: Vec::new(),
        })
    }
}
