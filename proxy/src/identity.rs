//! Who this proxy is: keys that are made here, and the certificates that are issued for them.
//!
//! Never lets a private key out, except into the state file that only its owner may read. A certificate is believed only
//! after it has been compared with the key and the name that were asked for.

mod key;
mod leaf;
#[cfg(test)]
pub(crate) mod tests;

use std::fmt;
use std::sync::Arc;

use mesh_bundle::resource::Trust;
use mesh_bundle::{Revoked, SpiffeId};
use rustls::crypto::aws_lc_rs::sign::any_supported_type;
use rustls::sign::CertifiedKey;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

use crate::world::Svid;
pub(crate) use key::{NoKey, PrivateKey};

/// The trust domain of the certificates that meshd knows proxies by. No data plane trusts it.
const CONTROL_DOMAIN: &str = "meshd.control";

/// A chain is sent in every handshake: a longer one than this is a mistake.
const MOST_CERTIFICATES: usize = 8;

/// A certificate with its key, both known to belong together.
pub(crate) struct Credential {
    key: PrivateKey,
    chain: Vec<CertificateDer<'static>>,
    name: SpiffeId,
    not_after: u64,
    renew_at: u64,
    serial: Vec<u8>,
    /// Of its trust domain, as whoever gave it says; empty where the configuration alone says it.
    anchors: Vec<CertificateDer<'static>>,
    tls: Arc<CertifiedKey>,
}

/// Which Dataplane of which mesh a control certificate was issued to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ProxyName {
    pub(crate) mesh: String,
    pub(crate) dataplane: String,
}

/// Why a certificate is not taken.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unacceptable {
    #[error("the chain is empty")]
    Empty,
    #[error("the chain holds {0} certificates, at most {MOST_CERTIFICATES} are taken")]
    TooLong(usize),
    #[error("the certificate cannot be read: {0}")]
    Unreadable(String),
    #[error("the certificate is for another key")]
    OtherKey,
    #[error("the certificate is a CA")]
    Authority,
    #[error("the certificate has ended")]
    Expired,
    #[error("the certificate has {0} URI names, it must have exactly one")]
    Names(usize),
    #[error("its name `{0}` is not a SPIFFE ID: {1}")]
    Name(String, mesh_bundle::spiffe::MalformedSpiffeId),
    #[error("it names `{found}`, `{wanted}` was asked for")]
    OtherName {
        found: Box<SpiffeId>,
        wanted: Box<SpiffeId>,
    },
    #[error("it does not name a Dataplane: `{0}`")]
    NotAProxy(Box<SpiffeId>),
}

impl Credential {
    /// Takes a chain that was issued for `key`.
    ///
    /// `renew_at` is advice: of the time that is left at `now`, at least half is used and at least a tenth is kept for
    /// trying, so that no issuer can make a proxy renew without end, or too late.
    pub(crate) fn accept(
        key: PrivateKey,
        chain: Vec<CertificateDer<'static>>,
        renew_at: u64,
        now: u64,
    ) -> Result<Self, Unacceptable> {
        let mut credential = Self::restore(key, chain, renew_at)?;
        if credential.is_expired(now) {
            return Err(Unacceptable::Expired);
        }
        let left = credential.not_after.saturating_sub(now);
        let earliest = now.saturating_add(left / 2);
        let latest = now.saturating_add(left - left / 10);
        credential.renew_at = renew_at.clamp(earliest, latest);
        Ok(credential)
    }

