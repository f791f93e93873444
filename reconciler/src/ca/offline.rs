//! An authority whose root is kept elsewhere: meshd makes a key and asks, whoever holds the root signs, meshd takes what was
//! signed.
//!
//! Never moves a key: the root stays where it was made, and the key of what it vouches for in the state directory.

use std::time::Duration;

use mesh_bundle::TrustDomain;
use rcgen::KeyPair;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{
    CertificateDer, CertificateSigningRequestDer, PrivateKeyDer, PrivatePkcs8KeyDer,
};
use x509_parser::prelude::{FromDer, X509Certificate};
use zeroize::Zeroizing;

use super::kept::{self, KeptAuthority, file, keep, note, opened, requested};
use super::{
    CaFailure, CertificateAuthority, Name, Request, Seal, pem, pem_block, probe, provided, signing,
};
use crate::state::StateDir;
use crate::tls;

/// What the key of a root is sealed as.
const ROOT: &str = "root";
/// Between a root and a leaf.
const BELOW: u8 = 1;

/// Makes a root for a trust domain: a PEM text with its key and its certificate, for a file where no meshd is.
///
/// # Errors
/// It cannot be made or sealed.
pub fn root(
    trust_domain: &TrustDomain,
    seal: Option<&Seal>,
    lifetime: Duration,
    now: u64,
) -> Result<Zeroizing<String>, CaFailure> {
    let (name, domain) = (trust_domain.as_str(), Some(trust_domain));
    let (_, text) = CertificateAuthority::self_signed(name, domain, (lifetime, BELOW), now)?;
    kept::sealed(seal, ROOT, text.as_bytes())
}

/// A request for the certificate of an authority, PEM. Its key is made here once and stays in the state directory; asked
/// again before it is installed, the request is for the same key.
///
/// # Errors
/// The state directory cannot be read or written.
pub fn request(state: &StateDir, name: &str) -> Result<String, CaFailure> {
    let pending = requested(name);
    let key = match waiting(state, name)? {
        Some(key) => KeyPair::try_from(&key).map_err(signing)?,
        None => {
            let key = KeyPair::generate().map_err(signing)?;
            keep(
                state,
                &pending,
                Zeroizing::new(key.serialize_pem()).as_bytes(),
            )?;
            key
        }
    };
    let request = rcgen::CertificateParams::default().serialize_request(&super::Key(key));
    request.and_then(|request| request.pem()).map_err(signing)
}

/// Signs a request with a root: the certificate and the root behind it, PEM.
///
/// # Errors
/// The root cannot be opened or has ended; the request is not one.
pub fn sign(
    root: &[u8],
    seal: Option<&Seal>,
    request: &[u8],
    lifetime: Duration,
    now: u64,
) -> Result<String, CaFailure> {
    let key = opened(seal, ROOT, root)?;
    let root = CertificateAuthority::from_pem(root, key.as_ref().map(|key| key.as_slice()))?;
    let request = CertificateSigningRequestDer::from_pem_slice(request)
        .map_err(|_| CaFailure::Request("it is not a PEM file of a certificate request"))?;
    let request = Request::read(&request)?;
    // Each has a name of its own: a path from a leaf to the root has one way.
    let name = format!("meshd {}", request.fingerprint.short());
    let chain = root.vouch(&request.key, &name, lifetime, now)?;
    Ok(chain.iter().map(pem).collect())
}

/// Takes the certificate that a root has signed for the request of this authority, with those that vouch for it, the root last.
/// meshd signs with it from its next look on.
///
/// # Errors
/// There is no request, or peers would not accept what it signs.
pub fn install(
    state: &StateDir,
    name: &str,
    chain: &[u8],
    now: u64,
) -> Result<KeptAuthority, CaFailure> {
    let unusable = |why: &str| CaFailure::Unusable {
        identity: name.to_owned(),
        why: why.to_owned(),
    };
    let none = "there is no request that this could be the answer to; `meshd ca request` makes one";
    let key = waiting(state, name)?.ok_or_else(|| unusable(none))?;
    let key = pem_block("PRIVATE KEY", key.secret_der());
    let authority = provided::judge(chain, key.as_bytes(), now).map_err(|why| unusable(&why))?;
    rooted(&authority, now).map_err(|why| unusable(&why))?;
    let mut text = key;
    for certificate in &authority.certificates {
        text.push_str(&pem(certificate));
    }
    keep(state, name, text.as_bytes())?;
    note(state, name)?;
    state.remove(&file(&requested(name)))?;
    kept::shown(state, name, text.as_bytes())
}

/// The key that waits for a certificate.
fn waiting(state: &StateDir, name: &str) -> Result<Option<PrivateKeyDer<'static>>, CaFailure> {
    let pending = requested(name);
    let Some(text) = state.read(&file(&pending))? else {
        return Ok(None);
    };
    let key = match opened(state.seal(), &pending, &text)? {
        Some(der) => PrivatePkcs8KeyDer::from(der.to_vec()).into(),
        None => PrivateKeyDer::from_pem_slice(&text).map_err(signing)?,
    };
    Ok(Some(key))
}

/// Does it end in a root, and would peers that trust that root accept what it signs?
fn rooted(authority: &CertificateAuthority, now: u64) -> Result<(), String> {
    let (Some(anchor), true) = (authority.anchor(), authority.certificates.len() > 1) else {
        return Err("the root is missing behind it".to_owned());
    };
    if !is_root(anchor) {
        return Err(
            "the last certificate is not a root: it is not signed by its own key".to_owned(),
        );
    }
    let words = |failure: CaFailure| failure.to_string();
    let request = Request::read(&probe().map_err(words)?.1).map_err(words)?;
    let name = "spiffe://probe.invalid/probe".parse();
    let name = name.map_err(|error: mesh_bundle::spiffe::MalformedSpiffeId| error.to_string())?;
    let lifetime = Duration::from_secs(1);
    let issued = authority
        .issue(&request, Name::Spiffe(&name), lifetime, now)
        .map_err(words)?;
    let (leaf, between) = issued.chain.split_first().ok_or("it signs nothing")?;
    tls::accepted(anchor, leaf, between, now)
        .map_err(|why| format!("peers would not accept what it signs: {why}"))
}

fn is_root(certificate: &CertificateDer<'_>) -> bool {
    X509Certificate::from_der(certificate).is_ok_and(|(_, certificate)| {
        certificate.issuer().as_raw() == certificate.subject().as_raw()
            && certificate.verify_signature(None).is_ok()
    })
}

#[cfg(test)]
mod tests;
