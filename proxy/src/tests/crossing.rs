//! Requests that cross the farewell of the other side on the way.

use http::{Request, StatusCode};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo};
use mesh_bundle::resource::Protocol;
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::site::{Site, address};
use super::wire::{client, full, read};

const DATA: u8 = 0;
const HEADERS: u8 = 1;

/// The first 9 bytes of a frame without flags on stream 0.
fn head(length: u8, kind: u8) -> [u8; 9] {
    [0, 0, length, kind, 0, 0, 0, 0, 0]
}

/// Reads until a frame of this kind is there, and says that no request was looked at.
async fn farewell(mut stream: TcpStream, after: u8) {
    const SETTINGS: u8 = 4;
    const GOAWAY: u8 = 7;
    stream.write_all(&head(0, SETTINGS)).await.unwrap();
    let mut preface = [0; 24];
    stream.read_exact(&mut preface).await.unwrap();
    loop {
        let mut head = [0; 9];
        stream.read_exact(&mut head).await.unwrap();
        let length = u64::from(u32::from_be_bytes([0, head[0], head[1], head[2]]));
        let payload = (&mut stream).take(length);
        tokio::io::copy(&mut { payload }, &mut tokio::io::sink())
            .await
            .unwrap();
        if head[3] == after && length > 0 {
            break;
        }
    }
    // The last stream that was looked at: 0; the reason: none.
    stream.write_all(&head(8, GOAWAY)).await.unwrap();
    stream.write_all(&[0; 8]).await.unwrap();
    stream.shutdown().await.unwrap();
}

/// Sends the first of its clients away, and answers the others.
async fn leaving_workload(after: u8) -> SocketAddr {
    let listener = TcpListener::bind(address(8_080)).await.unwrap();
    let at = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (first, _) = listener.accept().await.unwrap();
        farewell(first, after).await;
        let service = hyper::service::service_fn(|request: Request<Incoming>| async {
            let body = request.into_body().collect().await.unwrap().to_bytes();
            let text = format!("here are {} bytes", body.len());
            Ok::<_, std::convert::Infallible>(http::Response::new(full(text).boxed()))
        });
        while let Ok((stream, _)) = listener.accept().await {
            let server = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
            tokio::spawn(server.serve_connection(TokioIo::new(stream), service));
        }
    });
    at
}

#[tokio::test]
async fn a_request_that_nobody_looked_at_is_sent_again() {
    for method in ["GET", "POST"] {
        let site = Site::start(Protocol::Http2, leaving_workload(HEADERS).await).await;
        let request = Request::builder().method(method).uri("/");
        let request = request.header("host", "api").body(full("")).unwrap();
        let response = client(site.entry).await.send_request(request).await;
        let (status, _, text) = read(response.unwrap()).await;
        let expected = (StatusCode::OK, "here are 0 bytes");
        assert_eq!((status, text.as_str()), expected, "{method}");
    }
}

#[tokio::test]
async fn a_body_that_had_begun_is_sent_again_with_its_request() {
    for (bytes, expected) in [
        (5_000, Some("here are 5000 bytes")),
        (60_000, Some("here are 60000 bytes")),
        // More than is kept.
        (300_000, None),
    ] {
        // Its workload has read some of it.
        let site = Site::start(Protocol::Http2, leaving_workload(DATA).await).await;
        let request = Request::post("/").header("host", "api");
        let request = request.body(full("x".repeat(bytes))).unwrap();
        let response = client(site.entry).await.send_request(request).await;
        let (status, _, text) = read(response.unwrap()).await;
        match expected {
            Some(expected) => assert_eq!((status, text.as_str()), (StatusCode::OK, expected)),
            None => assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "{text}"),
        }
    }
}

/// Answers the first request of each connection, and closes instead of answering the second: with a reset where `reset`.
async fn tired_workload(reset: bool) -> SocketAddr {
    let listener = TcpListener::bind(address(8_080)).await.unwrap();
    let at = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut head = [0; 1024];
                drop(stream.read(&mut head).await);
                let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
                drop(stream.write_all(answer).await);
                drop(stream.read(&mut head).await);
                if reset {
                    stream.set_zero_linger().unwrap();
                }
            });
        }
    });
    at
}

#[tokio::test]
async fn a_request_that_crosses_the_end_of_an_idle_connection_is_sent_again() {
    for reset in [false, true] {
        let site = Site::start(Protocol::Http, tired_workload(reset).await).await;
        let mut client = client(site.entry).await;
        for (method, expected) in [
            ("GET", StatusCode::OK),
            ("GET", StatusCode::OK),
            ("HEAD", StatusCode::OK),
            ("DELETE", StatusCode::OK),
            // Nobody knows whether it was done, and doing it twice is not the same.
            ("POST", StatusCode::SERVICE_UNAVAILABLE),
            ("POST", StatusCode::OK),
        ] {
            client.ready().await.unwrap();
            let request = Request::builder().method(method).uri("/");
            let request = request.header("host", "api").body(full("")).unwrap();
            let response = client.send_request(request).await.unwrap();
            assert_eq!(response.status(), expected, "{method} {reset}");
            response.into_body().collect().await.unwrap();
        }
    }
}