    /// As [`Credential::accept`], for one that was taken before: it may have ended meanwhile.
    pub(crate) fn restore(
        key: PrivateKey,
        chain: Vec<CertificateDer<'static>>,
        renew_at: u64,
    ) -> Result<Self, Unacceptable> {
        if chain.len() > MOST_CERTIFICATES {
            return Err(Unacceptable::TooLong(chain.len()));
        }
        let first = chain.first().ok_or(Unacceptable::Empty)?;
        let leaf = leaf::read(first)?;
        let secret = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.pkcs8()));
        let unreadable = |error: rustls::Error| Unacceptable::Unreadable(error.to_string());
        let tls = CertifiedKey::new(
            chain.clone(),
            any_supported_type(&secret).map_err(unreadable)?,
        );
        match tls.keys_match() {
            Ok(()) => {}
            Err(rustls::Error::InconsistentKeys(_)) => return Err(Unacceptable::OtherKey),
            Err(error) => return Err(unreadable(error)),
        }
        Ok(Self {
            key,
            chain,
            name: leaf.name,
            not_after: leaf.not_after,
            renew_at: renew_at.min(leaf.not_after),
            serial: leaf.serial,
            anchors: Vec::new(),
            tls: Arc::new(tls),
        })
    }

    /// Refuses a certificate for another name than the one that was asked for.
    pub(crate) fn named(self, wanted: &SpiffeId) -> Result<Self, Unacceptable> {
        if self.name == *wanted {
            return Ok(self);
        }
        Err(Unacceptable::OtherName {
            found: Box::new(self.name),
            wanted: Box::new(wanted.clone()),
        })
    }

    /// An agent gave it, and says what its trust domain is believed by.
    pub(crate) fn vouched_by(self, anchors: Vec<CertificateDer<'static>>) -> Self {
        Self { anchors, ..self }
    }

    /// An agent gave it: it is asked again after a restart, and its key is not written down.
    pub(crate) fn is_of_agent(&self) -> bool {
        !self.anchors.is_empty()
    }

    /// Does it prove the same, to the same peers?
    pub(crate) fn is_same_as(&self, other: &Self) -> bool {
        (&self.chain, &self.anchors) == (&other.chain, &other.anchors)
    }

    /// The Dataplane that a control certificate names.
    pub(crate) fn proxy_name(&self) -> Result<ProxyName, Unacceptable> {
        ProxyName::of(&self.name)
            .ok_or_else(|| Unacceptable::NotAProxy(Box::new(self.name.clone())))
    }

    /// The only URI in its certificate.
    pub(crate) fn name(&self) -> &SpiffeId {
        &self.name
    }

    pub(crate) fn key(&self) -> &PrivateKey {
        &self.key
    }

    pub(crate) fn chain(&self) -> &[CertificateDer<'static>] {
        &self.chain
    }

    /// Seconds since 1970.
    pub(crate) fn not_after(&self) -> u64 {
        self.not_after
    }

    /// Seconds since 1970.
    pub(crate) fn renew_at(&self) -> u64 {
        self.renew_at
    }

    pub(crate) fn is_expired(&self, now: u64) -> bool {
        now > self.not_after
    }

    /// Do peers that trust like this refuse it?
    pub(crate) fn is_revoked(&self, trust: &Trust) -> bool {
        Revoked::covers(&trust.revoked, &self.serial)
    }

    /// For the data plane, which shows it to peers.
    pub(crate) fn svid(&self) -> Svid {
        Svid {
            chain: self.chain.clone(),
            key: PrivatePkcs8KeyDer::from(self.key.pkcs8().to_vec()).into(),
            spiffe_id: self.name.clone(),
            not_after: self.not_after,
            anchors: self.anchors.clone(),
        }
    }

    /// For handshakes with meshd.
    pub(crate) fn tls(&self) -> Arc<CertifiedKey> {
        Arc::clone(&self.tls)
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credential")
            .field("name", &self.name.as_str())
            .field("not_after", &self.not_after)
            .finish_non_exhaustive()
    }
}

impl ProxyName {
    /// `spiffe://meshd.control/mesh/<mesh>/dataplane/<name>`, and behind it for what and by what it was admitted: that is
    /// meshd's business.
    fn of(name: &SpiffeId) -> Option<Self> {
        if name.trust_domain().as_str() != CONTROL_DOMAIN {
            return None;
        }
        let (mesh, dataplane) = name
            .path()
            .strip_prefix("/mesh/")?
            .split_once("/dataplane/")?;
        let parts = ["/workload/", "/token/"];
        let dataplane = parts.iter().fold(dataplane, |name, part| {
            name.split_once(part).map_or(name, |(name, _)| name)
        });
        let plain = |text: &str| !text.is_empty() && !text.contains('/');
        (plain(mesh) && plain(dataplane)).then(|| Self {
            mesh: mesh.to_owned(),
            dataplane: dataplane.to_owned(),
        })
    }
}

impl fmt::Display for ProxyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of mesh {}", self.dataplane, self.mesh)
    }
}
