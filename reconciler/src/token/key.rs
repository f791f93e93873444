//! The keys that sign join tokens: Ed25519, apart from the authority, so that whoever makes tokens elsewhere can sign
//! nothing else.
//!
//! Never shows a private key but in the file that an operator asks for.

use std::fmt;
use std::path::{Path, PathBuf};

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use mesh_bundle::Digest;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivatePkcs8KeyDer, SubjectPublicKeyInfoDer};
use x509_parser::oid_registry::OID_SIG_ED25519;
use x509_parser::prelude::FromDer;
use x509_parser::x509::SubjectPublicKeyInfo;
use zeroize::Zeroizing;

use crate::ca::{pem_block, pin_of};
use crate::random;
use crate::state::{StateDir, StateFailure};

/// In the state directory. Where it is lost, a new one is made: only tokens that nobody has shown yet are lost with it.
const FILE: &str = "token.key";
/// Bytes of a public key that name it.
const ID_BYTES: usize = 8;

/// Makes tokens.
pub struct Issuer {
    pair: Ed25519KeyPair,
}

/// Knows tokens that one key has signed.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Verifier {
    public: Vec<u8>,
}

/// Why a key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum BadKey {
    /// The state directory.
    #[error(transparent)]
    State(#[from] StateFailure),
    /// A file that is not there, or not readable.
    #[error("reading `{}`: {error}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The answer of the system.
        error: std::io::Error,
    },
    /// What is in it.
    #[error("`{}` does not hold {wanted}; `meshd token-key` writes such a file", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What should be in it.
        wanted: &'static str,
    },
    /// Of the library.
    #[error("no key can be made")]
    NotMade,
}

impl fmt::Debug for Issuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Issuer")
            .field("id", &self.id())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verifier")
            .field("id", &self.id())
            .finish_non_exhaustive()
    }
}

impl Issuer {
    /// From the file that [`export`] wrote: the key, and the pin of the meshd that its tokens are for.
    ///
    /// # Errors
    /// It is no such file.
    pub fn read(path: &Path) -> Result<(Self, Digest), BadKey> {
        let bytes = Zeroizing::new(read(path)?);
        let malformed = |wanted| BadKey::Malformed {
            path: path.to_owned(),
            wanted,
        };
        let issuer = Self::from_pem(&bytes).ok_or_else(|| malformed("an Ed25519 key"))?;
        let authority = CertificateDer::from_pem_slice(&bytes).ok();
        let pin = authority.and_then(|certificate| pin_of(&certificate));
        Ok((
            issuer,
            pin.ok_or_else(|| malformed("the certificate of meshd's authority"))?,
        ))
    }

    fn from_pem(pem: &[u8]) -> Option<Self> {
        let der = PrivatePkcs8KeyDer::from_pem_slice(pem).ok()?;
        let pair = Ed25519KeyPair::from_pkcs8(der.secret_pkcs8_der()).ok()?;
        Some(Self { pair })
    }

    /// Names the key.
    pub(crate) fn id(&self) -> String {
        id(self.pair.public_key().as_ref())
    }

    pub(super) fn sign(&self, message: &[u8]) -> Vec<u8> {
        self.pair.sign(message).as_ref().to_vec()
    }

    pub(crate) fn verifier(&self) -> Verifier {
        let public = self.pair.public_key().as_ref().to_vec();
        Verifier { public }
    }
}

impl Verifier {
    /// Those of a file of public keys.
    pub(crate) fn read(path: &Path) -> Result<Vec<Self>, BadKey> {
        let malformed = || BadKey::Malformed {
            path: path.to_owned(),
            wanted: "Ed25519 keys as PEM blocks `PUBLIC KEY`",
        };
        let bytes = read(path)?;
        let mut keys = Vec::new();
        for der in SubjectPublicKeyInfoDer::pem_slice_iter(&bytes) {
            let der = der.map_err(|_| malformed())?;
            let (_, key) = SubjectPublicKeyInfo::from_der(&der).map_err(|_| malformed())?;
            let public = key.subject_public_key.as_ref().to_vec();
            if key.algorithm.algorithm != OID_SIG_ED25519 {
                return Err(malformed());
            }
            keys.push(Self { public });
        }
        (!keys.is_empty()).then_some(keys).ok_or_else(malformed)
    }

    pub(super) fn id(&self) -> String {
        id(&self.public)
    }

    pub(super) fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&ED25519, &self.public)
            .verify(message, signature)
            .is_ok()
    }
}

/// The key of a meshd. Made where there is none, or none that can be used: only tokens that nobody has shown are lost.
///
/// # Errors
/// It cannot be read or kept.
pub fn open(state: &StateDir) -> Result<Issuer, BadKey> {
    if let Some(issuer) = held(state)? {
        return Ok(issuer);
    }
    let pkcs8 =
        Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).map_err(|_| BadKey::NotMade)?;
    state.write(FILE, pem_block("PRIVATE KEY", pkcs8.as_ref()).as_bytes())?;
    let pair = Ed25519KeyPair::from_pkcs8(pkcs8.as_ref()).map_err(|_| BadKey::NotMade)?;
    Ok(Issuer { pair })
}

/// The key of a meshd, if it has one that can be used.
pub(super) fn held(state: &StateDir) -> Result<Option<Issuer>, BadKey> {
    let Some(pem) = state.read(FILE)? else {
        return Ok(None);
    };
    let issuer = Issuer::from_pem(&pem);
    if issuer.is_none() {
        let file = state.path(FILE);
        tracing::warn!(file = %file.display(), "the key of join tokens is damaged: tokens that it signed are good no more");
    }
    Ok(issuer)
}

/// What to make tokens with elsewhere, or to know those that are made here: the private or the public half, and the
/// certificate of the authority whose pin goes into each token.
///
/// # Errors
/// There is none yet.
pub fn export(
    state: &StateDir,
    authority: &str,
    public: bool,
) -> Result<Zeroizing<String>, BadKey> {
    let issuer = held(state)?.ok_or(BadKey::NotMade)?;
    let half = if public {
        let der = issuer.pair.public_key().as_der();
        let der = der.map_err(|_| BadKey::NotMade)?;
        Zeroizing::new(pem_block("PUBLIC KEY", der.as_ref()).to_string())
    } else {
        let pem = state.read(FILE)?.ok_or(BadKey::NotMade)?;
        Zeroizing::new(String::from_utf8_lossy(&pem).into_owned())
    };
    Ok(Zeroizing::new(format!("{}{authority}", half.as_str())))
}

fn id(public: &[u8]) -> String {
    random::to_hex(Digest::of(public).as_bytes().iter().take(ID_BYTES))
}

fn read(path: &Path) -> Result<Vec<u8>, BadKey> {
    std::fs::read(path).map_err(|error| BadKey::Unreadable {
        path: path.to_owned(),
        error,
    })
}
