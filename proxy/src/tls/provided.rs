//! A certificate that is no identity of the mesh, for an endpoint whose clients are no peers.
//!
//! Never shows the key, not even where it cannot be read.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::ServerConfig;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use super::PROVIDER;

/// Why a certificate cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unprovided {
    #[error("no certificate can be read from `{}`: {why}", file.display())]
    Certificate { file: PathBuf, why: String },
    #[error("no private key can be read from `{}`", .0.display())]
    Key(PathBuf),
    #[error("the certificate for metrics cannot be used: {0}")]
    Unusable(#[from] rustls::Error),
}

/// What a server needs that shows this chain; files in PEM.
pub(crate) fn provided(cert: &Path, key: &Path) -> Result<Arc<ServerConfig>, Unprovided> {
    let unread = |why: String| Unprovided::Certificate {
        file: cert.to_owned(),
        why,
    };
    let chain = CertificateDer::pem_file_iter(cert).map_err(|why| unread(why.to_string()))?;
    let chain: Vec<_> = chain
        .collect::<Result<_, _>>()
        .map_err(|why| unread(why.to_string()))?;
    if chain.is_empty() {
        return Err(unread("it holds none".to_owned()));
    }
    let key = PrivateKeyDer::from_pem_file(key).map_err(|_| Unprovided::Key(key.to_owned()))?;
    let config = ServerConfig::builder_with_provider(Arc::clone(&PROVIDER))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    Ok(Arc::new(config))
}
