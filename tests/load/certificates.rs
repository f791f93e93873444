//! One authority and two leaves, for peers that have no control plane.
//!
//! Never for our own proxies: those get theirs from meshd.

use std::path::{Path, PathBuf};

use anyhow::Result;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, SanType,
};

/// Who calls.
pub(crate) const CLIENT: &str = "spiffe://load.test/workload/web";
/// Who is called.
pub(crate) const SERVER: &str = "spiffe://load.test/workload/api";

/// The same for peers that know names only.
pub(crate) const NAME: &str = "api.load.test";

/// Where the certificates are: P-256, as meshd issues them.
#[derive(Debug)]
pub(crate) struct Certificates {
    directory: PathBuf,
}

impl Certificates {
    pub(crate) fn write(directory: &Path) -> Result<Self> {
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::default();
        params
            .distinguished_name
            .push(DnType::CommonName, "mesh-load");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        std::fs::write(directory.join("ca.pem"), params.self_signed(&key)?.pem())?;
        let issuer = Issuer::new(params, key);
        for (name, id) in [("client", CLIENT), ("server", SERVER)] {
            let key = KeyPair::generate()?;
            let mut params = CertificateParams::default();
            params.distinguished_name = DistinguishedName::new();
            params.subject_alt_names = vec![
                SanType::URI(id.try_into()?),
                // For those that look at names.
                SanType::DnsName(NAME.try_into()?),
            ];
            params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
            params.extended_key_usages = vec![
                ExtendedKeyUsagePurpose::ServerAuth,
                ExtendedKeyUsagePurpose::ClientAuth,
            ];
            let certificate = params.signed_by(&key, &issuer)?.pem();
            let both = format!("{certificate}{}", key.serialize_pem());
            std::fs::write(directory.join(format!("{name}.pem")), certificate)?;
            std::fs::write(directory.join(format!("{name}.key")), key.serialize_pem())?;
            // As HAProxy wants it.
            std::fs::write(directory.join(format!("{name}.both.pem")), both)?;
        }
        let directory = directory.to_owned();
        Ok(Self { directory })
    }

    /// `ca.pem`, and of `client` and `server` each `.pem`, `.key` and `.both.pem`.
    pub(crate) fn path(&self, name: &str) -> String {
        self.directory.join(name).to_string_lossy().into_owned()
    }
}
