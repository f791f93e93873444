//! meshd's end of TLS: its own certificate, and whom it lets in.
//!
//! Never asks a system authority: proxies and meshd know each other by the control authority alone.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use rustls::crypto::CryptoProvider;
use rustls::crypto::aws_lc_rs::sign::any_supported_type;
use rustls::server::{ClientHello, ResolvesServerCert, WebPkiClientVerifier};
use rustls::sign::CertifiedKey;
use rustls::version::TLS13;
use rustls::{RootCertStore, ServerConfig};
use rustls_pki_types::{CertificateDer, UnixTime};

use crate::ca::CertificateAuthority;
use crate::registry::Now;

/// What meshd is called, wherever it runs.
pub const SERVER_NAME: &str = "meshd.control";
/// Renewed in the process, so it may be short.
const LIFETIME: Duration = Duration::from_hours(7 * 24);
/// Between two attempts when a renewal fails.
const RETRY: Duration = Duration::from_secs(60);

/// meshd's own certificate, as it is now.
pub(crate) struct OwnCertificate {
    control: Arc<CertificateAuthority>,
    current: RwLock<Arc<CertifiedKey>>,
}

impl fmt::Debug for OwnCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OwnCertificate").finish_non_exhaustive()
    }
}

impl ResolvesServerCert for OwnCertificate {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        Some(Arc::clone(&current))
    }
}

impl OwnCertificate {
    /// The first one, with when to renew it.
    pub(crate) fn new(control: Arc<CertificateAuthority>) -> Result<(Arc<Self>, u64), String> {
        let (key, renew_at) = issue(&control)?;
        let own = Self {
            control,
            current: RwLock::new(Arc::new(key)),
        };
        Ok((Arc::new(own), renew_at))
    }

    /// Renews it for ever. Connections that are open keep the one that they began with.
    pub(crate) async fn keep_renewed(self: Arc<Self>, mut renew_at: u64) {
        loop {
            let wait = Duration::from_secs(renew_at.saturating_sub(Now::read().unix));
            tokio::time::sleep(wait).await;
            match issue(&self.control) {
                Ok((key, next)) => {
                    let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
                    *current = Arc::new(key);
                    renew_at = next;
                }
                Err(error) => {
                    tracing::error!(%error, "meshd's own certificate cannot be renewed");
                    renew_at = Now::read().unix + RETRY.as_secs();
                }
            }
        }
    }
}

fn issue(control: &CertificateAuthority) -> Result<(CertifiedKey, u64), String> {
    let (issued, key) = control
        .issue_own(SERVER_NAME, LIFETIME, Now::read().unix)
        .map_err(|failure| failure.to_string())?;
    let key = any_supported_type(&key).map_err(|error| error.to_string())?;
    Ok((CertifiedKey::new(issued.chain, key), issued.renew_at))
}

/// What all TLS of this process is made of.
pub(crate) fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}

/// TLS 1.3; a client shows a control certificate, or none at all in order to enrol.
pub(crate) fn server(
    control: &CertificateAuthority,
    own: Arc<OwnCertificate>,
) -> Result<Arc<ServerConfig>, String> {
    let mut roots = RootCertStore::empty();
    for anchor in control.anchors() {
        let added = roots.add(anchor);
        added.map_err(|error| error.to_string())?;
    }
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider())
        .allow_unauthenticated()
        .build()
        .map_err(|error| error.to_string())?;
    let config = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&TLS13])
        .map_err(|error| error.to_string())?
        .with_client_cert_verifier(verifier)
        .with_cert_resolver(own);
    Ok(Arc::new(config))
}

/// Would a peer that trusts this anchor accept this leaf, with what is between them?
pub(crate) fn accepted(
    anchor: &CertificateDer<'static>,
    leaf: &CertificateDer<'_>,
    between: &[CertificateDer<'_>],
    now: u64,
) -> Result<(), String> {
    let mut roots = RootCertStore::empty();
    let added = roots.add(anchor.clone());
    added.map_err(|error| error.to_string())?;
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider());
    let verifier = verifier.build().map_err(|error| error.to_string())?;
    let at = UnixTime::since_unix_epoch(Duration::from_secs(now));
    let verified = verifier.verify_client_cert(leaf, between, at);
    verified.map(drop).map_err(|error| error.to_string())
}
