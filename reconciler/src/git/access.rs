//! How a fetch reaches a server: the agent, and what proves who meshd is.
//!
//! Never kept beyond the fetch: files of secrets and certificates are read for each one, so that new ones need no restart. It
//! is handed to the transport by thread, because libgit2 calls it on the thread that fetches and has no way to hand anything on.

use std::cell::RefCell;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustls_pki_types::CertificateDer;
use ureq::tls::{Certificate, ClientCert, PrivateKey, RootCerts, TlsConfig, TlsProvider};
use ureq::{Agent, Proxy};
use zeroize::Zeroizing;

use super::Failure;
use super::ssh::{Address, Login};
use crate::pem;
use crate::secret;
use crate::settings::Source;

const CONNECT_DEADLINE: Duration = Duration::from_secs(10);

thread_local! {
    static CURRENT: RefCell<Option<Access>> = const { RefCell::new(None) };
}

/// How to reach one server.
#[derive(Clone)]
pub(super) enum Access {
    Https(Client),
    Ssh(Arc<Login>),
}

/// By HTTPS.
#[derive(Clone)]
pub(super) struct Client {
    pub(super) agent: Agent,
    /// Value of the header `Authorization`.
    pub(super) authorization: Option<Arc<Zeroizing<String>>>,
}

impl Access {
    /// Reads everything that it needs.
    pub(super) fn read(source: &Source) -> Result<Self, Failure> {
        if let Some(address) = Address::parse(&source.repository) {
            let login = Login::read(source, address.map_err(Failure::Stalled)?)?;
            return Ok(Self::Ssh(Arc::new(login)));
        }
        Ok(Self::Https(Client {
            agent: agent(source)?,
            authorization: authorization(source)?.map(Arc::new),
        }))
    }

    /// Lets the transport of this thread find it.
    pub(super) fn during<T>(self, work: impl FnOnce() -> T) -> T {
        CURRENT.set(Some(self));
        let done = work();
        CURRENT.set(None);
        done
    }

    /// Of the fetch of this thread.
    pub(super) fn current() -> Option<Self> {
        CURRENT.with_borrow(Clone::clone)
    }
}

fn authorization(source: &Source) -> Result<Option<Zeroizing<String>>, Failure> {
    let read = |path: &Path| secret::read(path).map_err(Failure::Unauthorized);
    let auth = &source.auth;
    if let Some(path) = &auth.bearer_file {
        let token = read(path)?;
        return Ok(Some(Zeroizing::new(format!("Bearer {}", token.as_str()))));
    }
    let Some(path) = &auth.password_file else {
        return Ok(None);
    };
    // Forges look at the token alone; GitHub's own name for it suits them all.
    let name = auth.username.as_deref().unwrap_or("x-access-token");
    let pair = Zeroizing::new(format!("{name}:{}", read(path)?.as_str()));
    let encoded = Zeroizing::new(STANDARD.encode(pair.as_bytes()));
    Ok(Some(Zeroizing::new(format!("Basic {}", encoded.as_str()))))
}

fn agent(source: &Source) -> Result<Agent, Failure> {
    let system = rustls_native_certs::load_native_certs();
    let mut roots: Vec<CertificateDer<'static>> = system.certs;
    if let Some(path) = &source.ca {
        roots.extend(certificates(path)?);
    }
    let roots: Vec<_> = roots
        .iter()
        .map(|der| Certificate::from_der(der).to_owned())
        .collect();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let tls = TlsConfig::builder()
        .provider(TlsProvider::Rustls)
        .unversioned_rustls_crypto_provider(provider)
        .client_cert(client(source)?)
        .root_certs(RootCerts::Specific(Arc::new(roots)))
        .build();
    let mut config = Agent::config_builder()
        .tls_config(tls)
        .https_only(true)
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .timeout_connect(Some(CONNECT_DEADLINE))
        .user_agent(concat!("git/2 (meshd ", env!("CARGO_PKG_VERSION"), ")"));
    // Without one, those of the environment count: that is what the agent does by itself.
    if let Some(proxy) = &source.proxy {
        let wrong = |error| Failure::Stalled(format!("`proxy` is not one: {error}"));
        config = config.proxy(Some(Proxy::new(proxy).map_err(wrong)?));
    }
    Ok(Agent::new_with_config(config.build()))
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, Failure> {
    pem::certificates(path).map_err(Failure::Stalled)
}

fn client(source: &Source) -> Result<Option<ClientCert>, Failure> {
    let (Some(certificate), Some(key)) = (&source.auth.certificate, &source.auth.key) else {
        return Ok(None);
    };
    let chain = certificates(certificate)?;
    let chain: Vec<_> = chain
        .iter()
        .map(|der| Certificate::from_der(der).to_owned())
        .collect();
    let unreadable = |why: &dyn std::fmt::Display| {
        let path = key.display();
        Failure::Unauthorized(format!(
            "`{path}` is not a PEM file of a private key: {why}"
        ))
    };
    let text = std::fs::read(key).map(Zeroizing::new);
    let text = text.map_err(|error| unreadable(&error))?;
    let key = PrivateKey::from_pem(&text).map_err(|error| unreadable(&error))?;
    Ok(Some(ClientCert::new_with_certs(&chain, key)))
}
