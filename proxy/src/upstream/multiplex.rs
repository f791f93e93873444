//! Many requests over one connection of HTTP/2: its life, and one request on it.
//!
//! Never sends a request again by itself: what became of it is told, and whether anything of it was sent.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use http::Response;
use http_body::Body as _;
use tokio::task::AbortHandle;

use super::pool::Counted;
use crate::http::{Pulse, Pump, Received, RequestBody};
use crate::http2::{self, Answer, Client, Limits, RequestHead};
use crate::stream::Stream;

/// On one connection: what mesh proxies accept, and enough for one.
pub(super) const MOST_STREAMS: usize = 100;
/// What may be under way to one stream before its receiver has read it. A connection has room for all of its streams, so
/// that none which stalls stops the others.
const STREAM_WINDOW: u32 = 128 * 1024;
const LIMITS: Limits = Limits {
    stream_window: STREAM_WINDOW,
    connection_window: 100 * STREAM_WINDOW,
    head_bytes: 64 * 1024,
    streams: MOST_STREAMS,
};

/// A connection, and what ends it at once.
pub(super) fn open(stream: Stream, pulse: &Arc<Pulse>, counted: Counted) -> (Client, AbortHandle) {
    let (client, connection) = http2::connect(stream, LIMITS);
    let pings = connection.pings();
    let pulse = Arc::clone(pulse);
    let driver = tokio::spawn(async move {
        let _counted = counted;
        let ended = tokio::select! {
            ended = connection => ended,
            () = pulse.stops(pings) => return tracing::debug!("an upstream is gone without a word"),
        };
        if let Err(why) = ended {
            tracing::debug!(%why, "upstream connection ended");
        }
    });
    (client, driver.abort_handle())
}

/// Begins one request. `Err`: the connection has ended before that.
pub(super) fn begin(
    client: &Client,
    pulse: &Arc<Pulse>,
    head: &RequestHead<'_>,
    body: RequestBody,
) -> Result<Exchange, http2::Error> {
    let (answer, stream) = client.begin(head, body.is_end_stream())?;
    Ok(Exchange {
        answer,
        pump: stream.map(|stream| Pump::new(body, stream)),
        pulse: Arc::clone(pulse),
    })
}

/// A request that is under way. Resolves with the head of its answer; what is left of the body then goes on by itself.
pub(super) struct Exchange {
    answer: Answer,
    pump: Option<Pump<RequestBody>>,
    pulse: Arc<Pulse>,
}

impl Future for Exchange {
    type Output = Result<Response<Received>, http2::Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        if let Some(pump) = &mut this.pump
            && Pin::new(pump).poll(cx).is_ready()
        {
            this.pump = None;
        }
        let response = ready!(this.answer.poll(cx))?;
        this.pulse.hear();
        if let Some(pump) = this.pump.take() {
            tokio::spawn(pump);
        }
        let (parts, stream) = response.into_parts();
        let body = Received::streamed(stream, &parts.headers, &this.pulse);
        Poll::Ready(Ok(Response::from_parts(parts, body)))
    }
}
