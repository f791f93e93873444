//! A workload that speaks HTTP/1.1 or HTTP/2: it tells who it is and what it received.
//!
//! Never TLS: that is the proxy's.
//!
//! `/hold` is answered after a release · `/status/503` with that status · `/flaky/503/2` with that status the first two times · `/told/503/2/retry-after/1` with that status and header the first two times · `/sick/NAME` with 503 where that is its name · `/slow/NAME/300` after so many milliseconds where that is its name · an upgrade to `websocket` is accepted and echoes bytes ·
//! `/grpc.health.v1.Health/Check` says that it is well, unless its name is asked about · a request of type `application/grpc` is echoed with trailers · everything else is answered with what was received, as JSON.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::json;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::Shared;
use crate::client::Body;

const HEALTH: &str = "/grpc.health.v1.Health/Check";
/// RFC 6455, section 1.3.
const WEBSOCKET: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

pub(crate) async fn serve_http1(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let _ = stream.set_nodelay(true);
        let shared = Arc::clone(&shared);
        let service = service_fn(move |request| answer(request, Arc::clone(&shared)));
        let connection = http1::Builder::new()
            .serve_connection(TokioIo::new(stream), service)
            .with_upgrades();
        connections.spawn(connection);
        while connections.try_join_next().is_some() {}
    }
}

pub(crate) async fn serve_http2(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let _ = stream.set_nodelay(true);
        let shared = Arc::clone(&shared);
        let service = service_fn(move |request| answer(request, Arc::clone(&shared)));
        let connection = http2::Builder::new(TokioExecutor::new())
            .serve_connection(TokioIo::new(stream), service);
        connections.spawn(connection);
        while connections.try_join_next().is_some() {}
    }
}

async fn answer(
    request: Request<Incoming>,
    shared: Arc<Shared>,
) -> Result<Response<Body>, Infallible> {
    shared.count();
    let path = request.uri().path().to_owned();
    let mut response = if asks_for_websocket(request.headers()) {
        upgrade(request)
    } else if path == HEALTH {
        health(request, &shared.name).await
    } else if is_grpc(request.headers()) {
        echo_with_trailers(request).await
    } else {
        tell(request, &shared.name).await
    };
    if path == "/hold" {
        shared.held().await;
    }
    if let Some(wait) = slow(&path, &shared.name) {
        // Nothing is waited for here: to be slow is what it is asked for.
        let _ = timeout(wait, std::future::pending::<()>()).await;
    }
    if let Some(status) = path.strip_prefix("/status/") {
        let status = status
            .parse()
            .ok()
            .and_then(|status| StatusCode::from_u16(status).ok());
        *response.status_mut() = status.unwrap_or(StatusCode::BAD_REQUEST);
    }
    if path.strip_prefix("/sick/") == Some(&shared.name) {
        *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    }
    if let Some((status, times)) = flaky(&path)
        && shared.asked(&path) <= times
    {
        *response.status_mut() = status;
    }
    if let Some((status, times, name, value)) = told(&path)
        && shared.asked(&path) <= times
    {
        *response.status_mut() = status;
        response.headers_mut().insert(name, value);
    }
    if let Ok(name) = HeaderValue::from_str(&shared.name) {
        response.headers_mut().insert("x-served-by", name);
    }
    Ok(response)
}

/// How long somebody of this name takes.
fn slow(path: &str, name: &str) -> Option<Duration> {
    let (who, millis) = path.strip_prefix("/slow/")?.split_once('/')?;
    let wait = Duration::from_millis(millis.parse().ok()?);
    (who == name).then_some(wait)
}

/// Which status, and how often before all is well.
fn flaky(path: &str) -> Option<(StatusCode, u64)> {
    let (status, times) = path.strip_prefix("/flaky/")?.split_once('/')?;
    let status = StatusCode::from_u16(status.parse().ok()?).ok()?;
    Some((status, times.parse().ok()?))
}

/// Which status and header, and how often before all is well.
fn told(path: &str) -> Option<(StatusCode, u64, HeaderName, HeaderValue)> {
    let mut words = path.strip_prefix("/told/")?.split('/');
    let status = StatusCode::from_u16(words.next()?.parse().ok()?).ok()?;
    let times = words.next()?.parse().ok()?;
    let name = HeaderName::try_from(words.next()?).ok()?;
    Some((status, times, name, words.next()?.parse().ok()?))
}

