//! Heads of messages as lists of fields, and what such a list must look like (RFC 9113 8).
//!
//! Never repairs one: what is not as it must be is malformed.

use bytes::Bytes;
use http::header::{
    AUTHORIZATION, CONNECTION, CONTENT_LENGTH, COOKIE, PROXY_AUTHORIZATION, SET_COOKIE, TE,
    TRANSFER_ENCODING, UPGRADE,
};
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, Uri, Version, uri};

use super::hpack::{Encoder, Field, Name, Pseudo};

/// What an extended `CONNECT` asks for (RFC 8441), among the extensions of its head.
#[derive(Debug, Clone)]
pub(crate) struct Protocol(pub(crate) HeaderValue);

/// A head that is not one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Malformed;

/// The head of a request that is sent.
#[derive(Debug)]
pub(crate) struct RequestHead<'a> {
    pub(crate) method: &'a Method,
    pub(crate) scheme: &'a Scheme,
    pub(crate) authority: &'a [u8],
    pub(crate) path: &'a str,
    pub(crate) headers: &'a HeaderMap,
    /// Is said instead of what the headers have under this name.
    pub(crate) instead: Option<(HeaderName, HeaderValue)>,
}

/// What has been read of a list.
#[derive(Debug, Default)]
pub(super) struct Fields {
    heads: [Option<Bytes>; 6],
    headers: HeaderMap,
    size: usize,
    /// It is malformed already.
    bad: bool,
    /// It is longer than it may be; no more of it is kept.
    pub(super) large: bool,
}

impl Fields {
    pub(super) fn add(&mut self, field: &Field, size: usize, most: usize) {
        self.size = self.size.saturating_add(size);
        self.large |= self.size > most;
        if self.large || self.bad {
            return;
        }
        match field {
            Field::Pseudo(pseudo, value) => {
                let early = self.headers.is_empty();
                match self.place(*pseudo) {
                    Some(place @ None) if early => *place = Some(value.clone()),
                    _ => self.bad = true,
                }
            }
            Field::Header(name, value) => {
                self.bad = is_forbidden(name, value);
                let kept = self.headers.try_append(name, value.clone());
                self.bad |= kept.is_err();
            }
            Field::Bad => self.bad = true,
        }
    }

    fn place(&mut self, pseudo: Pseudo) -> Option<&mut Option<Bytes>> {
        self.heads.get_mut(match pseudo {
            Pseudo::Method => 0,
            Pseudo::Scheme => 1,
            Pseudo::Authority => 2,
            Pseudo::Path => 3,
            Pseudo::Status => 4,
            Pseudo::Protocol => 5,
        })
    }

    pub(super) fn request(self) -> Result<Request<()>, Malformed> {
        let [method, scheme, authority, path, None, protocol] = self.heads else {
            return Err(Malformed);
        };
        if self.bad {
            return Err(Malformed);
        }
        let method = Method::from_bytes(&method.ok_or(Malformed)?).map_err(|_| Malformed)?;
        let is_tunnel = method == Method::CONNECT && protocol.is_none();
        if protocol.is_some() && method != Method::CONNECT
            || is_tunnel == (scheme.is_some() || path.is_some())
            || !is_tunnel && (scheme.is_none() || path.is_none())
            || method == Method::CONNECT && authority.is_none()
        {
            return Err(Malformed);
        }
        let mut parts = uri::Parts::default();
        let authority = authority.map(Authority::from_maybe_shared).transpose();
        parts.authority = authority.map_err(|_| Malformed)?;
        let scheme = scheme.as_deref().map(scheme_of).transpose()?;
        // There is no such thing as a scheme without an authority.
        parts.scheme = scheme.filter(|_| parts.authority.is_some());
        parts.path_and_query = path.map(path_of).transpose()?;
        let uri = Uri::from_parts(parts).map_err(|_| Malformed)?;
        let mut request = Request::new(());
        *request.method_mut() = method;
        *request.uri_mut() = uri;
        *request.version_mut() = Version::HTTP_2;
        *request.headers_mut() = self.headers;
        if let Some(protocol) = protocol {
            let protocol = HeaderValue::from_maybe_shared(protocol).map_err(|_| Malformed)?;
            request.extensions_mut().insert(Protocol(protocol));
        }
        Ok(request)
    }

    pub(super) fn response(self) -> Result<(StatusCode, HeaderMap), Malformed> {
        let [None, None, None, None, Some(status), None] = self.heads else {
            return Err(Malformed);
        };
        if self.bad {
            return Err(Malformed);
        }
        let status = StatusCode::from_bytes(&status).map_err(|_| Malformed)?;
        Ok((status, self.headers))
    }

