//! Upgrades that a client of HTTP/2 asks for by an extended `CONNECT` (RFC 8441), in the words of HTTP/1.1 that routes,
//! policies and workloads know: what WebSocket over HTTP/2 is.
//!
//! Never lets a workload that knows nothing of the protocol pass for one which agreed.

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use aws_lc_rs::rand;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{CONNECTION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, UPGRADE};
use http::request::Parts;
use http::{Extensions, HeaderMap, HeaderValue, Method};

use crate::http2::Protocol;

const WEBSOCKET: &[u8] = b"websocket";
/// RFC 6455 1.3.
const WEBSOCKET_SALT: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// Stays with a request that was asked for so.
#[derive(Debug, Clone)]
pub(super) struct Bootstrap {
    /// What a server of `WebSocket` says to the key which it was sent.
    accept: Option<HeaderValue>,
}

impl Bootstrap {
    pub(super) fn is_one(extensions: &Extensions) -> bool {
        extensions.get::<Self>().is_some()
    }

    /// Says in words of HTTP/1.1 what the head asks for.
    pub(super) fn translate(parts: &mut Parts) {
        let Some(Protocol(protocol)) = parts.extensions.remove() else {
            return;
        };
        parts.method = Method::GET;
        let headers = &mut parts.headers;
        let is_websocket = protocol.as_bytes().eq_ignore_ascii_case(WEBSOCKET);
        headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
        // A name that is none leads to no upgrade, and so to a refusal.
        headers.insert(UPGRADE, protocol);
        let mut accept = None;
        if is_websocket && let Some((key, answer)) = key() {
            headers.insert(SEC_WEBSOCKET_KEY, key);
            accept = Some(answer);
        }
        parts.extensions.insert(Self { accept });
    }

    /// Has the upstream, which switches protocols, read what it was asked?
    pub(super) fn is_answered(&self, headers: &HeaderMap) -> bool {
        let accept = self.accept.as_ref();
        accept.is_none_or(|accept| headers.get(SEC_WEBSOCKET_ACCEPT) == Some(accept))
    }

    /// Leaves out of an answer what HTTP/2 does not say.
    pub(super) fn answer(headers: &mut HeaderMap) {
        for name in [CONNECTION, UPGRADE, SEC_WEBSOCKET_ACCEPT] {
            headers.remove(name);
        }
    }
}

/// A key, and what is answered to it.
fn key() -> Option<(HeaderValue, HeaderValue)> {
    let mut random = [0; 16];
    rand::fill(&mut random).ok()?;
    let key = STANDARD.encode(random);
    let salted = [key.as_bytes(), WEBSOCKET_SALT].concat();
    let accept = STANDARD.encode(digest(&SHA1_FOR_LEGACY_USE_ONLY, &salted));
    let value = |text: String| HeaderValue::try_from(text).ok();
    Some((value(key)?, value(accept)?))
}
