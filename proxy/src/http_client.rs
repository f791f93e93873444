//! A client for what is neither traffic nor control: metrics of the workload, and collectors of telemetry.
//!
//! Never waits for ever, never follows a redirect, and never reads more of an answer than its caller wants.

use std::fmt;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use http::header::{ACCEPT, HOST, HeaderMap, HeaderValue, USER_AGENT};
use http::uri::PathAndQuery;
use http::{Method, Request, Response, StatusCode, Uri, Version};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::AbortHandle;
use tokio_rustls::TlsConnector;

use crate::tls::OutsideTls;

const AGENT: HeaderValue = HeaderValue::from_static("mesh-proxy");
/// What an application is asked for: the text that every library writes, and whatever else it has.
const TEXT: HeaderValue = HeaderValue::from_static(
    "text/plain;version=0.0.4;q=1,application/openmetrics-text;q=0.5,*/*;q=0.1",
);
/// The head of an answer.
const HEAD_BYTES: usize = 64 * 1024;

/// Where a server is.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    pub(crate) host: String,
    pub(crate) port: u16,
    tls: Option<Arc<OutsideTls>>,
}

/// A server that is spoken to again and again, over one connection.
#[derive(Debug)]
pub(crate) struct Client {
    place: Place,
    version: Version,
    open: Option<Open>,
}

/// An answer, all of it.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    pub(crate) trailers: HeaderMap,
}

#[derive(Debug)]
struct Open {
    sender: Sender,
    driver: AbortHandle,
}

#[derive(Debug)]
enum Sender {
    One(http1::SendRequest<Full<Bytes>>),
    Two(http2::SendRequest<Full<Bytes>>),
}

impl Drop for Open {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

impl Place {
    pub(crate) fn plain(host: &str, port: u16) -> Self {
        Self {
            host: host.to_owned(),
            port,
            tls: None,
        }
    }

    pub(crate) fn over_tls(host: &str, port: u16, tls: OutsideTls) -> Self {
        Self {
            tls: Some(Arc::new(tls)),
            ..Self::plain(host, port)
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.host.contains(':') {
            true => write!(f, "[{}]:{}", self.host, self.port),
            false => write!(f, "{}:{}", self.host, self.port),
        }
    }
}

/// What a path of an application holds. The caller sees to the time.
///
/// # Errors
/// In words, for people.
pub(crate) async fn get(place: &Place, path: &str, most: usize) -> Result<Bytes, String> {
    let headers = [(ACCEPT, TEXT)].into_iter().collect();
    let mut client = Client::new(place.clone(), Version::HTTP_11);
    let reply = client
        .send(Method::GET, path, headers, Bytes::new(), most)
        .await?;
    match reply.status {
        StatusCode::OK => Ok(reply.body),
        status => Err(format!("it answered with {}", status.as_u16())),
    }
}

impl Client {
    /// `version` is HTTP/1.1 or HTTP/2.
    pub(crate) fn new(place: Place, version: Version) -> Self {
        Self {
            place,
            version,
            open: None,
        }
    }

    pub(crate) fn place(&self) -> &Place {
        &self.place
    }

    /// Sends a request and reads the answer; a body longer than `most` is a failure. The caller sees to the time: dropping
    /// this gives the connection up.
    ///
    /// # Errors
    /// In words, for people.
    pub(crate) async fn send(
        &mut self,
        method: Method,
        path: &str,
        headers: HeaderMap,
        body: Bytes,
        most: usize,
    ) -> Result<Reply, String> {
        let request = self.request(method, path, headers, body)?;
        // Taken, so that whoever stops waiting leaves no half of an exchange behind.
        let mut open = match self.open.take().filter(|open| !open.sender.is_closed()) {
            Some(open) => open,
            None => self.connect().await?,
        };
        let response = open.sender.send(request).await?;
        let reply = read(response, most).await?;
        self.open = Some(open);
        Ok(reply)
    }

