//! Authorities that meshd has made, in its state directory: a key, which may be sealed, and a certificate, which never is.
//!
//! Never makes one again that was made once: what is missing was lost, and the operator is asked.

use std::collections::BTreeSet;
use std::path::Path;

use mesh_bundle::Digest;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use serde::{Deserialize, Serialize};

use super::anchors::{AnchorStep, Anchors};
use super::store::{CONTROL, ends, open_control};
use super::{CaFailure, CertificateAuthority, pem, pin_of, seal};
use crate::state::StateDir;

pub(super) const LIST: &str = "authorities.json";
/// Longer file names are not possible everywhere.
const NAME_LIMIT: usize = 200;

/// The names of the authorities that meshd has made: a file that is missing although its name is here was lost.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Made {
    made: BTreeSet<String>,
}

/// What others may know of the control authority.
#[derive(Debug, Clone)]
pub struct ControlAuthority {
    /// SHA-256 of its key: what join tokens carry.
    pub pin: Digest,
    /// Its certificate as PEM.
    pub certificate: String,
}

/// The control authority, with the directory. Works beside a running meshd, and before the first one ran.
///
/// # Errors
/// The authority was lost, or cannot be read or kept.
pub fn control(root: &Path, now: u64) -> Result<(StateDir, ControlAuthority), CaFailure> {
    let beside = StateDir::beside(root)?;
    if let Some(pem) = beside.read(&file(CONTROL))? {
        let anchor = public(&beside, CONTROL, &pem)?;
        return Ok((beside, anchor.into()));
    }
    let state = StateDir::open(root)?;
    let control = open_control(&state, now)?;
    let anchor = control.anchor().cloned();
    let anchor = anchor.ok_or_else(|| lost(&state, CONTROL, "empty".to_owned()))?;
    Ok((state, anchor.into()))
}

impl From<CertificateDer<'static>> for ControlAuthority {
    fn from(anchor: CertificateDer<'static>) -> Self {
        Self {
            // A certificate that has been read before.
            pin: pin_of(&anchor).unwrap_or_else(|| Digest::of(b"")),
            certificate: pem(&anchor),
        }
    }
}

/// The certificate of an authority that is kept; its key may be sealed.
fn public(state: &StateDir, name: &str, pem: &[u8]) -> Result<CertificateDer<'static>, CaFailure> {
    let certificate = CertificateDer::from_pem_slice(pem);
    let certificate = certificate.ok().filter(|der| pin_of(der).is_some());
    certificate.ok_or_else(|| lost(state, name, "damaged: it holds no certificate".to_owned()))
}

/// Where each certificate stands that vouches for a trust domain. Works beside a running meshd.
///
/// # Errors
/// The state directory cannot be read.
pub fn steps(state: &StateDir, now: u64) -> Result<Vec<AnchorStep>, CaFailure> {
    Ok(Anchors::read(state)?.steps(now))
}

/// An authority whose key is in the state directory.
#[derive(Debug, Clone)]
pub struct KeptAuthority {
    /// `control`, or the KRI of a `MeshIdentity`.
    pub name: String,
    /// SHA-256 of its key.
    pub pin: Digest,
    /// Seconds since 1970.
    pub not_after: u64,
}

/// Every authority that meshd has made here. Works beside a running meshd.
///
/// # Errors
/// One is lost, or cannot be read.
pub fn list(state: &StateDir) -> Result<Vec<KeptAuthority>, CaFailure> {
    let mut list = Vec::new();
    for name in made(state)?.made {
        let pem = state.read(&file(&name))?;
        let pem = pem.ok_or_else(|| lost(state, &name, "missing".to_owned()))?;
        let anchor = public(state, &name, &pem)?;
        let pin = pin_of(&anchor).ok_or_else(|| lost(state, &name, "damaged".to_owned()))?;
        list.push(KeptAuthority {
            pin,
            not_after: ends(&anchor).unwrap_or_default(),
            name,
        });
    }
    Ok(list)
}