async fn tell(request: Request<Incoming>, name: &str) -> Response<Body> {
    let (head, body) = request.into_parts();
    let body = body
        .collect()
        .await
        .map(http_body_util::Collected::to_bytes);
    let headers: serde_json::Map<_, _> = head
        .headers
        .iter()
        .map(|(name, value)| {
            let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
            (name.to_string(), value.into())
        })
        .collect();
    let told = json!({
        "workload": name,
        "method": head.method.as_str(),
        "uri": head.uri.to_string(),
        "version": format!("{:?}", head.version),
        "headers": headers,
        "body": body.map(|body| String::from_utf8_lossy(&body).into_owned()).unwrap_or_default(),
    });
    let mut response = Response::new(Full::new(Bytes::from(told.to_string())).boxed());
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert("content-type", json);
    response
}

fn is_grpc(headers: &HeaderMap) -> bool {
    headers
        .get("content-type")
        .is_some_and(|value| value.as_bytes().starts_with(b"application/grpc"))
}

/// The message comes back, and behind it the status that gRPC sends in trailers.
async fn echo_with_trailers(request: Request<Incoming>) -> Response<Body> {
    let body = request.into_body().collect().await;
    let body = body
        .map(http_body_util::Collected::to_bytes)
        .unwrap_or_default();
    with_trailers(body)
}

fn with_trailers(body: Bytes) -> Response<Body> {
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", HeaderValue::from_static("0"));
    trailers.insert("grpc-message", HeaderValue::from_static("well done"));
    let frames = [Frame::data(body), Frame::trailers(trailers)].map(Ok::<_, Infallible>);
    let mut response = Response::new(StreamBody::new(tokio_stream::iter(frames)).boxed());
    let grpc = HeaderValue::from_static("application/grpc");
    response.headers_mut().insert("content-type", grpc);
    response
}

fn asks_for_websocket(headers: &HeaderMap) -> bool {
    headers
        .get("upgrade")
        .is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"websocket"))
}

fn upgrade(request: Request<Incoming>) -> Response<Body> {
    let key = request.headers().get("sec-websocket-key");
    let accept = key.and_then(|key| HeaderValue::from_str(&accept(key.as_bytes())).ok());
    tokio::spawn(async move {
        let Ok(stream) = hyper::upgrade::on(request).await else {
            return;
        };
        let (mut read, mut write) = tokio::io::split(TokioIo::new(stream));
        // The end of the tunnel, in whatever way, ends the echo.
        let _ = tokio::io::copy(&mut read, &mut write).await;
        let _ = tokio::io::AsyncWriteExt::shutdown(&mut write).await;
    });
    let mut response = Response::new(Full::default().boxed());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert("connection", HeaderValue::from_static("Upgrade"));
    headers.insert("upgrade", HeaderValue::from_static("websocket"));
    if let Some(accept) = accept {
        headers.insert("sec-websocket-accept", accept);
    }
    response
}

/// As `grpc.health.v1` has it: well, unless somebody asks for the service that has its name.
async fn health(request: Request<Incoming>, name: &str) -> Response<Body> {
    let asked = request.into_body().collect().await;
    let asked = asked.map(http_body_util::Collected::to_bytes);
    let sick = asked.is_ok_and(|asked| asked.ends_with(name.as_bytes()));
    let message: &[u8] = match sick {
        true => &[0, 0, 0, 0, 2, 8, 2],
        false => &[0, 0, 0, 0, 2, 8, 1],
    };
    with_trailers(Bytes::from_static(message))
}

/// What proves that the server understood the handshake.
fn accept(key: &[u8]) -> String {
    let text = [key, WEBSOCKET.as_bytes()].concat();
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA1_FOR_LEGACY_USE_ONLY, &text);
    STANDARD.encode(digest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_handshake_is_that_of_the_rfc() {
        let accept = accept(b"dGhlIHNhbXBsZSBub25jZQ==");
        assert_eq!(accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }
}