    fn request(
        &self,
        method: Method,
        path: &str,
        headers: HeaderMap,
        body: Bytes,
    ) -> Result<Request<Full<Bytes>>, String> {
        let bad = |why: &dyn fmt::Display| format!("`{path}` cannot be asked for: {why}");
        let path_and_query = PathAndQuery::try_from(path).map_err(|why| bad(&why))?;
        let authority = self.place.to_string();
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = method;
        *request.headers_mut() = headers;
        request.headers_mut().insert(USER_AGENT, AGENT);
        *request.uri_mut() = match self.version {
            Version::HTTP_2 => {
                let scheme = if self.place.tls.is_some() {
                    "https"
                } else {
                    "http"
                };
                let uri = Uri::builder().scheme(scheme).authority(authority);
                uri.path_and_query(path_and_query)
                    .build()
                    .map_err(|why| bad(&why))?
            }
            _ => {
                let host = HeaderValue::try_from(authority).map_err(|why| bad(&why))?;
                request.headers_mut().insert(HOST, host);
                path_and_query.into()
            }
        };
        Ok(request)
    }

    async fn connect(&self) -> Result<Open, String> {
        let Place { host, port, tls } = &self.place;
        let refused = |why: std::io::Error| format!("it cannot be connected to: {why}");
        let tcp = TcpStream::connect((host.as_str(), *port))
            .await
            .map_err(refused)?;
        // A request is written at once, and what it waits for is its answer.
        let _ = tcp.set_nodelay(true);
        let Some(tls) = tls else {
            return self.speak(tcp).await;
        };
        let side = match self.version {
            Version::HTTP_2 => &tls.h2,
            _ => &tls.h1,
        };
        let name = host.clone().try_into();
        let name = name.map_err(|_| format!("`{host}` is no name of a server"))?;
        let connector = TlsConnector::from(Arc::clone(&side.config));
        self.speak(connector.connect(name, tcp).await.map_err(refused)?)
            .await
    }

    async fn speak<S>(&self, stream: S) -> Result<Open, String>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let refused = |why: hyper::Error| format!("it does not speak HTTP: {why}");
        let stream = TokioIo::new(stream);
        Ok(match self.version {
            Version::HTTP_2 => {
                let mut builder = http2::Builder::new(TokioExecutor::new());
                let handshake = builder.timer(TokioTimer::new()).handshake(stream);
                let (sender, connection) = handshake.await.map_err(refused)?;
                Open::new(Sender::Two(sender), connection)
            }
            _ => {
                let mut builder = http1::Builder::new();
                builder.max_buf_size(HEAD_BYTES).max_header_size(HEAD_BYTES);
                let (sender, connection) = builder.handshake(stream).await.map_err(refused)?;
                Open::new(Sender::One(sender), connection)
            }
        })
    }
}

impl Open {
    fn new(
        sender: Sender,
        connection: impl Future<Output = hyper::Result<()>> + Send + 'static,
    ) -> Self {
        // Its errors are those of the requests on it.
        let driver = tokio::spawn(async move { drop(connection.await) }).abort_handle();
        Self { sender, driver }
    }
}

impl Sender {
    fn is_closed(&self) -> bool {
        match self {
            Self::One(sender) => sender.is_closed(),
            Self::Two(sender) => sender.is_closed(),
        }
    }

    async fn send(&mut self, request: Request<Full<Bytes>>) -> Result<Response<Incoming>, String> {
        let sent = match self {
            Self::One(sender) => sender.send_request(request).await,
            Self::Two(sender) => sender.send_request(request).await,
        };
        sent.map_err(|why| format!("it did not answer: {why}"))
    }
}

async fn read(response: Response<Incoming>, most: usize) -> Result<Reply, String> {
    let (parts, mut incoming) = response.into_parts();
    let (mut body, mut trailers) = (BytesMut::new(), HeaderMap::new());
    while let Some(frame) = incoming.frame().await {
        let frame = frame.map_err(|why| format!("its answer broke off: {why}"))?;
        match frame.into_data() {
            Ok(data) if body.len() + data.len() > most => {
                return Err(format!("its answer is longer than {most} bytes"));
            }
            Ok(data) => body.extend_from_slice(&data),
            Err(frame) => trailers = frame.into_trailers().unwrap_or_default(),
        }
    }
    Ok(Reply {
        status: parts.status,
        headers: parts.headers,
        body: body.freeze(),
        trailers,
    })
}