pub(super) fn kept(
    state: &StateDir,
    name: &str,
    now: u64,
    generate: impl FnOnce(u64) -> Result<(CertificateAuthority, zeroize::Zeroizing<String>), CaFailure>,
) -> Result<CertificateAuthority, CaFailure> {
    let mut list = made(state)?;
    let path = file(name);
    let known = list.made.contains(name);
    let authority = match state.read(&path)? {
        Some(pem) => restored(state, name, &pem)?,
        None if known => return Err(lost(state, name, "missing".to_owned())),
        None => {
            let (authority, pem) = generate(now)?;
            // The key before its name: a kill between the two is a key that is found next time.
            keep(state, name, &pem)?;
            tracing::info!(authority = name, "certificate authority made");
            authority
        }
    };
    if !known {
        list.made.insert(name.to_owned());
        let text = serde_json::to_vec_pretty(&list).map_err(super::signing)?;
        state.write(LIST, &text)?;
    }
    Ok(authority)
}

/// What was kept, opened; what lies in the clear is sealed from now on, where a secret is given.
fn restored(state: &StateDir, name: &str, pem: &[u8]) -> Result<CertificateAuthority, CaFailure> {
    let sealed = |why: String| CaFailure::Sealed {
        name: name.to_owned(),
        why,
    };
    let opened = match (seal::find(pem), state.seal()) {
        (Some(block), Some(seal)) => Some(seal.open(name, &block).map_err(sealed)?),
        (Some(_), None) => {
            let why =
                "the settings name no secret that opens it (`[ca]` with `seal-file` in meshd.toml)";
            return Err(sealed(why.to_owned()));
        }
        (None, _) => None,
    };
    let opened = opened.as_ref().map(|key| key.as_slice());
    let authority = CertificateAuthority::from_pem(pem, opened);
    let authority =
        authority.map_err(|failure| lost(state, name, format!("damaged: {failure}")))?;
    if opened.is_none() && state.seal().is_some() {
        keep(state, name, pem)?;
        tracing::info!(authority = name, "the key is sealed from now on");
    }
    Ok(authority)
}

/// Writes the key and the certificates, the key sealed where a secret is given.
fn keep(state: &StateDir, name: &str, pem: impl AsRef<[u8]>) -> Result<(), CaFailure> {
    let (path, pem) = (file(name), pem.as_ref());
    let Some(seal) = state.seal() else {
        return Ok(state.write(&path, pem)?);
    };
    let key = PrivatePkcs8KeyDer::from_pem_slice(pem).map_err(super::signing)?;
    let sealed = |why: String| CaFailure::Sealed {
        name: name.to_owned(),
        why,
    };
    let mut text = seal.seal(name, key.secret_pkcs8_der()).map_err(sealed)?;
    for certificate in CertificateDer::pem_slice_iter(pem) {
        text.push_str(&super::pem(&certificate.map_err(super::signing)?));
    }
    Ok(state.write(&path, text.as_bytes())?)
}

fn made(state: &StateDir) -> Result<Made, CaFailure> {
    let Some(text) = state.read(LIST)? else {
        return Ok(Made::default());
    };
    serde_json::from_slice(&text).map_err(|error| {
        lost(
            state,
            LIST,
            format!("there, but its list is damaged ({error})"),
        )
    })
}

pub(super) fn lost(state: &StateDir, name: &str, what: String) -> CaFailure {
    CaFailure::Lost {
        name: name.to_owned(),
        file: state.path(&file(name)).display().to_string(),
        what,
        list: state.path(LIST).display().to_string(),
    }
}

/// Names are KRIs; what no file name can hold is told apart by its digest.
pub(super) fn file(name: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"._-".contains(&b);
    match name.len() <= NAME_LIMIT && name.bytes().all(plain) {
        true => format!("ca/{name}.pem"),
        false => format!("ca/{}.pem", Digest::of(name.as_bytes()).short()),
    }
}
