//! A connection of HTTP/1 whose heads must be complete in time, and say one thing only.
//!
//! Never counts the time between two requests: that is what idle limits are for.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

use super::scan::Scan;
use super::serve::Connection;
use crate::stream::Stream;

/// The stream of a connection, and what has come of it.
pub(super) struct Heads {
    stream: Stream,
    connection: Arc<Connection>,
    limit: Duration,
    deadline: Pin<Box<Sleep>>,
    scan: Scan,
}

impl Heads {
    pub(super) fn new(stream: Stream, connection: Arc<Connection>, limit: Duration) -> Self {
        Self {
            stream,
            connection,
            limit,
            deadline: Box::pin(sleep(limit)),
            scan: Scan::new(),
        }
    }
}

impl AsyncRead for Heads {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let this = &mut *self;
        let connection = &this.connection;
        let resting = connection.active.load(Ordering::Acquire) == 0;
        if resting {
            this.scan.rest();
        }
        let read = Pin::new(&mut this.stream).poll_read(cx, buf);
        let came = buf.filled_mut().get_mut(before..).unwrap_or_default();
        this.scan.read(came);
        if !resting {
            return read;
        }
        if !this.scan.is_waiting() {
            connection.in_head.store(false, Ordering::Relaxed);
            return read;
        }
        if !connection.in_head.swap(true, Ordering::Relaxed) {
            this.deadline = Box::pin(sleep(this.limit));
        }
        if read.is_pending() && this.deadline.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        read
    }
}

impl AsyncWrite for Heads {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