    pub(super) fn trailers(self) -> Result<HeaderMap, Malformed> {
        let none = self.heads.iter().all(Option::is_none);
        match none && !self.bad && !self.large {
            true => Ok(self.headers),
            false => Err(Malformed),
        }
    }
}

fn scheme_of(scheme: &[u8]) -> Result<Scheme, Malformed> {
    match scheme {
        b"http" => Ok(Scheme::HTTP),
        b"https" => Ok(Scheme::HTTPS),
        other => Scheme::try_from(other).map_err(|_| Malformed),
    }
}

/// Whatever else an `Uri` takes: it leaves a fragment away without a word.
fn path_of(path: Bytes) -> Result<PathAndQuery, Malformed> {
    let good = path.first() == Some(&b'/') || path == "*";
    match good && !path.contains(&b'#') {
        true => PathAndQuery::from_maybe_shared(path).map_err(|_| Malformed),
        false => Err(Malformed),
    }
}

/// What belongs to a connection of HTTP/1 (RFC 9113 8.2.2).
fn is_forbidden(name: &HeaderName, value: &HeaderValue) -> bool {
    match name.as_str().len() {
        2 => name == TE && value != "trailers",
        7 => name == UPGRADE,
        10 => name == CONNECTION || name == "keep-alive",
        16 => name == "proxy-connection",
        17 => name == TRANSFER_ENCODING,
        _ => false,
    }
}

/// How long a message says that it is. `Err`: it says several things.
pub(super) fn length(headers: &HeaderMap) -> Result<Option<u64>, Malformed> {
    let mut lengths = headers.get_all(CONTENT_LENGTH).iter();
    let Some(first) = lengths.next() else {
        return Ok(None);
    };
    let text = first.to_str().map_err(|_| Malformed)?;
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    match digits && lengths.all(|length| length == first) {
        true => text.parse().map(Some).map_err(|_| Malformed),
        false => Err(Malformed),
    }
}

/// Writes the head of a request.
pub(super) fn write_request(head: &RequestHead<'_>, encoder: &mut Encoder, out: &mut Vec<u8>) {
    encoder.begin(out);
    match head.method.as_str() {
        "GET" => Encoder::known(out, 2),
        "POST" => Encoder::known(out, 3),
        method => encoder.field(out, Name::METHOD, method.as_bytes()),
    }
    match head.scheme.as_str() {
        "http" => Encoder::known(out, 6),
        "https" => Encoder::known(out, 7),
        scheme => encoder.field(out, Name::SCHEME, scheme.as_bytes()),
    }
    match head.path {
        "/" => Encoder::known(out, 4),
        path => encoder.field(out, Name::PATH, path.as_bytes()),
    }
    encoder.field(out, Name::AUTHORITY, head.authority);
    let instead = head.instead.as_ref();
    for (name, value) in head.headers {
        if instead.is_none_or(|(other, _)| name != other) {
            write(name, value, encoder, out);
        }
    }
    if let Some((name, value)) = instead {
        write(name, value, encoder, out);
    }
}

/// Writes the head of a response.
pub(super) fn write_response(
    status: StatusCode,
    headers: &HeaderMap,
    encoder: &mut Encoder,
    out: &mut Vec<u8>,
) {
    encoder.begin(out);
    match status.as_u16() {
        200 => Encoder::known(out, 8),
        204 => Encoder::known(out, 9),
        206 => Encoder::known(out, 10),
        304 => Encoder::known(out, 11),
        400 => Encoder::known(out, 12),
        404 => Encoder::known(out, 13),
        500 => Encoder::known(out, 14),
        _ => encoder.field(out, Name::STATUS, status.as_str().as_bytes()),
    }
    write_headers(headers, encoder, out);
}

/// Writes trailers.
pub(super) fn write_trailers(headers: &HeaderMap, encoder: &mut Encoder, out: &mut Vec<u8>) {
    encoder.begin(out);
    write_headers(headers, encoder, out);
}

fn write_headers(headers: &HeaderMap, encoder: &mut Encoder, out: &mut Vec<u8>) {
    for (name, value) in headers {
        write(name, value, encoder, out);
    }
}

fn write(name: &HeaderName, value: &HeaderValue, encoder: &mut Encoder, out: &mut Vec<u8>) {
    let text = Name::Text(name.as_str());
    match value.is_sensitive() || is_secret(name) {
        true => Encoder::secret(out, text, value.as_bytes()),
        false => encoder.field(out, text, value.as_bytes()),
    }
}

/// Must not be found out by the length of what others send on the same connection (RFC 7541 7.1).
fn is_secret(name: &HeaderName) -> bool {
    match name.as_str().len() {
        6 => name == COOKIE,
        10 => name == SET_COOKIE,
        13 => name == AUTHORIZATION,
        19 => name == PROXY_AUTHORIZATION,
        _ => false,
    }
}
