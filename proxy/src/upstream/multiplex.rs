//! Many requests over one connection of HTTP/2: its life, and one request on it.
//!
//! Never sends a request again by itself: what became of it is told, and whether anything of it was sent.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};

use bytes::Bytes;
use h2::client::{Builder, ResponseFuture, SendRequest};
use http::{Request, Response};
use http_body::Body as _;
use tokio::task::AbortHandle;

use super::pool::Counted;
use crate::http::{Pulse, Pump, Received, RequestBody};
use crate::refusal::Refusal;
use crate::stream::{Batched, Stream};

/// On one connection: what mesh proxies accept, and enough for one.
pub(super) const MOST_STREAMS: usize = 100;
/// What may be under way to one stream before its receiver has read it. A connection has room for all of its streams, so
/// that none which stalls stops the others.
const STREAM_WINDOW: u32 = 128 * 1024;
const CONNECTION_WINDOW: u32 = 100 * STREAM_WINDOW;
const SEND_BYTES: usize = 64 * 1024;
const HEAD_BYTES: u32 = 64 * 1024;

/// Where requests for one connection go in.
pub(super) type Sender = SendRequest<Bytes>;

/// A connection, and what ends it at once.
pub(super) async fn open(
    stream: Stream,
    pulse: &Arc<Pulse>,
    counted: Counted,
) -> Result<(Sender, AbortHandle), Refusal> {
    let (sender, mut connection) = Builder::new()
        .enable_push(false)
        .initial_max_send_streams(MOST_STREAMS)
        .initial_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_header_list_size(HEAD_BYTES)
        .max_send_buffer_size(SEND_BYTES)
        .handshake(Batched::new(stream))
        .await
        .map_err(|_| Refusal::Connect)?;
    let pings = connection.ping_pong();
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
    Ok((sender, driver.abort_handle()))
}

/// Takes requests, as far as it is known: another handle of it for one of them, and how many may be under way at once.
pub(super) fn ready(sender: &Sender) -> Option<(Sender, usize)> {
    let mut sender = sender.clone();
    // A new handle waits for nothing, so nobody must be woken.
    match sender.poll_ready(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(Err(_)) => None,
        Poll::Ready(Ok(())) | Poll::Pending => {
            let most = sender.current_max_send_streams().min(MOST_STREAMS);
            Some((sender, most))
        }
    }
}

/// Begins one request. `Err`: the connection has ended before that.
pub(super) fn begin(
    sender: &mut Sender,
    pulse: &Arc<Pulse>,
    head: Request<()>,
    body: RequestBody,
) -> Result<Exchange, h2::Error> {
    let ended = body.is_end_stream();
    let (response, stream) = sender.send_request(head, ended)?;
    let pump = match ended {
        true => None,
        false => Some(Pump::request(body, stream)),
    };
    let pulse = Arc::clone(pulse);
    Ok(Exchange {
        response,
        pump,
        pulse,
    })
}

/// A request that is under way. Resolves with the head of its answer; what is left of the body then goes on by itself.
pub(super) struct Exchange {
    response: ResponseFuture,
    pump: Option<Pump<RequestBody>>,
    pulse: Arc<Pulse>,
}

impl Future for Exchange {
    type Output = Result<Response<Received>, h2::Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        if let Some(pump) = &mut this.pump
            && Pin::new(pump).poll(cx).is_ready()
        {
            this.pump = None;
        }
        let response = ready!(Pin::new(&mut this.response).poll(cx))?;
        this.pulse.hear();
        if let Some(pump) = this.pump.take() {
            tokio::spawn(pump);
        }
        let (parts, stream) = response.into_parts();
        let body = Received::streamed(stream, &parts.headers, &this.pulse);
        Poll::Ready(Ok(Response::from_parts(parts, body)))
    }
}
