//! What both ends of a connection of HTTP/2 need beside the library: to find out that the other one is gone, and to send
//! a body.
//!
//! Never sends faster than the other side reads, and never holds more than the one frame that it waits with.

use std::error::Error;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use h2::{Ping, PingPong, Reason, SendStream};
use http_body::Body;
use tokio::time::{sleep, timeout};

use super::body::Broken;

/// A peer that is gone without a word is noticed after the sum of these.
const PING_EVERY: Duration = Duration::from_secs(30);
const PING_WAIT: Duration = Duration::from_secs(20);

/// What happens on one connection.
#[derive(Debug, Default)]
pub(crate) struct Pulse {
    /// Requests that are under way.
    pub(crate) streams: AtomicUsize,
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

    /// Resolves when the other side does not answer any more, although somebody waits for it.
    pub(crate) async fn stops(self: Arc<Self>, pings: Option<PingPong>) {
        let Some(mut pings) = pings else {
            return std::future::pending().await;
        };
        loop {
            sleep(PING_EVERY).await;
            if self.is_silent()
                && !matches!(
                    timeout(PING_WAIT, pings.ping(Ping::opaque())).await,
                    Ok(Ok(_))
                )
            {
                return;
            }
        }
    }
}

/// Sends a body, as fast as the other side takes it.
pub(crate) struct Pump<B> {
    body: B,
    stream: SendStream<Bytes>,
    /// What there is no window for yet.
    waiting: Option<Bytes>,
    /// Whether the last frame waits for a window too. The limits of an answer are looked after until its last byte may go;
    /// those of a request are looked after by whoever waits for its answer.
    to_the_end: bool,
}

impl<B: Body<Data = Bytes, Error = Broken> + Unpin> Pump<B> {
    pub(crate) fn request(body: B, stream: SendStream<Bytes>) -> Self {
        Self {
            body,
            stream,
            waiting: None,
            to_the_end: false,
        }
    }

    pub(crate) fn answer(body: B, stream: SendStream<Bytes>) -> Self {
        Self {
            to_the_end: true,
            ..Self::request(body, stream)
        }
    }

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
                let ended = self.body.is_end_stream();
                self.stream.send_data(data, ended)?;
                if ended {
                    return Poll::Ready(Ok(()));
                }
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
                Ok(data) if (data.is_empty() || !self.to_the_end) && self.body.is_end_stream() => {
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

impl<B: Body<Data = Bytes, Error = Broken> + Unpin> Future for Pump<B> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        match self.poll_body(cx) {
            // Where the stream cannot be written to any more, whoever waits for the answer hears why.
            Poll::Ready(_) => Poll::Ready(()),
            Poll::Pending => self.stream.poll_reset(cx).map(|_| ()),
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
