//! What a connection of HTTP/1.1, or a stream of HTTP/2, becomes after one request: another protocol, or a tunnel.
//!
//! Never decides whether it may: who asks and whom is known elsewhere.

use http::{HeaderMap, HeaderValue, Response, StatusCode, header};

use crate::http::Received;

/// What a connection becomes, where the other side agrees.
#[derive(Debug, Clone)]
pub(crate) enum Upgrade {
    /// The header of this name says it.
    Protocol(HeaderValue),
    /// `CONNECT`: bytes to whom the request names.
    Tunnel,
}

impl Upgrade {
    /// Does the other side agree to just that?
    pub(crate) fn is_agreed(&self, response: &Response<Received>) -> bool {
        match self {
            Self::Tunnel => response.status().is_success(),
            Self::Protocol(asked) => {
                let named = response.headers().get(header::UPGRADE);
                let same =
                    |named: &HeaderValue| named.as_bytes().eq_ignore_ascii_case(asked.as_bytes());
                response.status() == StatusCode::SWITCHING_PROTOCOLS && named.is_some_and(same)
            }
        }
    }

    /// Tells the next hop, or that before.
    pub(crate) fn tell(&self, headers: &mut HeaderMap) {
        if let Self::Protocol(protocol) = self {
            headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
            headers.insert(header::UPGRADE, protocol.clone());
        }
    }
}
