//! Frames of HTTP/2 that no good client sends: each is refused, and the others are served.
//!
//! Never uses a library for the client: it would refuse to write them.

use std::net::SocketAddr;

use http::StatusCode;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::smuggling::watched;
use super::wire::fetch;

pub(super) const DATA: u8 = 0;
pub(super) const HEADERS: u8 = 1;
pub(super) const RESET: u8 = 3;
pub(super) const SETTINGS: u8 = 4;
pub(super) const PING: u8 = 6;
pub(super) const GOAWAY: u8 = 7;
pub(super) const CONTINUATION: u8 = 9;

pub(super) const END_STREAM: u8 = 1;
pub(super) const END_HEADERS: u8 = 4;

pub(super) const GOOD: [(&str, &str); 4] = [
    (":method", "GET"),
    (":scheme", "http"),
    (":authority", "api"),
    (":path", "/"),
];

pub(super) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut frame = vec![length[1], length[2], length[3], kind, flags];
    frame.extend_from_slice(&stream.to_be_bytes());
    frame.extend_from_slice(payload);
    frame
}

/// Literals only, as they are.
pub(super) fn fields(fields: &[(&str, &str)]) -> Vec<u8> {
    let mut block = Vec::new();
    let mut text = |text: &str| {
        assert!(text.len() < 127);
        block.push(u8::try_from(text.len()).unwrap());
        block.extend_from_slice(text.as_bytes());
    };
    let mut whole = Vec::new();
    for (name, value) in fields {
        text(name);
        text(value);
    }
    // Each literal begins with a byte of its own: put it before each name.
    let mut rest = block.as_slice();
    while let [length, ..] = rest {
        let name = 1 + usize::from(*length);
        let value = name + 1 + usize::from(rest[name]);
        whole.push(0);
        whole.extend_from_slice(&rest[..value]);
        rest = &rest[value..];
    }
    whole
}

fn request(list: &[(&str, &str)], flags: u8) -> Vec<u8> {
    frame(HEADERS, END_HEADERS | flags, 1, &fields(list))
}

/// A good request with one of its parts replaced or added.
fn with(name: &str, value: &str) -> Vec<u8> {
    let mut list: Vec<_> = GOOD
        .into_iter()
        .filter(|(other, _)| *other != name)
        .collect();
    let at = if name.starts_with(':') { 0 } else { list.len() };
    list.insert(at, (name, value));
    request(&list, END_STREAM)
}

fn and(more: &[(&str, &str)]) -> Vec<u8> {
    request(&[&GOOD[..], more].concat(), END_STREAM)
}

/// How the proxy ends what a client has begun with these frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    Served,
    Answered,
    Reset,
    /// With this reason.
    Goodbye(u8),
    Closed,
}

pub(super) async fn end(at: SocketAddr, frames: &[u8]) -> End {
    end_of(at, frames, |_| true).await
}

/// The same, where only some ends are the end.
pub(super) async fn end_of(at: SocketAddr, frames: &[u8], last: impl Fn(End) -> bool) -> End {
    let mut tcp = TcpStream::connect(at).await.unwrap();
    let preface = [
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        frame(SETTINGS, 0, 0, &[]).as_slice(),
    ]
    .concat();
    tcp.write_all(&preface).await.unwrap();
    let (mut read, mut write) = tcp.split();
    let writing = async {
        drop(write.write_all(frames).await);
        std::future::pending::<()>().await;
    };
    let reading = async {
        loop {
            let mut head = [0; 9];
            if read.read_exact(&mut head).await.is_err() {
                return End::Closed;
            }
            let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
            let mut payload = vec![0; usize::try_from(length).unwrap()];
            if read.read_exact(&mut payload).await.is_err() {
                return End::Closed;
            }
            let end = match (head[3], payload.first()) {
                // `:status: 200` of the static table.
                (HEADERS, Some(0x88)) => End::Served,
                (HEADERS, _) => End::Answered,
                (RESET, _) => End::Reset,
                (GOAWAY, _) => End::Goodbye(*payload.get(7).unwrap()),
                _ => continue,
            };
            if last(end) {
                return end;
            }
        }
    };
    tokio::select! {
        () = writing => unreachable!(),
        end = reading => end,
    }
}

