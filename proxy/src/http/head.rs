//! What the head of a message must look like, and what of it belongs to one hop only.
//!
//! Never repairs what two servers could read differently: such a request is refused. Sources: RFC 9110 7.6, RFC 9112 3.2
//! and 6, and the advisories on request smuggling since 2019.

use std::borrow::Cow;
use std::time::Duration;

use http::header::{
    CONNECTION, CONTENT_LENGTH, COOKIE, EXPECT, Entry, HOST, PROXY_AUTHENTICATE, TE,
    TRANSFER_ENCODING, UPGRADE,
};
use http::request::Parts;
use http::uri::Authority;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Version};

use super::answer::is_grpc;
use super::bootstrap::Bootstrap;
use super::deadline;
use crate::refusal::Refusal;
use crate::upstream::Upgrade;

pub(super) const CLIENT_CERT: HeaderName = HeaderName::from_static("x-forwarded-client-cert");
/// Another HTTP below this one would bring requests that nobody looks at (RFC 9110 7.8, RFC 2817).
const NEVER_UPGRADED: [&str; 5] = ["h2", "h2c", "http", "https", "tls"];

/// Of one hop, whether or not `connection` names them (RFC 9110 7.6.1).
static HOP_BY_HOP: [HeaderName; 8] = [
    CONNECTION,
    HeaderName::from_static("http2-settings"),
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    PROXY_AUTHENTICATE,
    TE,
    TRANSFER_ENCODING,
    UPGRADE,
];
/// `connection` cannot name these: without them the message would be another.
const NEVER_NOMINATED: [&str; 4] = ["content-length", "content-type", "host", "trailer"];
/// Written with `_` some servers take them for the real ones.
const RESERVED: [&str; 10] = [
    "connection",
    "content-length",
    "content-type",
    "host",
    "proxy-connection",
    "transfer-encoding",
    "x-forwarded-client-cert",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
];

/// What was found out about a request.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) authority: HeaderValue,
    /// What the client asks to go on with.
    pub(super) upgrade: Option<Upgrade>,
    /// Of a gRPC call: how long the client waits for it.
    pub(super) deadline: Option<Duration>,
}

/// Which of the headers that matter here there are: one look at each name, where searching for each of these would take
/// longer, and most messages have almost none of them.
#[derive(Debug, Default, Clone, Copy)]
struct Present {
    connection: bool,
    deadline: bool,
    expect: bool,
    /// Of one hop.
    hop: bool,
    host: bool,
    /// `content-length` or `transfer-encoding`.
    framing: bool,
    te: bool,
    upgrade: bool,
    underscore: bool,
}

impl Present {
    fn of(headers: &HeaderMap) -> Self {
        let mut present = Self::default();
        for name in headers.keys() {
            match name.as_str() {
                "connection" => (present.connection, present.hop) = (true, true),
                "grpc-timeout" => present.deadline = true,
                "expect" => present.expect = true,
                "host" => present.host = true,
                "content-length" => present.framing = true,
                "transfer-encoding" => (present.framing, present.hop) = (true, true),
                "te" => (present.te, present.hop) = (true, true),
                "upgrade" => (present.upgrade, present.hop) = (true, true),
                "http2-settings" | "keep-alive" | "proxy-authenticate" | "proxy-connection" => {
                    present.hop = true;
                }
                other => present.underscore |= other.contains('_'),
            }
        }
        present
    }
}

/// Checks the head of a request, and takes from it what is not for the next hop.
pub(super) fn request(parts: &mut Parts) -> Result<Head, Refusal> {
    let present = Present::of(&parts.headers);
    let is_tunnel = parts.method == Method::CONNECT;
    if is_tunnel {
        tunnel(parts, present)?;
    }
    let authority = authority(parts)?;
    if present.framing {
        framing(parts)?;
    }
    let upgrade = match (is_tunnel, present.upgrade) {
        (true, _) => Some(Upgrade::Tunnel),
        (false, true) => upgrade(parts),
        (false, false) => None,
    };
    if upgrade.is_none() && present.upgrade && Bootstrap::is_one(&parts.extensions) {
        return Err(Refusal::BadRequest);
    }
    let headers = &mut parts.headers;
    let trailers = present.te && takes_trailers(headers);
    strip(headers, present);
    if present.host {
        headers.remove(HOST);
    }
    if present.expect {
        // Whoever sends the body sees to it that it is read.
        headers.remove(EXPECT);
    }
    if trailers {
        headers.insert(TE, HeaderValue::from_static("trailers"));
    }
    if present.underscore {
        drop_look_alikes(headers);
    }
    let timed = present.deadline && is_grpc(headers);
    let deadline = timed.then(|| deadline::given(headers)).flatten();
    Ok(Head {
        authority,
        upgrade,
        deadline,
    })
}

