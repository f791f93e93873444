//! How this proxy speaks to meshd: TLS 1.3, and nobody else at the other end.
//!
//! Never trusts the certificate authorities of the system: meshd is known by the pin of a token, then by its own CA.

use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::sign::SingleCertAndKey;
use rustls::{ClientConfig, Error, RootCertStore};

use crate::state::Membership;

/// What meshd's certificate names, wherever it runs.
pub(crate) const SERVER_NAME: &str = "meshd.control";

pub(crate) fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

/// For an enrolment: the server is judged by the pin, the proxy shows nothing yet.
pub(crate) fn pinned(verifier: Arc<dyn ServerCertVerifier>) -> Result<Arc<ClientConfig>, Error> {
    let mut config = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth();
    forget(&mut config);
    Ok(Arc::new(config))
}

/// For a session: both ends show certificates of meshd's CA.
pub(crate) fn session(membership: &Membership) -> Result<Arc<ClientConfig>, Error> {
    let mut roots = RootCertStore::empty();
    for anchor in &membership.anchors {
        roots.add(anchor.clone())?;
    }
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider())
        .build()
        .map_err(|error| Error::General(error.to_string()))?;
    let key = SingleCertAndKey::from(membership.credential.tls());
    let mut config = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_webpki_verifier(verifier)
        .with_client_cert_resolver(Arc::new(key));
    forget(&mut config);
    Ok(Arc::new(config))
}

/// Every connection proves everything anew.
fn forget(config: &mut ClientConfig) {
    config.resumption = rustls::client::Resumption::disabled();
}