#[expect(clippy::too_many_lines, reason = "it is one table")]
#[tokio::test]
async fn what_http_1_could_not_carry_reaches_nobody() {
    let (site, seen) = watched().await;
    assert_eq!(end(site.entry, &and(&[])).await, End::Served);
    assert_eq!(seen.lock().await.drain(..).count(), 1);
    let body = |length: &str, data: &[u8]| {
        let list = [&GOOD[..], &[("content-length", length)]].concat();
        [request(&list, 0), frame(DATA, END_STREAM, 1, data)].concat()
    };
    let trailers = |list: &[(&str, &str)], flags: u8| {
        [
            request(&GOOD, 0),
            frame(DATA, 0, 1, b"x"),
            request(list, flags),
        ]
        .concat()
    };
    let mut cases = vec![
        (
            "path with CR LF",
            with(":path", "/x HTTP/1.1\r\nx: y\r\n\r\nGET /smuggled"),
        ),
        ("path with LF", with(":path", "/x\ny")),
        ("path with space", with(":path", "/x y")),
        ("path with NUL", with(":path", "/x\0y")),
        ("path without slash", with(":path", "x")),
        ("path is absolute", with(":path", "http://other/x")),
        ("path is empty", with(":path", "")),
        ("method with space", with(":method", "GET / HTTP/1.1\r\n")),
        ("method is empty", with(":method", "")),
        ("scheme with junk", with(":scheme", "http://other/x?")),
        ("other scheme", with(":scheme", "ftp")),
        ("authority with CR LF", with(":authority", "api\r\nx: y")),
        ("authority with user", with(":authority", "user@api")),
        ("authority with slash", with(":authority", "api/x")),
        ("authority with space", with(":authority", "a b")),
        ("authority with list", with(":authority", "a,b")),
        ("authority is empty", with(":authority", "")),
        ("authority and other host", with("host", "other")),
        ("two hosts", and(&[("host", "api"), ("host", "api")])),
        (
            "value with CR LF",
            with("x", "a\r\n\r\nGET /smuggled HTTP/1.1\r\n\r\n"),
        ),
        ("value with CR", with("x", "a\rb")),
        ("value with LF", with("x", "a\nb")),
        ("value with NUL", with("x", "a\0b")),
        ("name with CR LF", with("x: y\r\nz", "a")),
        ("name with colon", with("x:y", "a")),
        ("name with space", with("x y", "a")),
        ("name in upper case", with("X-Upper", "a")),
        ("name is empty", with("", "a")),
        ("transfer-encoding", with("transfer-encoding", "chunked")),
        ("connection", with("connection", "close")),
        ("keep-alive", with("keep-alive", "1")),
        ("proxy-connection", with("proxy-connection", "keep-alive")),
        ("upgrade", with("upgrade", "h2c")),
        ("te", with("te", "gzip")),
        (
            "two lengths",
            and(&[("content-length", "0"), ("content-length", "1")]),
        ),
        ("length with sign", with("content-length", "+0")),
        ("length with list", with("content-length", "0, 0")),
        ("length without body", with("content-length", "5")),
        ("body without length", body("0", b"GET /smuggled")),
        ("body longer than its length", body("1", b"xGET /smuggled")),
        ("body shorter than its length", body("5", b"x")),
        ("trailers without end", trailers(&[("x", "y")], 0)),
        ("unknown pseudo-header", with(":x", "y")),
        ("status in a request", with(":status", "200")),
        (
            "connect without path",
            request(
                &[(":method", "CONNECT"), (":authority", "api:80")],
                END_STREAM,
            ),
        ),
        ("connect with path", with(":method", "CONNECT")),
        ("extended connect", and(&[(":protocol", "websocket")])),
        (
            "stream 0",
            frame(HEADERS, END_STREAM | END_HEADERS, 0, &fields(&GOOD)),
        ),
        (
            "stream 2",
            frame(HEADERS, END_STREAM | END_HEADERS, 2, &fields(&GOOD)),
        ),
        (
            "bad block",
            frame(HEADERS, END_STREAM | END_HEADERS, 1, &[0xff; 20]),
        ),
        ("data without stream", frame(DATA, 0, 1, b"x")),
        ("ping of 7 bytes", frame(PING, 0, 0, &[0; 7])),
        ("settings of 5 bytes", frame(SETTINGS, 0, 0, &[0; 5])),
        ("frame too large", frame(DATA, 0, 1, &[0; 20_000])),
    ];
    for missing in 0..GOOD.len() {
        let mut list = GOOD.to_vec();
        let (name, _) = list.remove(missing);
        cases.push((name, request(&list, END_STREAM)));
    }
    for (name, value) in GOOD {
        cases.push(("a pseudo-header twice", and(&[(name, value)])));
        cases.push((
            "twice at the front",
            request(&[&[(name, value)], &GOOD[..]].concat(), END_STREAM),
        ));
    }
    let mut wrong = Vec::new();
    for (what, frames) in cases {
        let end = end(site.entry, &frames).await;
        let mut seen = seen.lock().await;
        if end == End::Served || !seen.is_empty() {
            wrong.push(format!("{what}: {end:?} {seen:?}"));
        }
        seen.clear();
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(fetch(site.entry, "/").await.0, StatusCode::OK);
}