impl Head {
    /// The path in question; a tunnel leads to a host, and has none.
    pub(super) fn path<'p>(&self, parts: &'p Parts) -> &'p str {
        match self.upgrade {
            Some(Upgrade::Tunnel) => "/",
            _ => parts.uri.path(),
        }
    }
}

/// Takes from a response what is not for the client.
pub(super) fn response(headers: &mut HeaderMap) {
    strip(headers, Present::of(headers));
}

/// Who is asked: `:authority` or the absolute target, or else the only `host`.
fn authority(parts: &Parts) -> Result<HeaderValue, Refusal> {
    let mut hosts = parts.headers.get_all(HOST).iter();
    let (host, more) = (hosts.next(), hosts.next());
    if more.is_some() {
        return Err(Refusal::BadRequest);
    }
    let http = |scheme: &str| scheme == "http" || scheme == "https";
    if parts.uri.scheme_str().is_some_and(|scheme| !http(scheme)) {
        return Err(Refusal::BadRequest);
    }
    let value = match (parts.uri.authority(), host) {
        (None, None) => return Err(Refusal::BadRequest),
        (None, Some(host)) => host.clone(),
        (Some(target), None) if parts.version < Version::HTTP_2 => {
            // RFC 9112 3.2: a request of HTTP/1.1 has a `host` however its target is written.
            return match parts.version {
                Version::HTTP_10 => checked(as_value(target)?),
                _ => Err(Refusal::BadRequest),
            };
        }
        (Some(target), None) => as_value(target)?,
        (Some(target), Some(host)) => {
            let same = host
                .as_bytes()
                .eq_ignore_ascii_case(target.as_str().as_bytes());
            if parts.version >= Version::HTTP_2 && !same {
                return Err(Refusal::BadRequest);
            }
            // RFC 9112 3.2.2: a proxy ignores the field.
            as_value(target)?
        }
    };
    checked(value)
}

fn as_value(authority: &Authority) -> Result<HeaderValue, Refusal> {
    HeaderValue::from_str(authority.as_str()).map_err(|_| Refusal::BadRequest)
}

/// A host and perhaps a port; no list, no user, no path.
fn checked(value: HeaderValue) -> Result<HeaderValue, Refusal> {
    if is_plain(value.as_bytes()) {
        return Ok(value);
    }
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~:[]".contains(byte);
    let bytes = value.as_bytes();
    let authority = Authority::try_from(bytes).ok();
    let good = authority.is_some_and(|authority| has_good_port(&authority));
    match good && bytes.iter().all(plain) {
        true => Ok(value),
        false => Err(Refusal::BadRequest),
    }
}

/// Letters, digits, dots and dashes, and perhaps a port of up to four digits: almost every one, and what follows would say
/// the same of it.
fn is_plain(authority: &[u8]) -> bool {
    let colon = authority.iter().position(|byte| *byte == b':');
    let (host, port) = match colon {
        Some(colon) => authority.split_at(colon),
        None => (authority, [].as_slice()),
    };
    let digits = port.get(1..).unwrap_or_default();
    let named = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.');
    !host.is_empty()
        && host.iter().all(named)
        && digits.len() <= 4
        && digits.iter().all(u8::is_ascii_digit)
}

/// A host, and after it nothing or the number of a port.
fn has_good_port(authority: &Authority) -> bool {
    let host = authority.host();
    let port = authority.as_str().strip_prefix(host);
    let port = port.map(|port| port.strip_prefix(':').unwrap_or(port));
    let good = |port: &str| port.is_empty() || authority.port_u16().is_some();
    !host.is_empty() && port.is_some_and(good)
}

