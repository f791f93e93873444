//! What a workload does with its outbound: requests over HTTP/1.1 and HTTP/2, upgrades, plain connections.
//!
//! Never retries, never pools: what fails is the test's to judge.

mod tunnel;

use std::fmt::Display;
use std::net::SocketAddr;

use bytes::Bytes;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::{http1, http2};
use hyper::{HeaderMap, Request, Response, Uri};
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

use crate::patience::within;
use tunnel::Stream;
pub use tunnel::Tunnel;

/// A body as the harness sends it.
pub(crate) type Body = BoxBody<Bytes, std::convert::Infallible>;

/// A request to a path, with the authority that workloads use.
///
/// # Panics
/// When the path is none.
#[must_use]
pub fn request(method: &str, path: &str, body: &str) -> Request<Body> {
    request_to("mesh.test", method, path, body)
}

/// The same with another authority.
///
/// # Panics
/// When the path or the authority is none.
#[must_use]
pub fn request_to(authority: &str, method: &str, path: &str, body: &str) -> Request<Body> {
    Request::builder()
        .method(method)
        .uri(format!("http://{authority}{path}"))
        .header("host", authority)
        .body(Full::new(Bytes::from(body.to_owned())).boxed())
        .unwrap_or_else(|error| panic!("{method} {path}: {error}"))
}

/// A whole response.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
    /// The trailers.
    pub trailers: HeaderMap,
}

impl Answer {
    async fn read<B>(response: Response<B>) -> Result<Self, String>
    where
        B: hyper::body::Body<Data = Bytes>,
        B::Error: Display,
    {
        let (head, body) = response.into_parts();
        let body = body
            .collect()
            .await
            .map_err(|error| format!("status {} and then no whole body: {error}", head.status))?;
        let trailers = body.trailers().cloned().unwrap_or_default();
        Ok(Self {
            status: head.status.as_u16(),
            headers: head.headers,
            body: body.to_bytes(),
            trailers,
        })
    }

    /// A header as text; empty where it is not there.
    #[must_use]
    pub fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name);
        value.and_then(|value| value.to_str().ok()).unwrap_or("")
    }

    /// The workload that answered; empty where a proxy did.
    #[must_use]
    pub fn by(&self) -> &str {
        self.header("x-served-by")
    }

    /// The body as text.
    #[must_use]
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap_or("(bytes)")
    }

    /// The body as JSON; null where it is none.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Version {
    Http1,
    Http2,
}

/// Connects to one address.
#[derive(Debug, Clone, Copy)]
pub struct Client {
    address: SocketAddr,
    version: Version,
}

impl Client {
    /// Speaks HTTP/1.1.
    #[must_use]
    pub fn http1(address: SocketAddr) -> Self {
        let version = Version::Http1;
        Self { address, version }
    }

    /// Speaks HTTP/2 with prior knowledge.
    #[must_use]
    pub fn http2(address: SocketAddr) -> Self {
        let version = Version::Http2;
        Self { address, version }
    }

    /// Where it connects to.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// GET on a connection of its own.
    ///
    /// # Panics
    /// When there is no whole answer in time.
    pub async fn get(&self, path: &str) -> Answer {
        let request = request_to(&self.address.to_string(), "GET", path, "");
        self.send(request).await
    }

    /// A request on a connection of its own.
    ///
    /// # Panics
    /// When there is no whole answer in time.
    pub async fn send(&self, request: Request<Body>) -> Answer {
        let told = format!("{} {} at {}", request.method(), request.uri(), self.address);
        self.try_send(request)
            .await
            .unwrap_or_else(|error| panic!("{told}: {error}"))
    }

    /// A request on a connection of its own, which may fail.
    ///
    /// # Errors
    /// What the connection or the protocol said.
    pub async fn try_send(&self, request: Request<Body>) -> Result<Answer, String> {
        let answer = async { self.connect().await?.send(request).await };
        within("a whole answer", answer).await
    }

    /// A connection for several requests.
    ///
    /// # Errors
    /// What the connection or the protocol said.
    pub async fn connect(&self) -> Result<Connection, String> {
        let stream = TcpStream::connect(self.address).await;
        let stream = stream.map_err(|error| format!("connect: {error}"))?;
        // As HTTP clients do; otherwise small requests wait for acknowledgements.
        let _ = stream.set_nodelay(true);
        Connection::over(stream, self.version).await
    }

