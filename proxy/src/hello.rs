//! What a connection begins with, as far as it has to be known before it is served.
//!
//! Never waits for more bytes than an answer needs, nor for long: the client may wait for the server to speak first.

use std::io;
use std::time::Duration;

use bytes::BytesMut;
use rustls::server::Acceptor;
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::stream::{HttpVersion, PREFACE, Rewound};

/// For the first bytes, where a client may also wait for the other side to speak first.
pub(crate) const DETECT_WAIT: Duration = Duration::from_secs(2);
/// A `ClientHello` is one or two KiB.
const HELLO_BYTES: usize = 16 * 1024;
/// What begins a TLS record that holds a handshake.
const TLS_HANDSHAKE: u8 = 0x16;
/// The longest method of HTTP that is registered (RFC 9110 16.1) has 17 letters.
const METHOD_BYTES: usize = 17;

/// How a client begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Hello {
    /// TLS between proxies of the mesh.
    Mesh,
    /// Other TLS, with the server name that is asked for.
    Tls(Option<String>),
    /// Anything else, or nothing in time.
    Other,
}

/// How a client begins that leaves the mesh.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Spoken {
    Tls(Option<String>),
    Http(HttpVersion),
    Bytes,
}

/// Is it TLS, and whose?
pub(crate) async fn detect(tcp: TcpStream) -> io::Result<(Hello, Rewound<TcpStream>)> {
    let (found, tcp) = read(tcp, hello).await?;
    let hello = found.unwrap_or_else(|read| match read.first() {
        Some(&TLS_HANDSHAKE) => Hello::Tls(None),
        _ => Hello::Other,
    });
    Ok((hello, tcp))
}

/// Which protocol is it?
pub(crate) async fn protocol(tcp: TcpStream) -> io::Result<(Spoken, Rewound<TcpStream>)> {
    let (found, tcp) = read(tcp, spoken).await?;
    let spoken = found.unwrap_or_else(|read| match read.first() {
        Some(&TLS_HANDSHAKE) => Spoken::Tls(None),
        _ => Spoken::Bytes,
    });
    Ok((spoken, tcp))
}

type Read<T> = (Result<T, BytesMut>, Rewound<TcpStream>);

/// Reads until `tell` can tell, or nothing more is to be expected; then what was read is told instead.
async fn read<T>(mut tcp: TcpStream, tell: impl Fn(&[u8]) -> Option<T>) -> io::Result<Read<T>> {
    let mut read = BytesMut::with_capacity(2 * 1024);
    let mut found = None;
    let reading = async {
        while found.is_none() && read.len() < HELLO_BYTES {
            if tcp.read_buf(&mut read).await? == 0 {
                break;
            }
            found = tell(&read);
        }
        io::Result::Ok(())
    };
    if let Ok(ended) = timeout(DETECT_WAIT, reading).await {
        ended?;
    }
    let ahead = read.clone().freeze();
    Ok((found.ok_or(read), Rewound::new(ahead, tcp)))
}

/// What these first bytes are; `None` where more are needed to tell.
fn hello(read: &[u8]) -> Option<Hello> {
    if read.first() != Some(&TLS_HANDSHAKE) {
        return Some(Hello::Other);
    }
    let mut acceptor = Acceptor::default();
    let mut rest = read;
    while !rest.is_empty() {
        if acceptor.read_tls(&mut rest).is_err() {
            return Some(Hello::Tls(None));
        }
        match acceptor.accept() {
            Ok(None) => {}
            Ok(Some(accepted)) => {
                let hello = accepted.client_hello();
                let mut alpn = hello.alpn().into_iter().flatten();
                if alpn.any(|name| name.starts_with(b"mesh/")) {
                    return Some(Hello::Mesh);
                }
                return Some(Hello::Tls(hello.server_name().map(str::to_owned)));
            }
            Err(_) => return Some(Hello::Tls(None)),
        }
    }
    None
}

fn spoken(read: &[u8]) -> Option<Spoken> {
    match hello(read)? {
        Hello::Tls(name) => return Some(Spoken::Tls(name)),
        Hello::Mesh => return Some(Spoken::Tls(None)),
        Hello::Other => {}
    }
    if read.starts_with(PREFACE) {
        return Some(Spoken::Http(HttpVersion::Two));
    }
    if PREFACE.starts_with(read) {
        return None;
    }
    let letter = |byte: &u8| byte.is_ascii_uppercase() || *byte == b'-';
    let method = read.iter().take_while(|byte| letter(byte)).count();
    match read.get(method) {
        _ if method > METHOD_BYTES => Some(Spoken::Bytes),
        Some(b' ') if method > 0 => Some(Spoken::Http(HttpVersion::One)),
        Some(_) => Some(Spoken::Bytes),
        None => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_protocol_is_told_by_its_first_bytes() {
        let cases: [(&[u8], Option<Spoken>); 10] = [
            (b"", None),
            (b"GE", None),
            (b"GET /", Some(Spoken::Http(HttpVersion::One))),
            (b"BASELINE-CONTROL /", Some(Spoken::Http(HttpVersion::One))),
            (b"P", None),
            (b"PRI * HTTP/2.0\r\n", None),
            (PREFACE, Some(Spoken::Http(HttpVersion::Two))),
            (b"SSH-2.0-client", Some(Spoken::Bytes)),
            (b"get /", Some(Spoken::Bytes)),
            (b"\x16\x03\x01\x00", None),
        ];
        for (read, expected) in cases {
            // An empty read is never asked about.
            let found = (!read.is_empty()).then(|| spoken(read)).flatten();
            assert_eq!(found, expected, "{}", read.escape_ascii());
        }
        // A handshake that does not begin with a `ClientHello`.
        let other = b"\x16\x03\x01\x00\x04\x09\x00\x00\x00";
        assert_eq!(spoken(other), Some(Spoken::Tls(None)));
    }
}