/// One way to tell where the body ends.
fn framing(parts: &Parts) -> Result<(), Refusal> {
    let mut codings = parts.headers.get_all(TRANSFER_ENCODING).iter();
    if let Some(coding) = codings.next() {
        let alone = codings.next().is_none() && parts.version == Version::HTTP_11;
        if !alone || parts.headers.contains_key(CONTENT_LENGTH) {
            return Err(Refusal::BadRequest);
        }
        if !coding.as_bytes().eq_ignore_ascii_case(b"chunked") {
            return Err(match coding.as_bytes().contains(&b',') {
                true => Refusal::BadRequest,
                false => Refusal::TransferEncoding,
            });
        }
    }
    let mut lengths = parts.headers.get_all(CONTENT_LENGTH).iter();
    if let Some(length) = lengths.next() {
        let digits = !length.is_empty() && length.as_bytes().iter().all(u8::is_ascii_digit);
        if !digits || lengths.next().is_some() {
            return Err(Refusal::BadRequest);
        }
    }
    Ok(())
}

/// To one protocol that is not HTTP again, by a request without a body (RFC 9110 7.8). Everything else stays HTTP.
fn upgrade(parts: &Parts) -> Option<Upgrade> {
    let headers = &parts.headers;
    let mut protocols = headers.get_all(UPGRADE).iter();
    let protocol = protocols.next()?;
    let name = protocol.to_str().ok()?.split('/').next()?;
    let letter = |byte: u8| byte.is_ascii_alphanumeric() || b"-._/+".contains(&byte);
    let empty = |length: &HeaderValue| length == "0";
    let can = parts.version == Version::HTTP_11 || Bootstrap::is_one(&parts.extensions);
    let asked = can
        && protocols.next().is_none()
        && !name.is_empty()
        && protocol.as_bytes().iter().copied().all(letter)
        && !NEVER_UPGRADED
            .iter()
            .any(|never| name.eq_ignore_ascii_case(never))
        && tokens(headers, &CONNECTION).any(|token| token.eq_ignore_ascii_case("upgrade"))
        && headers.get_all(CONTENT_LENGTH).iter().all(empty)
        && !headers.contains_key(TRANSFER_ENCODING);
    asked.then(|| Upgrade::Protocol(protocol.clone()))
}

/// `CONNECT` as RFC 9110 9.3.6 and RFC 9113 8.5 have it: a host and a port, and no body.
fn tunnel(parts: &Parts, present: Present) -> Result<(), Refusal> {
    if parts.version < Version::HTTP_11 {
        return Err(Refusal::Method);
    }
    let uri = &parts.uri;
    let port = uri.authority().and_then(Authority::port_u16);
    let alone = uri.scheme().is_none() && uri.path_and_query().is_none();
    match alone && port.is_some() && !present.framing {
        true => Ok(()),
        false => Err(Refusal::BadRequest),
    }
}

fn takes_trailers(headers: &HeaderMap) -> bool {
    tokens(headers, &TE).any(|token| token.eq_ignore_ascii_case("trailers"))
}

/// The elements of a list header.
fn tokens<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a str> {
    let values = headers.get_all(name).into_iter();
    values
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
}

/// Removes the headers of this hop: the known ones, and those that the sender nominates.
fn strip(headers: &mut HeaderMap, present: Present) {
    if present.connection {
        let nominated: Vec<HeaderName> = tokens(headers, &CONNECTION)
            .filter_map(|token| token.parse().ok())
            .filter(|name: &HeaderName| !NEVER_NOMINATED.contains(&name.as_str()))
            .collect();
        for name in nominated {
            headers.remove(name);
        }
    }
    if present.hop {
        for name in &HOP_BY_HOP {
            headers.remove(name);
        }
    }
}

/// Removes what a server that reads `_` as `-` would take for something it trusts.
fn drop_look_alikes(headers: &mut HeaderMap) {
    let dangerous: Vec<HeaderName> = headers
        .keys()
        .filter(|name| name.as_str().contains('_'))
        .filter(|name| RESERVED.contains(&name.as_str().replace('_', "-").as_str()))
        .cloned()
        .collect();
    for name in dangerous {
        if let Entry::Occupied(entry) = headers.entry(name) {
            entry.remove_entry_mult();
        }
    }
}
/// All values of a header; `None` where there is none.
pub(super) fn joined<'a>(headers: &'a HeaderMap, name: &str) -> Option<Cow<'a, [u8]>> {
    let mut values = headers.get_all(name).iter();
    let first = values.next()?.as_bytes();
    let mut joined = Cow::Borrowed(first);
    for value in values {
        let joined = joined.to_mut();
        // HTTP/2 may cut the cookies into several fields (RFC 9113 8.2.3).
        joined.push(if name == COOKIE.as_str() { b';' } else { b',' });
        joined.extend_from_slice(value.as_bytes());
    }
    Some(joined)
}
