//! What both ends of a connection of HTTP/2 need beside frames and streams: to find out that the other one is gone, and to send
//! a body.
//!
//! Never holds more of a body than the one frame that it waits with.

use std::error::Error;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::Body;
use tokio::time::{sleep, timeout};

use super::body::Broken;
use crate::http2::{self, Pings, Reason, SendStream};

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
    pub(crate) async fn stops(self: Arc<Self>, pings: Pings) {
        loop {
            sleep(PING_EVERY).await;
            if self.is_silent() && timeout(PING_WAIT, pings.ping()).await.is_err() {
                return;
            }
        }
    }
}

/// Sends a body, as fast as the other side takes it.
pub(crate) struct Pump<B> {
    body: B,
    stream: SendStream,
    /// What there is no room for yet.
    waiting: Bytes,
}

impl<B: Body<Data = Bytes, Error = Broken> + Unpin> Pump<B> {
    pub(crate) fn new(body: B, stream: SendStream) -> Self {
        Self {
            body,
            stream,
            waiting: Bytes::new(),
        }
    }

    /// An error only says that nobody takes it any more: whoever waits for the answer hears why.
    fn poll_body(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), http2::Error>> {
        loop {
            if !self.waiting.is_empty() {
                let ended = self.body.is_end_stream();
                ready!(self.stream.poll_send(&mut self.waiting, ended, cx))?;
                if ended {
                    return Poll::Ready(Ok(()));
                }
            }
            let frame = match ready!(Pin::new(&mut self.body).poll_frame(cx)) {
                None => return Poll::Ready(self.stream.end()),
                Some(Err(why)) => {
                    self.stream.reset(reason(&why));
                    return Poll::Ready(Ok(()));
                }
                Some(Ok(frame)) => frame,
            };
            match frame.into_data() {
                Ok(data) if data.is_empty() && self.body.is_end_stream() => {
                    return Poll::Ready(self.stream.end());
                }
                Ok(data) => self.waiting = data,
                Err(frame) => {
                    if let Ok(trailers) = frame.into_trailers() {
                        return Poll::Ready(self.stream.send_trailers(&trailers));
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
            Poll::Ready(_) => Poll::Ready(()),
            Poll::Pending => self.stream.poll_reset(cx),
        }
    }
}

/// What the other side is told of a body that breaks off.
fn reason(why: &(dyn Error + 'static)) -> Reason {
    let mut why = Some(why);
    while let Some(error) = why {
        if let Some(error) = error.downcast_ref::<http2::Error>() {
            return error.reason().unwrap_or(Reason::INTERNAL_ERROR);
        }
        why = error.source();
    }
    Reason::INTERNAL_ERROR
}
