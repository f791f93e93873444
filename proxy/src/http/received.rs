//! The body of a message as it comes, in either version of HTTP.
//!
//! Never ends a body cleanly that its sender has not ended.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::{HeaderMap, header};
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;

use super::body::Broken;
use super::two::Pulse;
use crate::http2::{self, Reason, RecvStream};

/// What comes from a client or from an upstream.
#[derive(Debug)]
pub(crate) enum Received {
    One(Incoming),
    Two(Streamed),
    /// What there was has been taken for something else.
    Nothing,
}

/// What comes over one stream of HTTP/2.
#[derive(Debug)]
pub(crate) struct Streamed {
    stream: RecvStream,
    /// As its head has said.
    left: Option<u64>,
    no_more_data: bool,
    pulse: Arc<Pulse>,
}

impl Received {
    /// What follows a head with these headers.
    pub(crate) fn streamed(stream: RecvStream, headers: &HeaderMap, pulse: &Arc<Pulse>) -> Self {
        let left = match length(headers) {
            None if stream.is_end_stream() => Some(0),
            left => left,
        };
        Self::Two(Streamed {
            stream,
            left,
            no_more_data: false,
            pulse: Arc::clone(pulse),
        })
    }
}

/// What `content-length` says, where all of them say the same.
fn length(headers: &HeaderMap) -> Option<u64> {
    let mut lengths = headers.get_all(header::CONTENT_LENGTH).iter();
    let first = lengths.next()?;
    let same = lengths.all(|length| length == first);
    first.to_str().ok().filter(|_| same)?.parse().ok()
}

impl Body for Received {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        match self.get_mut() {
            Self::One(body) => {
                let frame = ready!(Pin::new(body).poll_frame(cx));
                Poll::Ready(frame.map(|frame| frame.map_err(Broken::One)))
            }
            Self::Nothing => Poll::Ready(None),
            Self::Two(body) => {
                let frame = ready!(body.poll_frame(cx));
                body.pulse.hear();
                Poll::Ready(match frame {
                    // An early answer (RFC 9113 8.1): it is over, and that is no failure.
                    Some(Err(why)) if why.reason() == Some(Reason::NO_ERROR) => None,
                    frame => frame.map(|frame| frame.map_err(Broken::Two)),
                })
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::One(body) => body.is_end_stream(),
            Self::Two(body) => body.stream.is_end_stream(),
            Self::Nothing => true,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::One(body) => body.size_hint(),
            Self::Two(body) => body.left.map(SizeHint::with_exact).unwrap_or_default(),
            Self::Nothing => SizeHint::with_exact(0),
        }
    }
}

impl Streamed {
    fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, http2::Error>>> {
        if !self.no_more_data {
            if let Some(data) = ready!(self.stream.poll_data(cx)) {
                return Poll::Ready(Some(data.map(|data| {
                    let length = u64::try_from(data.len()).unwrap_or(u64::MAX);
                    self.left = self.left.map(|left| left.saturating_sub(length));
                    Frame::data(data)
                })));
            }
            self.no_more_data = true;
        }
        let trailers = self.stream.take_trailers();
        Poll::Ready(trailers.map(|trailers| Ok(Frame::trailers(trailers))))
    }
}
