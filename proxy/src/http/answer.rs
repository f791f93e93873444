//! Answers that this proxy gives itself: refusals, in the form that the client understands, and redirects.
//!
//! Never tells a client of another request than its own, and at an edge nothing beyond the row of the table: the reason is
//! in the log, with its origin.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header};
use mesh_bundle::{REFUSAL_HEADER, RefusalNote};

use super::body::Body;
use crate::refusal::Refusal;

const GRPC: &str = "application/grpc";
/// Found faster than by its letters.
static GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");

/// Does whoever sent it expect a gRPC status?
pub(super) fn is_grpc(headers: &HeaderMap) -> bool {
    let value = headers.get(header::CONTENT_TYPE);
    let value = value.map(HeaderValue::as_bytes).unwrap_or_default();
    let rest = value.strip_prefix(GRPC.as_bytes());
    rest.is_some_and(|rest| matches!(rest.first(), None | Some(b'+' | b';' | b' ')))
}

/// How a call ended, where its response is nothing but that.
pub(crate) fn grpc_status(headers: &HeaderMap) -> Option<u16> {
    headers.get(&GRPC_STATUS)?.to_str().ok()?.parse().ok()
}

/// Is it the other side that failed, as with a 5xx? What the caller did wrong and what he may not is none.
pub(super) fn is_failed_call(grpc: u16) -> bool {
    // Unknown, deadline exceeded, unimplemented, internal, unavailable, data loss.
    matches!(grpc, 2 | 4 | 12..=15)
}

/// A refusal as an HTTP client or a gRPC client reads it.
pub(super) fn refuse(refusal: Refusal, grpc: bool) -> Response<Body> {
    let row = refusal.row();
    let text = |value: &'static str| HeaderValue::from_static(value);
    if grpc {
        let mut response = Response::new(Body::Own(None));
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, text(GRPC));
        headers.insert("grpc-status", u16::from(row.grpc).into());
        headers.insert("grpc-message", text(row.body));
        return response;
    }
    let mut response = Response::new(Body::Own(Some(Bytes::from_static(row.body.as_bytes()))));
    *response.status_mut() = row.status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, text("text/plain"));
    if matches!(refusal, Refusal::BadRequest | Refusal::TransferEncoding) {
        // Where the next request begins is not certain.
        headers.insert(header::CONNECTION, text("close"));
    }
    response
}

/// Says what refused the request, so that whoever reads it knows where to look.
pub(super) fn explain(response: &mut Response<Body>, note: Option<RefusalNote>) {
    if let Some(note) = note
        && let Ok(note) = HeaderValue::try_from(note.to_string())
    {
        response.headers_mut().insert(REFUSAL_HEADER, note);
    }
}

/// A refusal of HTTP/1.1 in bytes, with which its connection ends.
pub(super) fn in_bytes(refusal: Refusal, note: Option<RefusalNote>) -> Bytes {
    let row = refusal.row();
    let reason = row.status.canonical_reason().unwrap_or_default();
    let note = note.map(|note| format!("{REFUSAL_HEADER}: {note}\r\n"));
    let head = format!(
        "HTTP/1.1 {} {reason}\r\ncontent-type: text/plain\r\n{}connection: close\r\ncontent-length: {}\r\n\r\n",
        row.status.as_u16(),
        note.unwrap_or_default(),
        row.body.len()
    );
    (head + row.body).into()
}

/// Makes the answer to an injected fault one of this status.
pub(super) fn with_status(response: &mut Response<Body>, status: u16) {
    let grpc = is_grpc(response.headers());
    let status = StatusCode::from_u16(status).ok();
    // What has no end cannot be the end of a request.
    let Some(status) = status.filter(|status| !status.is_informational()) else {
        return;
    };
    match grpc {
        true => {
            let code = grpc_of(status);
            response.headers_mut().insert("grpc-status", code.into());
        }
        false => *response.status_mut() = status,
    }
}

/// The gRPC status that stands for one of HTTP (gRPC, http-grpc-status-mapping).
fn grpc_of(status: StatusCode) -> u16 {
    match status.as_u16() {
        400 => 13,
        401 => 16,
        403 => 7,
        404 => 12,
        429 | 502 | 503 | 504 => 14,
        _ => 2,
    }
}

/// An answer without a body that sends the client elsewhere.
pub(super) fn redirect(status: u16, location: &str) -> Option<Response<Body>> {
    let mut response = Response::new(Body::Own(None));
    *response.status_mut() = StatusCode::from_u16(status).ok()?;
    let location = HeaderValue::from_str(location).ok()?;
    response.headers_mut().insert(header::LOCATION, location);
    Some(response)
}