    /// A connection that stops being HTTP with this request; the answer too when it is not 101.
    ///
    /// # Panics
    /// When there is no answer in time, or no upgrade.
    pub async fn upgrade(&self, path: &str) -> Tunnel {
        let mut request = request("GET", path, "");
        for (name, value) in [
            ("connection", "Upgrade"),
            ("upgrade", "websocket"),
            ("sec-websocket-version", "13"),
            ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ] {
            let value = hyper::header::HeaderValue::from_static(value);
            request.headers_mut().insert(name, value);
        }
        let upgraded = async {
            let Sender::Http1(mut sender) = self.connect().await?.sender else {
                return Err("an upgrade is for HTTP/1.1".to_owned());
            };
            let response = sender.send_request(in_origin_form(request)).await;
            let response = response.map_err(|error| error.to_string())?;
            let (status, headers) = (response.status().as_u16(), response.headers().clone());
            if status != 101 {
                return Err(format!("status {status}"));
            }
            let stream = hyper::upgrade::on(response).await;
            let stream = stream.map_err(|error| error.to_string())?;
            let stream: Box<dyn Stream> = Box::new(TokioIo::new(stream));
            Ok(Tunnel { headers, stream })
        };
        let upgraded = within("an upgrade", upgraded).await;
        upgraded.unwrap_or_else(|error| panic!("upgrade at {}: {error}", self.address))
    }

    /// A plain connection: bytes, no HTTP.
    ///
    /// # Panics
    /// When nobody accepts it.
    pub async fn open(&self) -> Tunnel {
        let stream = within("a connection", TcpStream::connect(self.address)).await;
        let stream = stream.unwrap_or_else(|error| panic!("connect to {}: {error}", self.address));
        Tunnel {
            headers: HeaderMap::new(),
            stream: Box::new(stream),
        }
    }
}

#[derive(Debug)]
enum Sender {
    Http1(http1::SendRequest<Body>),
    Http2(http2::SendRequest<Body>),
}

/// A connection for several requests, one after the other.
#[derive(Debug)]
pub struct Connection {
    sender: Sender,
}

impl Connection {
    /// Over any stream.
    pub(crate) async fn over<S>(stream: S, version: Version) -> Result<Self, String>
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        match version {
            Version::Http1 => {
                let (sender, connection) = http1::handshake(TokioIo::new(stream))
                    .await
                    .map_err(|error| format!("HTTP/1.1: {error}"))?;
                // Its errors are those of the requests on it.
                tokio::spawn(connection.with_upgrades());
                let sender = Sender::Http1(sender);
                Ok(Self { sender })
            }
            Version::Http2 => Self::http2_over(stream).await,
        }
    }

    /// HTTP/1.1 over a connection that is there.
    ///
    /// # Errors
    /// What the connection or the protocol said.
    pub async fn http1_over(stream: std::net::TcpStream) -> Result<Self, String> {
        let prepared = stream
            .set_nonblocking(true)
            .and_then(|()| TcpStream::from_std(stream));
        let stream = prepared.map_err(|error| error.to_string())?;
        Self::over(stream, Version::Http1).await
    }

    /// HTTP/2 over any stream.
    pub(crate) async fn http2_over<S>(stream: S) -> Result<Self, String>
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let (sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
            .await
            .map_err(|error| format!("HTTP/2: {error}"))?;
        tokio::spawn(connection);
        let sender = Sender::Http2(sender);
        Ok(Self { sender })
    }

    /// False once the other end has closed it or said that it will.
    pub async fn usable(&mut self) -> bool {
        let ready = match &mut self.sender {
            Sender::Http1(sender) => sender.ready().await,
            Sender::Http2(sender) => sender.ready().await,
        };
        ready.is_ok()
    }

    /// One request.
    ///
    /// # Errors
    /// What the connection or the protocol said.
    pub async fn send(&mut self, request: Request<Body>) -> Result<Answer, String> {
        let answer = self.attempt(request).await;
        answer.map_err(|refused| refused.reason)
    }

    /// One request, and on failure whether a byte of it went out.
    pub(crate) async fn attempt(&mut self, request: Request<Body>) -> Result<Answer, NotAnswered> {
        let response = match &mut self.sender {
            Sender::Http1(sender) => sender.send_request(in_origin_form(request)).await,
            Sender::Http2(sender) => sender.send_request(request).await,
        };
        let response = response.map_err(|error| NotAnswered {
            sent: !error.is_canceled(),
            reason: chain(&error),
        })?;
        Answer::read(response)
            .await
            .map_err(|reason| NotAnswered { sent: true, reason })
    }
}

/// `/path`: what HTTP/1.1 clients send to anything but a forward proxy (RFC 9112, section 3.2).
fn in_origin_form(mut request: Request<Body>) -> Request<Body> {
    let path = request.uri().path_and_query().cloned();
    *request.uri_mut() = path.map_or_else(Uri::default, Uri::from);
    request
}

/// Why there is no answer.
#[derive(Debug)]
pub(crate) struct NotAnswered {
    /// False where the connection ended before the request went out: every client would send it on another one.
    pub(crate) sent: bool,
    pub(crate) reason: String,
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text.push_str(": ");
        text.push_str(&error.to_string());
        source = error.source();
    }
    text
}
