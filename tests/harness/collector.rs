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
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::AbortHandle;

use crate::patience::within;

/// One request.
#[derive(Debug, Clone)]
pub struct Delivered {
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

/// HTTP/1.1 and HTTP/2 without TLS. Stops when it is dropped.
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
        let listener = TcpListener::bind(address).await;
        let listener = listener.unwrap_or_else(|error| panic!("listen on {address}: {error}"));
        let address = listener.local_addr().expect("an address");
        let shared = Arc::new(Shared {
            delivered: watch::Sender::new(Vec::new()),
            replies: Mutex::default(),
            usual,
        });
        let task = tokio::spawn(serve(listener, Arc::clone(&shared))).abort_handle();
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

async fn serve(listener: TcpListener, shared: Arc<Shared>) {
    // They end with their collector.
    let mut connections = tokio::task::JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let shared = Arc::clone(&shared);
        connections.spawn(async move {
            let service = service_fn(move |request| {
                let shared = Arc::clone(&shared);
                async move { answer(&shared, request).await }
            });
            let mut first = [0; 4];
            // Its end is no news.
            let peeked = stream.peek(&mut first).await;
            let stream = TokioIo::new(stream);
            let _ = match peeked.is_ok() && first == *b"PRI " {
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
        });
    }
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
