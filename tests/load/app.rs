//! The application behind the proxies: it answers as fast as it can, in every protocol that is measured.
//!
//! Never counted: it runs in the process that makes the load.

use std::convert::Infallible;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::thread::JoinHandle;

use anyhow::{Context as _, Result};
use bytes::Bytes;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// Beside whatever else this machine has on loopback.
pub(crate) const HOST: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 83, 0, 31));

/// What one listener of the application speaks, and what is measured over it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Service {
    /// HTTP/1.1: `/N` is answered with N bytes.
    Http,
    /// gRPC without TLS: the message comes back.
    Grpc,
    /// Bytes: see [`Order`].
    Tcp,
}

impl Service {
    pub(crate) const ALL: [Self; 3] = [Self::Http, Self::Grpc, Self::Tcp];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Grpc => "grpc",
            Self::Tcp => "tcp",
        }
    }

    /// Where the application listens.
    pub(crate) fn address(self) -> SocketAddr {
        (HOST, 8_080 + self.offset()).into()
    }

    /// The ports of everything are apart by this.
    pub(crate) fn offset(self) -> u16 {
        match self {
            Self::Http => 0,
            Self::Grpc => 1,
            Self::Tcp => 2,
        }
    }
}

/// What the first byte of a TCP connection asks for.
#[derive(Debug, Clone, Copy)]
#[repr(u8)]
pub(crate) enum Order {
    /// One byte back for each.
    Echo = b'e',
    /// As many bytes as the connection takes.
    Send = b's',
    /// Nothing back.
    Take = b't',
}

/// Serves until this process ends.
pub(crate) fn start() -> Result<JoinHandle<()>> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let listen = |service: Service| {
        let address = service.address();
        let listener = runtime.block_on(TcpListener::bind(address));
        listener.with_context(|| format!("{address} is taken"))
    };
    let (http, grpc, tcp) = (
        listen(Service::Http)?,
        listen(Service::Grpc)?,
        listen(Service::Tcp)?,
    );
    let serve = move || {
        runtime.block_on(async {
            tokio::join!(
                accept(http, serve_http),
                accept(grpc, serve_grpc),
                accept(tcp, serve_tcp)
            );
        });
    };
    Ok(std::thread::Builder::new()
        .name("app".to_owned())
        .spawn(serve)?)
}

async fn accept<F>(listener: TcpListener, serve: impl Fn(TcpStream) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    while let Ok((stream, _)) = listener.accept().await {
        let _ = stream.set_nodelay(true);
        tokio::spawn(serve(stream));
    }
}

async fn serve_http(stream: TcpStream) {
    let served = http1::Builder::new().serve_connection(TokioIo::new(stream), service_fn(bytes));
    // How it ends is for the load to see.
    let _ = served.await;
}

async fn bytes(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    static ZEROS: [u8; 1 << 20] = [b'.'; 1 << 20];
    let length = request.uri().path().trim_start_matches('/').parse().ok();
    let body = length.and_then(|length: usize| ZEROS.get(..length));
    Ok(Response::new(Full::new(Bytes::from_static(
        body.unwrap_or_default(),
    ))))
}

async fn serve_grpc(stream: TcpStream) {
    let served = http2::Builder::new(TokioExecutor::new())
        .serve_connection(TokioIo::new(stream), service_fn(echo));
    // How it ends is for the load to see.
    let _ = served.await;
}

async fn echo(
    request: Request<Incoming>,
) -> Result<Response<BoxBody<Bytes, Infallible>>, Infallible> {
    let message = request.into_body().collect().await;
    let message = message
        .map(http_body_util::Collected::to_bytes)
        .unwrap_or_default();
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", HeaderValue::from_static("0"));
    let body = Full::new(message).with_trailers(async move { Some(Ok(trailers)) });
    let mut response = Response::new(body.boxed());
    let grpc = HeaderValue::from_static("application/grpc");
    response.headers_mut().insert(CONTENT_TYPE, grpc);
    Ok(response)
}

async fn serve_tcp(mut stream: TcpStream) {
    let mut buffer = vec![0; 64 * 1024];
    let Ok(order) = stream.read_u8().await else {
        return;
    };
    loop {
        let done = match order {
            order if order == Order::Send as u8 => stream.write_all(&buffer).await.map(|()| 1),
            order if order == Order::Take as u8 => stream.read(&mut buffer).await,
            _ => match stream.read(&mut buffer).await {
                Ok(length @ 1..) => {
                    let echo = buffer.get(..length).unwrap_or_default();
                    stream.write_all(echo).await.map(|()| length)
                }
                ended => ended,
            },
        };
        if !matches!(done, Ok(1..)) {
            return;
        }
    }
}
