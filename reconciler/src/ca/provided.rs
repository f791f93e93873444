//! Certificate authorities that the operator gives: where their values are, and whether they do (language 2.8, 3.8).
//!
//! Never shows a value: what is wrong is told by the name of the source.

use std::path::{Component, Path};

use base64::prelude::{BASE64_STANDARD, Engine as _};
use mesh_bundle::{Issuer, Kri, ValueSource};
use mesh_compiler::Secrets;
use rcgen::KeyPair;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use x509_parser::prelude::{FromDer, X509Certificate};
use x509_parser::public_key::PublicKey;
use zeroize::Zeroizing;

use super::{CaFailure, CertificateAuthority, Key, Name, Request, probe};
use crate::state::StateDir;

/// Weaker RSA keys are refused.
const RSA_BITS: usize = 2048;
/// A certificate with its key, and an operator's mistakes.
const VALUE_LIMIT: u64 = 1 << 20;

/// Where values of the operator are looked up.
pub(crate) struct Values<'a> {
    pub(crate) state: &'a StateDir,
    /// Written into documents.
    pub(crate) secrets: &'a Secrets,
    /// Documents of one source alone may name files of the host and its environment: of several, none is to read what is there
    /// for another.
    pub(crate) alone: bool,
}

impl std::fmt::Debug for Values<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Values").finish_non_exhaustive()
    }
}

impl Values<'_> {
    /// The value of one source, or what is wrong with it.
    pub(crate) fn get(
        &self,
        document: &Kri,
        source: &ValueSource,
    ) -> Result<Zeroizing<Vec<u8>>, String> {
        let mesh = document.mesh();
        if let (ValueSource::EnvVar(name) | ValueSource::File(name), false) = (source, self.alone) {
            return Err(format!(
                "`{name}` is of the host: where meshd follows several sources, a document names values below `secrets/{mesh}/` of \
                 its state directory, by a `Secret`"
            ));
        }
        match source {
            ValueSource::Inline(pointer) => {
                let key = (document.clone(), pointer.clone());
                let value = self.secrets.inline.get(&key);
                value
                    .map(|text| Zeroizing::new(text.clone().into_bytes()))
                    .ok_or_else(|| format!("the document has no value at `{pointer}`"))
            }
            ValueSource::EnvVar(name) => std::env::var(name)
                .map(|text| Zeroizing::new(text.into_bytes()))
                .map_err(|_| format!("meshd's environment has no variable `{name}`")),
            ValueSource::File(path) => {
                let path = Path::new(path);
                let upwards = path.components().any(|part| part == Component::ParentDir);
                if !path.is_absolute() || upwards {
                    return Err(format!(
                        "`{}` must be absolute, without `..`",
                        path.display()
                    ));
                }
                read(path)
            }
            ValueSource::Secret(name) => {
                let plain = |part: &str| {
                    !part.is_empty()
                        && !part.starts_with('.')
                        && part
                            .bytes()
                            .all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
                };
                if !plain(name) || !plain(mesh) {
                    return Err(format!("`{name}` is not the name of a secret"));
                }
                let document = (mesh.to_owned(), name.clone());
                if let Some(packed) = self.secrets.documents.get(&document) {
                    return unpack(packed).map_err(|why| format!("secret `{name}`: {why}"));
                }
                let place = self.state.path("secrets").join(mesh).join(name);
                read(&place).map_err(|why| format!("secret `{name}`: {why}"))
            }
        }
    }

    /// The authority of an issuer whose certificate and key the operator gives.
    pub(super) fn load(
        &self,
        identity: &Kri,
        issuer: &Issuer,
        certificate: &ValueSource,
        private_key: &ValueSource,
        now: u64,
    ) -> Result<CertificateAuthority, CaFailure> {
        let unusable = |why: String| CaFailure::Unusable {
            identity: format!("{identity} ({})", issuer.origin),
            why,
        };
        let certificate = self
            .get(identity, certificate)
            .map_err(|why| unusable(format!("certificate: {why}")))?;
        let private_key = self
            .get(identity, private_key)
            .map_err(|why| unusable(format!("private key: {why}")))?;
        judge(&certificate, &private_key, now).map_err(unusable)
    }
}

/// What a `Secret` document holds.
fn unpack(packed: &str) -> Result<Zeroizing<Vec<u8>>, String> {
    let packed: String = packed.split_ascii_whitespace().collect();
    let bytes = BASE64_STANDARD.decode(packed);
    let bytes = bytes.map_err(|_| "its document is not in base64".to_owned())?;
    Ok(Zeroizing::new(bytes))
}

fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, String> {
    let shown = path.display();
    let metadata = std::fs::metadata(path).map_err(|error| format!("`{shown}`: {error}"))?;
    if !metadata.is_file() || metadata.len() > VALUE_LIMIT {
        return Err(format!(
            "`{shown}` is not a file, or larger than {VALUE_LIMIT} bytes"
        ));
    }
    let bytes = std::fs::read(path).map_err(|error| format!("`{shown}`: {error}"))?;
    Ok(Zeroizing::new(bytes))
}

/// A usable authority, or what is wrong with it.
pub(super) fn judge(
    certificate: &[u8],
    private_key: &[u8],
    now: u64,
) -> Result<CertificateAuthority, String> {
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(certificate).collect();
    let chain = chain.map_err(|_| "the certificate is not PEM".to_owned())?;
    if chain.is_empty() {
        return Err("the certificate has no PEM block `CERTIFICATE`".to_owned());
    }
    let mut parsed = Vec::new();
    for (number, der) in (1..).zip(&chain) {
        let certificate = X509Certificate::from_der(der);
        let (_, certificate) =
            certificate.map_err(|_| format!("certificate {number} cannot be read"))?;
        judge_certificate(&certificate, now)
            .map_err(|why| format!("certificate {number}: {why}"))?;
        parsed.push(certificate);
    }
    for (number, (below, above)) in (1..).zip(parsed.iter().zip(parsed.iter().skip(1))) {
        let signed = below.issuer().as_raw() == above.subject().as_raw()
            && below.verify_signature(Some(above.public_key())).is_ok();
        if !signed {
            return Err(format!(
                "certificate {number} is not signed by the one behind it"
            ));
        }
    }
    let key = PrivateKeyDer::from_pem_slice(private_key)
        .map_err(|_| "the private key is not PEM".to_owned())?;
    let key = KeyPair::try_from(&key).map_err(|_| {
        "the private key must be ECDSA (P-256, P-384), Ed25519 or RSA, as PKCS#8".to_owned()
    })?;
    let subject = parsed
        .first()
        .map(|first| first.subject().as_raw().to_vec());
    let authority = CertificateAuthority::new(Key(key), chain.clone())
        .map_err(|_| "certificate and private key do not belong together".to_owned())?;
    prove(&authority, subject.as_deref(), now)?;
    Ok(authority)
}

fn judge_certificate(certificate: &X509Certificate<'_>, now: u64) -> Result<(), String> {
    let is_authority = certificate
        .basic_constraints()
        .ok()
        .flatten()
        .is_some_and(|constraints| constraints.value.ca);
    if !is_authority {
        return Err("it is not a certificate authority (CA:TRUE is missing)".to_owned());
    }
    let usage = certificate.key_usage().ok().flatten();
    let usage = usage.ok_or_else(|| "it says nothing about key usage".to_owned())?;
    if !usage.value.key_cert_sign() {
        return Err("its key usage lacks keyCertSign".to_owned());
    }
    if usage.value.key_agreement() {
        return Err("its key usage must not contain keyAgreement".to_owned());
    }
    let until = certificate.validity().not_after.timestamp();
    if u64::try_from(until).unwrap_or_default() <= now {
        return Err("it has expired".to_owned());
    }
    match certificate.public_key().parsed() {
        Ok(PublicKey::RSA(rsa)) if rsa.key_size() < RSA_BITS => {
            Err(format!("its RSA key has less than {RSA_BITS} bits"))
        }
        Ok(_) => Ok(()),
        Err(_) => Err("its public key cannot be read".to_owned()),
    }
}

/// Signs a certificate that nobody gets: better to find out now than when the first proxy asks.
fn prove(authority: &CertificateAuthority, subject: Option<&[u8]>, now: u64) -> Result<(), String> {
    let (_, request) = probe().map_err(|failure| failure.to_string())?;
    let issued = Request::read(&request).and_then(|request| {
        let lifetime = std::time::Duration::from_secs(1);
        authority.issue(&request, Name::Dns("probe.invalid"), lifetime, now)
    });
    let issued = issued.map_err(|failure| failure.to_string())?;
    let leaf = issued
        .chain
        .first()
        .map(|der| X509Certificate::from_der(der));
    let Some(Ok((_, leaf))) = leaf else {
        return Err("what it signs cannot be read".to_owned());
    };
    (Some(leaf.issuer().as_raw()) == subject)
        .then_some(())
        .ok_or_else(|| "its subject has a form that cannot be repeated exactly".to_owned())
}
