//! Authorities that meshd has made, in its state directory: a key, which may be sealed, and a certificate, which never is.
//!
//! Never makes one again that was made once: what is missing was lost, and the operator is asked.

use std::collections::BTreeSet;
use std::path::Path;

use mesh_bundle::Digest;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::anchors::{AnchorStep, Anchors};
use super::store::{CONTROL, ends, open_control};
use super::{CaFailure, CertificateAuthority, Seal, pem, pin_of, seal};
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
    /// The first end of the certificates that vouch for it, in seconds since 1970.
    pub not_after: u64,
    /// SHA-256 of the key of its root, where that is kept elsewhere.
    pub root: Option<Digest>,
    /// A request for its successor waits for the root.
    pub requested: bool,
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
        list.push(shown(state, &name, &pem)?);
    }
    Ok(list)
}

/// What others may know of an authority that is kept.
pub(super) fn shown(state: &StateDir, name: &str, pem: &[u8]) -> Result<KeptAuthority, CaFailure> {
    let own = public(state, name, pem)?;
    let chain: Vec<_> = CertificateDer::pem_slice_iter(pem).flatten().collect();
    Ok(KeptAuthority {
        name: name.to_owned(),
        pin: pin_of(&own).ok_or_else(|| lost(state, name, "damaged".to_owned()))?,
        not_after: chain.iter().filter_map(ends).min().unwrap_or_default(),
        root: chain.get(1..).and_then(<[_]>::last).and_then(pin_of),
        requested: state.path(&file(&requested(name))).exists(),
    })
}

pub(super) fn kept(
    state: &StateDir,
    name: &str,
    now: u64,
    generate: impl FnOnce(u64) -> Result<(CertificateAuthority, Zeroizing<String>), CaFailure>,
) -> Result<CertificateAuthority, CaFailure> {
    let path = file(name);
    let known = made(state)?.made.contains(name);
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
        note(state, name)?;
    }
    Ok(authority)
}

/// Writes down that an authority of that name was made here.
pub(super) fn note(state: &StateDir, name: &str) -> Result<(), CaFailure> {
    let mut list = made(state)?;
    list.made.insert(name.to_owned());
    let text = serde_json::to_vec_pretty(&list).map_err(super::signing)?;
    Ok(state.write(LIST, &text)?)
}

/// What was kept, opened; what lies in the clear is sealed from now on, where a secret is given.
fn restored(state: &StateDir, name: &str, pem: &[u8]) -> Result<CertificateAuthority, CaFailure> {
    let opened = opened(state.seal(), name, pem)?;
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

/// The key in a PEM text, if it is sealed.
pub(super) fn opened(
    seal: Option<&Seal>,
    name: &str,
    pem: &[u8],
) -> Result<Option<Zeroizing<Vec<u8>>>, CaFailure> {
    let sealed = |why: String| CaFailure::Sealed {
        name: name.to_owned(),
        why,
    };
    match (seal::find(pem), seal) {
        (Some(block), Some(seal)) => seal.open(name, &block).map(Some).map_err(sealed),
        (Some(_), None) => {
            let why = "no secret is named that opens it (`[ca]` with `seal-file` in meshd.toml, `--seal-file` of a command)";
            Err(sealed(why.to_owned()))
        }
        (None, _) => Ok(None),
    }
}

/// Writes the key and the certificates, the key sealed where a secret is given.
pub(super) fn keep(state: &StateDir, name: &str, pem: impl AsRef<[u8]>) -> Result<(), CaFailure> {
    let text = sealed(state.seal(), name, pem.as_ref())?;
    Ok(state.write(&file(name), text.as_bytes())?)
}

/// The same text, with the key sealed where a secret is given.
pub(super) fn sealed(
    seal: Option<&Seal>,
    name: &str,
    pem: &[u8],
) -> Result<Zeroizing<String>, CaFailure> {
    let Some(seal) = seal else {
        let text = std::str::from_utf8(pem).map_err(super::signing)?;
        return Ok(Zeroizing::new(text.to_owned()));
    };
    let key = PrivatePkcs8KeyDer::from_pem_slice(pem).map_err(super::signing)?;
    let failed = |why: String| CaFailure::Sealed {
        name: name.to_owned(),
        why,
    };
    let text = seal.seal(name, key.secret_pkcs8_der()).map_err(failed)?;
    let mut text = Zeroizing::new(text);
    for certificate in CertificateDer::pem_slice_iter(pem) {
        text.push_str(&super::pem(&certificate.map_err(super::signing)?));
    }
    Ok(text)
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

/// The name of the key that waits for the certificate of an authority whose root is kept elsewhere.
pub(super) fn requested(name: &str) -> String {
    format!("{name}.requested")
}

/// Names are KRIs; what no file name can hold is told apart by its digest.
pub(super) fn file(name: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"._-".contains(&b);
    match name.len() <= NAME_LIMIT && name.bytes().all(plain) {
        true => format!("ca/{name}.pem"),
        false => format!("ca/{}.pem", Digest::of(name.as_bytes()).short()),
    }
}
