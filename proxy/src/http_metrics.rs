//! The endpoint that Prometheus asks, as an HTTP server.
//!
//! Never lets a slow or a large request cost anything, and never answers more askers at once than it has room for.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use bytes::Bytes;
use http::header::{ALLOW, CONTENT_TYPE, HeaderMap, HeaderValue};
use http::{Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep, timeout};
use tokio_rustls::TlsAcceptor;

use crate::backoff::{Backoff, dice};
use crate::table::Bind;
use crate::telemetry::Sources;

/// Connections at a time: a pair of servers, and a person with a browser.
const MOST_CONNECTIONS: usize = 16;
/// Answers that are made at once.
const MOST_ANSWERS: usize = 4;
const HEADERS_WITHIN: Duration = Duration::from_secs(60);
const HANDSHAKE_WITHIN: Duration = Duration::from_secs(5);
/// A connection is not kept for ever: a server that is gone without a word holds its place no longer than this.
const LONGEST: Duration = Duration::from_secs(600);
const MOST_BUFFERED: usize = 16 * 1024;
/// For the workload's metrics, where whoever asks does not say how long it waits.
const PATIENCE: Duration = Duration::from_secs(5);
/// Of the time that whoever asks waits: the rest is for the answer itself.
const SHARE: f64 = 0.8;
/// Without file descriptors `accept` fails at once, again and again.
const AFTER_FAILURE: Duration = Duration::from_millis(100);
/// Seconds that the asker waits: every Prometheus says it.
const ITS_PATIENCE: &str = "x-prometheus-scrape-timeout-seconds";
const FORM: HeaderValue = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");

/// What an endpoint serves, and how; both may change while it is open.
#[derive(Debug)]
pub(crate) struct Endpoint {
    pub(crate) path: String,
    pub(crate) sources: Arc<Sources>,
    /// `None`: as it is, without TLS.
    pub(crate) tls: Option<Arc<ServerConfig>>,
}

/// Answers for as long as it is polled. A place that is not free is tried again: metrics that are missing are no reason to
/// serve no traffic.
pub(crate) async fn serve(bind: Bind, endpoint: Arc<ArcSwap<Endpoint>>) -> Infallible {
    let listener = open(&bind).await;
    let (places, answers) = (
        Arc::new(Semaphore::new(MOST_CONNECTIONS)),
        Arc::new(Semaphore::new(MOST_ANSWERS)),
    );
    let mut connections = tokio::task::JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        let Ok(place) = Arc::clone(&places).acquire_owned().await else {
            // Nobody closes it.
            continue;
        };
        match listener.accept().await {
            Ok((stream, _)) => {
                let (endpoint, answers) = (Arc::clone(&endpoint), Arc::clone(&answers));
                // They end with this loop: an endpoint that is taken away answers nobody.
                connections.spawn(async move {
                    drop(timeout(LONGEST, admit(stream, endpoint, answers)).await);
                    drop(place);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "the endpoint of metrics cannot accept");
                sleep(AFTER_FAILURE).await;
            }
        }
    }
}

async fn open(bind: &Bind) -> TcpListener {
    let mut backoff = Backoff::default();
    let mut told = false;
    loop {
        match TcpListener::bind((bind.host.as_str(), bind.port)).await {
            Ok(listener) => {
                tracing::info!(address = %bind, "metrics can be asked for");
                return listener;
            }
            Err(error) => {
                if !std::mem::replace(&mut told, true) {
                    tracing::warn!(address = %bind, %error, "metrics cannot be asked for; trying again");
                }
                sleep(backoff.next(dice)).await;
            }
        }
    }
}

async fn admit(stream: TcpStream, endpoint: Arc<ArcSwap<Endpoint>>, answers: Arc<Semaphore>) {
    let peer = stream.peer_addr().ok();
    let Some(tls) = endpoint.load().tls.clone() else {
        return connection(stream, endpoint, answers, peer).await;
    };
    let accepted = timeout(HANDSHAKE_WITHIN, TlsAcceptor::from(tls).accept(stream)).await;
    match accepted {
        Ok(Ok(stream)) => connection(stream, endpoint, answers, peer).await,
        Ok(Err(why)) => tracing::debug!(?peer, %why, "not admitted to the metrics"),
        Err(_) => tracing::debug!(?peer, "not admitted to the metrics: no handshake in time"),
    }
}

async fn connection<S>(
    stream: S,
    endpoint: Arc<ArcSwap<Endpoint>>,
    answers: Arc<Semaphore>,
    peer: Option<SocketAddr>,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = service_fn(|request| {
        let (endpoint, answers) = (endpoint.load_full(), Arc::clone(&answers));
        async move { Ok::<_, Infallible>(respond(&endpoint, &answers, &request).await) }
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADERS_WITHIN)
        .max_buf_size(MOST_BUFFERED)
        .serve_connection(TokioIo::new(stream), service)
        .await;
    if let Err(error) = served {
        tracing::debug!(?peer, %error, "a connection to the metrics ended early");
    }
}

async fn respond(
    endpoint: &Endpoint,
    answers: &Semaphore,
    request: &Request<Incoming>,
) -> Response<Full<Bytes>> {
    if request.uri().path() != endpoint.path {
        return plain(StatusCode::NOT_FOUND, "there are no metrics at this path\n");
    }
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let mut response = plain(StatusCode::METHOD_NOT_ALLOWED, "metrics are read-only\n");
        let allowed = HeaderValue::from_static("GET, HEAD");
        response.headers_mut().insert(ALLOW, allowed);
        return response;
    }
    let Ok(_permit) = answers.try_acquire() else {
        let busy = "others are asking already\n";
        return plain(StatusCode::SERVICE_UNAVAILABLE, busy);
    };
    let end = Instant::now() + patience(request.headers());
    let gathered = endpoint.sources.gather(end).await;
    let mut response = Response::new(Full::from(gathered.merge().text()));
    response.headers_mut().insert(CONTENT_TYPE, FORM);
    response
}

/// How long the workload may take.
fn patience(headers: &HeaderMap) -> Duration {
    let seconds = headers
        .get(ITS_PATIENCE)
        .and_then(|value| value.to_str().ok());
    let seconds: Option<f64> = seconds.and_then(|text| text.parse().ok());
    let asked = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds * SHARE).ok());
    asked.map_or(PATIENCE, |asked| asked.min(PATIENCE))
}

fn plain(status: StatusCode, text: &'static str) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(text));
    *response.status_mut() = status;
    let form = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, form);
    response
}
