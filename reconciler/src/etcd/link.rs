//! One connection to one server of an etcd cluster: socket, TLS where it is asked for, HTTP/2.
//!
//! Never outlives its owner: the task that drives it ends when the link is dropped.

use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::Uri;
use hyper::body::Incoming;
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{PrivateKeyDer, ServerName};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tonic::body::Body;

use super::EtcdFailure;
use super::wire::kv_client::KvClient;
use super::wire::lease_client::LeaseClient;
use super::wire::watch_client::WatchClient;
use crate::pem;
use crate::settings::Etcd;

/// For one server to be connected.
const CONNECT: Duration = Duration::from_secs(3);
/// Between pings, and for their answers: a server that is gone without a word is noticed within the two.
const PING: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(5));
/// Of one answer: a page of keys whose values are small.
const ANSWER: usize = 16 << 20;

#[derive(Debug)]
pub(super) struct Link {
    requests: Requests,
    origin: Uri,
    driver: JoinHandle<()>,
}

/// HTTP/2 requests, in the shape that the generated clients call.
#[derive(Debug, Clone)]
pub(super) struct Requests(http2::SendRequest<Body>);

impl tower_service::Service<http::Request<Body>> for Requests {
    type Response = http::Response<Incoming>;
    type Error = hyper::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        Box::pin(self.0.send_request(request))
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

impl Link {
    pub(super) async fn open(config: &Etcd) -> Result<Self, EtcdFailure> {
        let mut reasons = Vec::new();
        for endpoint in &config.endpoints {
            match timeout(CONNECT, Box::pin(connect(endpoint, config))).await {
                Ok(Ok(link)) => return Ok(link),
                Ok(Err(failure @ EtcdFailure::Configuration(_))) => return Err(failure),
                Ok(Err(failure)) => reasons.push(format!("{endpoint}: {failure}")),
                Err(_) => reasons.push(format!("{endpoint}: no answer within {CONNECT:?}")),
            }
        }
        Err(EtcdFailure::Unreachable(reasons.join("; ")))
    }

    pub(super) fn keys(&self) -> KvClient<Requests> {
        KvClient::with_origin(self.requests.clone(), self.origin.clone())
            .max_decoding_message_size(ANSWER)
    }

    pub(super) fn watches(&self) -> WatchClient<Requests> {
        WatchClient::with_origin(self.requests.clone(), self.origin.clone())
            .max_decoding_message_size(ANSWER)
    }

    pub(super) fn leases(&self) -> LeaseClient<Requests> {
        LeaseClient::with_origin(self.requests.clone(), self.origin.clone())
    }
}

async fn connect(endpoint: &str, config: &Etcd) -> Result<Link, EtcdFailure> {
    let wrong = |why: &str| EtcdFailure::Configuration(format!("`{endpoint}` {why}"));
    let origin: Uri = endpoint.parse().map_err(|_| wrong("is no URL"))?;
    if !matches!(origin.scheme_str(), Some("http" | "https")) {
        return Err(wrong("is neither http:// nor https://"));
    }
    let host = origin
        .host()
        .ok_or_else(|| wrong("names no host"))?
        .to_owned();
    let port = origin.port_u16().unwrap_or(2379);
    let lost = |error: std::io::Error| EtcdFailure::Unreachable(error.to_string());
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let socket = TcpStream::connect((bare, port)).await.map_err(lost)?;
    // What is written is small and waited for.
    let _ = socket.set_nodelay(true);
    match origin.scheme_str() {
        Some("https") => {
            let name = ServerName::try_from(bare.to_owned()).map_err(|_| wrong("names no host"))?;
            let tls = TlsConnector::from(tls(config)?);
            let stream = tls.connect(name, socket).await.map_err(lost)?;
            speak(stream, origin).await
        }
        _ => speak(socket, origin).await,
    }
}

async fn speak(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    origin: Uri,
) -> Result<Link, EtcdFailure> {
    let mut http = http2::Builder::new(TokioExecutor::new());
    http.timer(TokioTimer::new())
        .keep_alive_interval(PING.0)
        .keep_alive_timeout(PING.1)
        .keep_alive_while_idle(true);
    let opened = Box::pin(http.handshake(TokioIo::new(stream))).await;
    let (requests, connection) =
        opened.map_err(|error| EtcdFailure::Unreachable(error.to_string()))?;
    let driver = tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "the connection to etcd ended");
        }
    });
    Ok(Link {
        requests: Requests(requests),
        origin,
        driver,
    })
}

fn tls(config: &Etcd) -> Result<Arc<ClientConfig>, EtcdFailure> {
    let wrong = |what: &str, error: &dyn std::fmt::Display| {
        EtcdFailure::Configuration(format!("{what}: {error}"))
    };
    let certificates = |path: &Path| pem::certificates(path).map_err(EtcdFailure::Configuration);
    let mut roots = RootCertStore::empty();
    match &config.ca {
        Some(path) => {
            for certificate in certificates(path)? {
                let shown = path.display().to_string();
                roots
                    .add(certificate)
                    .map_err(|error| wrong(&shown, &error))?;
            }
        }
        None => {
            let _ = roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
    }
    if roots.is_empty() {
        let none = "there is no certificate authority to know etcd by";
        return Err(EtcdFailure::Configuration(none.to_owned()));
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| wrong("TLS", &error))?
        .with_root_certificates(roots);
    let mut tls = match config.cert.as_ref().zip(config.key.as_ref()) {
        None => builder.with_no_client_auth(),
        Some((certificate, key)) => {
            let chain = certificates(certificate)?;
            let shown = key.display().to_string();
            let key = PrivateKeyDer::from_pem_file(key).map_err(|error| wrong(&shown, &error))?;
            builder
                .with_client_auth_cert(chain, key)
                .map_err(|error| wrong(&shown, &error))?
        }
    };
    tls.alpn_protocols = vec![b"h2".to_vec()];
    Ok(Arc::new(tls))
}
