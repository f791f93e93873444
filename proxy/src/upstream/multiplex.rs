//! Many requests over one connection of HTTP/2: its life, and one request on it.
//!
//! Never sends a request again by itself: what became of it is told, and whether anything of it was sent.

use std::error::Error;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use bytes::Bytes;
use h2::client::{Builder, ResponseFuture, SendRequest};
use h2::{Ping, PingPong, Reason, SendStream};
use http::{Request, Response};
use http_body::Body as _;
use tokio::task::AbortHandle;
use tokio::time::{sleep, timeout};

use super::pool::Counted;
use crate::http::{Received, RequestBody};
use crate::refusal::Refusal;
use crate::stream::Stream;

/// On one connection: what mesh proxies accept, and enough for one.
pub(super) const MOST_STREAMS: usize = 100;
/// What may be under way to one stream before its receiver has read it. A connection has room for all of its streams, so
/// that none which stalls stops the others.
const STREAM_WINDOW: u32 = 128 * 1024;
const CONNECTION_WINDOW: u32 = 100 * STREAM_WINDOW;
const SEND_BYTES: usize = 64 * 1024;
const HEAD_BYTES: u32 = 64 * 1024;
/// A peer that is gone without a word is noticed after the sum of these.
const PING_EVERY: Duration = Duration::from_secs(30);
const PING_WAIT: Duration = Duration::from_secs(20);

/// Where requests for one connection go in.
pub(super) type Sender = SendRequest<Bytes>;

/// What happens on one connection.
#[derive(Debug, Default)]
pub(crate) struct Pulse {
    pub(super) streams: AtomicUsize,
    heard: AtomicBool,
}

impl Pulse {
    /// Something came.
    pub(crate) fn hear(&self) {
        self.heard.store(true, Ordering::Relaxed);
    }

    /// Somebody waits for something, and nothing has come since this was last asked.
    fn is_silent(&self) -> bool {
        !self.heard.swap(false, Ordering::Relaxed) && self.streams.load(Ordering::Relaxed) > 0
    }
}

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
        .handshake(stream)
        .await
        .map_err(|_| Refusal::Connect)?;
    let pings = connection.ping_pong();
    let pulse = Arc::clone(pulse);
    let driver = tokio::spawn(async move {
        let _counted = counted;
        let ended = tokio::select! {
            ended = connection => ended,
            () = lost(pings, &pulse) => return tracing::debug!("an upstream is gone without a word"),
        };
        if let Err(why) = ended {
            tracing::debug!(%why, "upstream connection ended");
        }
    });
    Ok((sender, driver.abort_handle()))
}

/// Resolves when the other side does not answer any more, although somebody waits for it.
async fn lost(pings: Option<PingPong>, pulse: &Pulse) {
    let Some(mut pings) = pings else {
        return std::future::pending().await;
    };
    loop {
        sleep(PING_EVERY).await;
        if pulse.is_silent()
            && !matches!(
                timeout(PING_WAIT, pings.ping(Ping::opaque())).await,
                Ok(Ok(_))
            )
        {
            return;
        }
    }
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
        false => Some(Pump {
            body,
            stream,
            waiting: None,
        }),
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
    pump: Option<Pump>,
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
        Poll::Ready(Ok(Received::streamed(response, &this.pulse)))
    }
}

/// Sends a body, as fast as the other side takes it.
struct Pump {
    body: RequestBody,
    stream: SendStream<Bytes>,
    /// What there is no window for yet.
    waiting: Option<Bytes>,
}

impl Future for Pump {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        match self.poll_body(cx) {
            // Where the stream cannot be written to any more, whoever waits for the answer hears why.
            Poll::Ready(_) => Poll::Ready(()),
            Poll::Pending => self.stream.poll_reset(cx).map(|_| ()),
        }
    }
}

impl Pump {
    fn poll_body(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), h2::Error>> {
        loop {
            if self.waiting.is_some() {
                while self.stream.capacity() == 0 {
                    match self.stream.poll_capacity(cx) {
                        Poll::Pending => return Poll::Pending,
                        Poll::Ready(None) => return Poll::Ready(Ok(())),
                        Poll::Ready(Some(more)) => more?,
                    };
                }
                let data = self.waiting.take().unwrap_or_default();
                self.stream.send_data(data, false)?;
            }
            let frame = match Pin::new(&mut self.body).poll_frame(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(None) => return Poll::Ready(self.stream.send_data(Bytes::new(), true)),
                Poll::Ready(Some(Err(why))) => {
                    self.stream.send_reset(reason(&why));
                    return Poll::Ready(Ok(()));
                }
                Poll::Ready(Some(Ok(frame))) => frame,
            };
            match frame.into_data() {
                // Nothing follows that would have to wait for it.
                Ok(data) if self.body.is_end_stream() => {
                    return Poll::Ready(self.stream.send_data(data, true));
                }
                Ok(data) if data.is_empty() => {}
                Ok(data) => {
                    // Only when there is something to send: a window that is held for nothing stops other streams.
                    self.stream.reserve_capacity(1);
                    self.waiting = Some(data);
                }
                Err(frame) => {
                    if let Ok(trailers) = frame.into_trailers() {
                        self.stream.reserve_capacity(0);
                        return Poll::Ready(self.stream.send_trailers(trailers));
                    }
                }
            }
        }
    }
}

/// What the other side is told of a body that breaks off.
fn reason(why: &(dyn Error + 'static)) -> Reason {
    let mut why = Some(why);
    while let Some(error) = why {
        if let Some(error) = error.downcast_ref::<h2::Error>() {
            return error.reason().unwrap_or(Reason::INTERNAL_ERROR);
        }
        why = error.source();
    }
    Reason::INTERNAL_ERROR
}
