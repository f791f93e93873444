//! One stream of HTTP/2 that has become bytes (RFC 9113 8.5, RFC 8441).
//!
//! Never takes more from the client than the other side has read, and never ends a stream cleanly that was cut.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use bytes::{Buf as _, Bytes};
use http_body::Body as _;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::Received;
use super::streams::UnderWay;
use crate::http2::{Reason, SendStream};

/// Where the other half of a stream goes, once the head of its answer has been sent.
pub(crate) type Handover = tokio::sync::oneshot::Sender<Outgoing>;

/// What the client is sent, and that its stream is under way.
#[derive(Debug)]
pub(crate) struct Outgoing {
    pub(super) stream: SendStream,
    pub(super) under_way: UnderWay,
}

/// Both halves of a stream.
#[derive(Debug)]
pub(super) struct Tunnel {
    received: Received,
    /// What has come and was not taken yet.
    waiting: Bytes,
    stream: Arc<Mutex<SendStream>>,
    /// The client has been told that nothing follows.
    ended: bool,
    _under_way: UnderWay,
}

impl Tunnel {
    pub(super) fn new(received: Received, outgoing: Outgoing) -> Self {
        Self {
            received,
            waiting: Bytes::new(),
            stream: Arc::new(Mutex::new(outgoing.stream)),
            ended: false,
            _under_way: outgoing.under_way,
        }
    }

    /// Resolves when the client gives the stream up, also where it has said its last word before. To be asked by the task
    /// that reads and writes: one is woken.
    pub(super) fn given_up(&self) -> impl Future<Output = ()> + use<> {
        let stream = Arc::clone(&self.stream);
        std::future::poll_fn(move |cx| locked(&stream).poll_reset(cx))
    }
}

fn locked(stream: &Mutex<SendStream>) -> MutexGuard<'_, SendStream> {
    stream.lock().unwrap_or_else(PoisonError::into_inner)
}

impl AsyncRead for Tunnel {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        while self.waiting.is_empty() {
            match ready!(Pin::new(&mut self.received).poll_frame(cx)) {
                None => return Poll::Ready(Ok(())),
                Some(Err(why)) => return Poll::Ready(Err(io::Error::other(why))),
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => self.waiting = data,
                    // Nothing but DATA belongs on such a stream.
                    Err(_) => return Poll::Ready(Err(io::ErrorKind::InvalidData.into())),
                },
            }
        }
        let length = self.waiting.len().min(into.remaining());
        into.put_slice(self.waiting.get(..length).unwrap_or_default());
        self.waiting.advance(length);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Tunnel {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = locked(&self.stream).poll_write(bytes, cx);
        written.map_err(io::Error::other)
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.ended = true;
        let sent = locked(&self.stream).end();
        Poll::Ready(sent.map_err(io::Error::other))
    }
}

impl Drop for Tunnel {
    fn drop(&mut self) {
        if !self.ended {
            locked(&self.stream).reset(Reason::CONNECT_ERROR);
        }
    }
}
