//! Workloads and their clients: small ones, made of the library itself.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body::{Body, Frame};
use http_body_util::{BodyExt as _, Full, combinators::BoxBody};
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

use super::site::address;

pub(crate) type AnyBody = BoxBody<Bytes, Infallible>;

pub(crate) fn full(text: impl Into<Bytes>) -> AnyBody {
    Full::new(text.into()).boxed()
}

/// Frames, one after the other.
pub(crate) struct Frames(pub(crate) VecDeque<Frame<Bytes>>);

impl Body for Frames {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.0.pop_front().map(Ok))
    }
}

/// A body without an end, that lets others run between two frames.
#[derive(Default)]
pub(crate) struct Endless(bool);

impl Body for Endless {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0 = !self.0;
        if self.0 {
            return Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(&[b'.'; 4096])))));
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

/// A body that begins and then says nothing more.
#[derive(Default)]
pub(crate) struct Stalled(bool);

impl Body for Stalled {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match std::mem::replace(&mut self.0, true) {
            false => Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(b"tick"))))),
            true => Poll::Pending,
        }
    }
}

/// A body whose frames come from elsewhere.
pub(crate) struct Piped(pub(crate) mpsc::Receiver<Frame<Bytes>>);

impl Body for Piped {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0.poll_recv(cx).map(|frame| frame.map(Ok))
    }
}

/// A workload that answers with what `answer` says, over HTTP/1.1 or HTTP/2.
pub(crate) async fn workload<F, Fut>(two: bool, answer: F) -> SocketAddr
where
    F: Fn(Request<Incoming>) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = Response<AnyBody>> + Send + 'static,
{
    let listener = TcpListener::bind(address(8_080)).await.unwrap();
    let at = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (tcp, _) = listener.accept().await.unwrap();
            tcp.set_nodelay(true).unwrap();
            let answer = answer.clone();
            let service = service_fn(move |request| {
                let answering = answer(request);
                async move { Ok::<_, Infallible>(answering.await) }
            });
            tokio::spawn(async move {
                let io = TokioIo::new(tcp);
                if two {
                    let server = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
                    drop(server.serve_connection(io, service).await);
                } else {
                    let server = hyper::server::conn::http1::Builder::new();
                    drop(server.serve_connection(io, service).with_upgrades().await);
                }
            });
        }
    });
    at
}

/// A workload that tells what it was asked: a line for the request, a line for each header, the body.
pub(crate) async fn mirror_workload(two: bool) -> SocketAddr {
    workload(two, |request| async move {
        let (parts, body) = request.into_parts();
        let mut text = format!("{} {}\n", parts.method, parts.uri);
        for (name, value) in &parts.headers {
            text.push_str(&format!("{name}: {}\n", value.to_str().unwrap()));
        }
        text.push('\n');
        let body = body.collect().await.unwrap().to_bytes();
        text.push_str(&String::from_utf8_lossy(&body));
        Response::new(full(text))
    })
    .await
}

/// A workload that always says the same.
pub(crate) async fn constant_workload(text: &'static str) -> SocketAddr {
    workload(false, move |_| async move { Response::new(full(text)) }).await
}

/// A workload that sends back every byte, and closes after its client has.
pub(crate) async fn echo_workload() -> SocketAddr {
    let listener = TcpListener::bind(address(8_080)).await.unwrap();
    let at = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (mut tcp, _) = listener.accept().await.unwrap();
            tokio::spawn(async move {
                let (mut read, mut write) = tcp.split();
                drop(tokio::io::copy(&mut read, &mut write).await);
                drop(write.shutdown().await);
            });
        }
    });
    at
}

pub(crate) async fn client(at: SocketAddr) -> http1::SendRequest<AnyBody> {
    let tcp = TcpStream::connect(at).await.unwrap();
    tcp.set_nodelay(true).unwrap();
    let (sender, connection) = http1::handshake(TokioIo::new(tcp)).await.unwrap();
    tokio::spawn(connection.with_upgrades());
    sender
}

pub(crate) async fn client_two(at: SocketAddr) -> http2::SendRequest<AnyBody> {
    let tcp = TcpStream::connect(at).await.unwrap();
    tcp.set_nodelay(true).unwrap();
    let io = TokioIo::new(tcp);
    let (sender, connection) = http2::handshake(TokioExecutor::new(), io).await.unwrap();
    tokio::spawn(connection);
    sender
}

pub(crate) fn get(path: &str) -> Request<AnyBody> {
    let request = Request::get(path).header("host", "api");
    request.body(full("")).unwrap()
}

/// Everything of an answer.
pub(crate) async fn read(response: Response<Incoming>) -> (StatusCode, HeaderMap, String) {
    let (parts, body) = response.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let text = String::from_utf8_lossy(&body).into_owned();
    (parts.status, parts.headers, text)
}

/// One request on its own connection.
pub(crate) async fn fetch(at: SocketAddr, path: &str) -> (StatusCode, HeaderMap, String) {
    let response = client(at).await.send_request(get(path)).await.unwrap();
    read(response).await
}

/// What comes back for some bytes and an end, until the other side closes.
pub(crate) async fn raw(at: SocketAddr, bytes: &[u8]) -> String {
    exchange(at, bytes, true).await
}

/// The same from a client that only waits.
pub(crate) async fn until_closed(at: SocketAddr, bytes: &[u8]) -> String {
    exchange(at, bytes, false).await
}

async fn exchange(at: SocketAddr, bytes: &[u8], end: bool) -> String {
    let mut tcp = TcpStream::connect(at).await.unwrap();
    // Who refuses early may close before all is written, and a reset says the same as a close.
    drop(tcp.write_all(bytes).await);
    if end {
        drop(tcp.shutdown().await);
    }
    let mut answer = Vec::new();
    drop(tcp.read_to_end(&mut answer).await);
    String::from_utf8_lossy(&answer).into_owned()
}
