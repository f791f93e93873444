//! One field of a list, and those that everybody knows (RFC 7541 appendix A).

use std::sync::LazyLock;

use bytes::Bytes;
use http::{HeaderName, HeaderValue};

/// What a head says in the form of fields (RFC 9113 8.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pseudo {
    Method,
    Scheme,
    Authority,
    Path,
    Status,
    /// RFC 8441.
    Protocol,
}

/// A field as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Field {
    Pseudo(Pseudo, Bytes),
    Header(HeaderName, HeaderValue),
    /// Its name or its value is not allowed.
    Bad,
}

impl Field {
    /// Names are in lower case (RFC 9113 8.2.1), and values neither begin nor end with blanks.
    pub(super) fn new(name: &[u8], value: Bytes) -> Self {
        let pseudo = match name {
            b":method" => Pseudo::Method,
            b":scheme" => Pseudo::Scheme,
            b":authority" => Pseudo::Authority,
            b":path" => Pseudo::Path,
            b":status" => Pseudo::Status,
            b":protocol" => Pseudo::Protocol,
            name => {
                return match HeaderName::from_lowercase(name) {
                    Ok(name) => Self::header(name, value),
                    Err(_) => Self::Bad,
                };
            }
        };
        Self::Pseudo(pseudo, value)
    }

    /// The same for a name that another field has.
    pub(super) fn named_like(other: &Self, value: Bytes) -> Self {
        match other {
            Self::Pseudo(pseudo, _) => Self::Pseudo(*pseudo, value),
            Self::Header(name, _) => Self::header(name.clone(), value),
            Self::Bad => Self::Bad,
        }
    }

    fn header(name: HeaderName, value: Bytes) -> Self {
        let blank = |byte: Option<&u8>| byte.is_some_and(|byte| matches!(byte, b' ' | b'\t'));
        if blank(value.first()) || blank(value.last()) {
            return Self::Bad;
        }
        match HeaderValue::from_maybe_shared(value) {
            Ok(value) => Self::Header(name, value),
            Err(_) => Self::Bad,
        }
    }
}

/// Name and value, from 1 on.
#[rustfmt::skip]
pub(super) const STATIC: [(&str, &str); 61] = [
    (":authority", ""),
    (":method", "GET"),
    (":method", "POST"),
    (":path", "/"),
    (":path", "/index.html"),
    (":scheme", "http"),
    (":scheme", "https"),
    (":status", "200"),
    (":status", "204"),
    (":status", "206"),
    (":status", "304"),
    (":status", "400"),
    (":status", "404"),
    (":status", "500"),
    ("accept-charset", ""),
    ("accept-encoding", "gzip, deflate"),
    ("accept-language", ""),
    ("accept-ranges", ""),
    ("accept", ""),
    ("access-control-allow-origin", ""),
    ("age", ""),
    ("allow", ""),
    ("authorization", ""),
    ("cache-control", ""),
    ("content-disposition", ""),
    ("content-encoding", ""),
    ("content-language", ""),
    ("content-length", ""),
    ("content-location", ""),
    ("content-range", ""),
    ("content-type", ""),
    ("cookie", ""),
    ("date", ""),
    ("etag", ""),
    ("expect", ""),
    ("expires", ""),
    ("from", ""),
    ("host", ""),
    ("if-match", ""),
    ("if-modified-since", ""),
    ("if-none-match", ""),
    ("if-range", ""),
    ("if-unmodified-since", ""),
    ("last-modified", ""),
    ("link", ""),
    ("location", ""),
    ("max-forwards", ""),
    ("proxy-authenticate", ""),
    ("proxy-authorization", ""),
    ("range", ""),
    ("referer", ""),
    ("refresh", ""),
    ("retry-after", ""),
    ("server", ""),
    ("set-cookie", ""),
    ("strict-transport-security", ""),
    ("transfer-encoding", ""),
    ("user-agent", ""),
    ("vary", ""),
    ("via", ""),
    ("www-authenticate", ""),
];

static FIELDS: LazyLock<Vec<Field>> = LazyLock::new(|| {
    let field = |(name, value): &(&str, &'static str)| {
        Field::new(name.as_bytes(), Bytes::from_static(value.as_bytes()))
    };
    STATIC.iter().map(field).collect()
});

/// One that everybody knows, and the lengths of its name and value.
pub(super) fn known(index: usize) -> Option<(&'static Field, usize, usize)> {
    let index = index.checked_sub(1)?;
    let (name, value) = STATIC.get(index)?;
    Some((FIELDS.get(index)?, name.len(), value.len()))
}

/// The number of a header that everybody knows the name of.
pub(super) fn number(name: &str) -> Option<usize> {
    // Those of heads come first, and are never asked for.
    let place = STATIC
        .iter()
        .skip(14)
        .position(|(known, _)| *known == name)?;
    Some(place + 15)
}
