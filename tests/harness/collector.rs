//! A server that telemetry is sent to, or that shows some: it keeps every request, whole, and answers as it is told.
//!
//! Never reads what it is sent: whoever asks for it does, by code that is not under test.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::header::{HeaderMap, HeaderValue};
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio_rustls::TlsAcceptor;

use crate::patience::within;

/// One request.
#[derive(Debug, Clone)]
pub struct Delivered {
    /// How: `POST`.
    pub method: String,
    /// Where it was sent.
    pub path: String,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Bytes,
}

/// An answer. With a gRPC status it is an answer of gRPC.
#[derive(Debug, Clone)]
pub struct Reply {
    /// Of HTTP.
    pub status: u16,
    /// Of gRPC, in the trailers.
    pub grpc: Option<u16>,
    /// The body.
    pub body: String,
}

impl Default for Reply {
    fn default() -> Self {
        Self {
            status: 200,
            grpc: None,
            body: String::new(),
        }
    }
}

/// HTTP/1.1 and HTTP/2, with TLS or without. Stops when it is dropped.
#[derive(Debug)]
pub struct Collector {
    address: SocketAddr,
    shared: Arc<Shared>,
    task: AbortHandle,
}

#[derive(Debug)]
struct Shared {
    delivered: watch::Sender<Vec<Delivered>>,
    /// The next answers; then the usual one.
    replies: Mutex<VecDeque<Reply>>,
    usual: Reply,
}

impl Collector {
    /// Takes everything; what is gRPC gets an answer of gRPC.
    pub async fn start(address: SocketAddr) -> Self {
        Self::saying(address, Reply::default()).await
    }

    /// The same with another usual answer.
    ///
    /// # Panics
    /// When the address is taken.
    pub async fn saying(address: SocketAddr, usual: Reply) -> Self {
        Self::listening(address, usual, None).await
    }

    /// The same over TLS alone.
    pub async fn over_tls(address: SocketAddr, mut config: ServerConfig) -> Self {
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let acceptor = TlsAcceptor::from(Arc::new(config));
        Self::listening(address, Reply::default(), Some(acceptor)).await
    }

    async fn listening(address: SocketAddr, usual: Reply, tls: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind(address).await;
        let listener = listener.unwrap_or_else(|error| panic!("listen on {address}: {error}"));
        let address = listener.local_addr().expect("an address");
        let shared = Arc::new(Shared {
            delivered: watch::Sender::new(Vec::new()),
            replies: Mutex::default(),
            usual,
        });
        let task = tokio::spawn(serve(listener, tls, Arc::clone(&shared))).abort_handle();
        Self {
            address,
            shared,
            task,
        }
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers the next request with this; several are answered in turn.
    pub fn next(&self, reply: Reply) {
        let replies = &self.shared.replies;
        replies
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push_back(reply);
    }

    /// Everything that was sent, as soon as `enough` holds of it.
    ///
    /// # Panics
    /// When that does not happen in time.
    pub async fn delivered(
        &self,
        what: &str,
        enough: impl Fn(&[Delivered]) -> bool,
    ) -> Vec<Delivered> {
        let mut delivered = self.shared.delivered.subscribe();
        let enough = delivered.wait_for(|delivered| enough(delivered));
        let seen = within(what, enough).await.expect("it is there");
        seen.clone()
    }

    /// How many requests have come.
    #[must_use]
    pub fn count(&self) -> usize {
        self.shared.delivered.borrow().len()
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(listener: TcpListener, tls: Option<TlsAcceptor>, shared: Arc<Shared>) {
    // They end with their collector.
    let mut connections = tokio::task::JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let (shared, tls) = (Arc::clone(&shared), tls.clone());
        connections.spawn(async move {
            let Some(tls) = tls else {
                let mut first = [0; 4];
                // Its end is no news.
                let peeked = stream.peek(&mut first).await;
                let is_h2 = peeked.is_ok() && first == *b"PRI ";
                return speak(stream, is_h2, shared).await;
            };
            // Whoever does not get in has the reason.
            if let Ok(stream) = tls.accept(stream).await {
                let is_h2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
                speak(stream, is_h2, shared).await;
            }
        });
    }
}

async fn speak<S>(stream: S, is_h2: bool, shared: Arc<Shared>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = service_fn(move |request| {
        let shared = Arc::clone(&shared);
        async move { answer(&shared, request).await }
    });
    let stream = TokioIo::new(stream);
    let _ = match is_h2 {
        true => {
            let builder = http2::Builder::new(TokioExecutor::new());
            builder.serve_connection(stream, service).await
        }
        false => {
            http1::Builder::new()
                .serve_connection(stream, service)
                .await
        }
    };
}

async fn answer(
    shared: &Shared,
    request: Request<Incoming>,
) -> Result<Response<BoxBody<Bytes, hyper::Error>>, hyper::Error> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await?.to_bytes();
    let kind = parts.headers.get("content-type");
    let is_grpc = kind.is_some_and(|kind| kind.as_bytes().starts_with(b"application/grpc"));
    let delivered = Delivered {
        method: parts.method.to_string(),
        path: parts.uri.path().to_owned(),
        headers: parts.headers,
        body,
    };
    let next = {
        let mut replies = shared
            .replies
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        replies.pop_front()
    };
    let reply = next.unwrap_or_else(|| shared.usual.clone());
    let (body, trailers) = match (is_grpc, reply.grpc) {
        (false, _) => (Bytes::from(reply.body), None),
        (true, status) => {
            let mut trailers = HeaderMap::new();
            trailers.insert("grpc-status", HeaderValue::from(status.unwrap_or(0)));
            (Bytes::from_static(b"\0\0\0\0\0"), Some(trailers))
        }
    };
    let body = Full::new(body).map_err(|never| match never {});
    let body = body.with_trailers(async move { trailers.map(Ok) });
    let mut response = Response::new(body.boxed());
    *response.status_mut() = reply.status.try_into().expect("a status");
    let kind = if is_grpc {
        "application/grpc"
    } else {
        "text/plain; version=0.0.4"
    };
    let headers = response.headers_mut();
    headers.insert("content-type", HeaderValue::from_static(kind));
    // After its answer is made: whoever waits for the request may go on then.
    shared.delivered.send_modify(|all| all.push(delivered));
    Ok(response)
}
