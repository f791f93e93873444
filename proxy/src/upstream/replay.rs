//! A request that can be sent again, as long as nothing of its body was read.
//!
//! Never keeps what was read of a body: a body that has begun can only go on.

use std::sync::{Arc, Mutex, PoisonError};

use http::Request;

use crate::http::RequestBody;

/// A body that is handed out when it is first asked for.
pub(crate) type Slot = Arc<Mutex<Option<RequestBody>>>;

/// What is needed to send a request again.
pub(super) struct Kept {
    head: Request<()>,
    /// `None`: there is no body.
    body: Option<Slot>,
}

impl Kept {
    /// The request to send, and a copy of it.
    pub(super) fn copy(request: Request<RequestBody>) -> (Request<RequestBody>, Self) {
        let (parts, body) = request.into_parts();
        let mut head = Request::new(());
        *head.method_mut() = parts.method.clone();
        *head.uri_mut() = parts.uri.clone();
        *head.version_mut() = parts.version;
        *head.headers_mut() = parts.headers.clone();
        let (body, slot) = match body {
            RequestBody::Empty => (RequestBody::Empty, None),
            body => {
                let (body, slot) = body.kept();
                (body, Some(slot))
            }
        };
        let kept = Self { head, body: slot };
        (Request::from_parts(parts, body), kept)
    }

    /// `None` where the body has begun. A farewell may cross with a head that is on its way, so a request without a body
    /// is sent again only where doing it twice is doing it once.
    pub(super) fn restore(self) -> Option<Request<RequestBody>> {
        let body = match self.body {
            None if !self.head.method().is_idempotent() => return None,
            None => RequestBody::Empty,
            Some(slot) => slot.lock().unwrap_or_else(PoisonError::into_inner).take()?,
        };
        Some(self.head.map(|()| body))
    }
}
