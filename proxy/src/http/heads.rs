//! A connection of HTTP/1 whose heads must be complete in time, and say one thing only.
//!
//! What the library answers by itself to a head that it cannot read is said as every other refusal is.
//!
//! Never counts the time between two requests: that is what idle limits are for.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf as _, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

use super::answer;
use super::scan::Scan;
use super::serve::Connection;
use crate::refusal::Refusal;
use crate::stream::Stream;

/// The stream of a connection, and what has come of it.
pub(super) struct Heads {
    stream: Stream,
    connection: Arc<Connection>,
    limit: Duration,
    deadline: Pin<Box<Sleep>>,
    scan: Scan,
    /// What is said instead of the library's own words, as far as it has not been sent.
    refusal: Bytes,
}

impl Heads {
    pub(super) fn new(stream: Stream, connection: Arc<Connection>, limit: Duration) -> Self {
        Self {
            stream,
            connection,
            limit,
            deadline: Box::pin(sleep(limit)),
            scan: Scan::new(),
            refusal: Bytes::new(),
        }
    }

    /// Puts the words of this proxy in the place of what the library says to a head that it cannot read. Only that is
    /// written while no answer to a request is due.
    fn replaces(&mut self, written: &[u8]) -> bool {
        if self.connection.due.load(Ordering::Relaxed) {
            return false;
        }
        let refusal = match written.get(9..12) {
            Some(b"400") => Refusal::BadRequest,
            Some(b"414" | b"431") => Refusal::HeadTooLarge,
            _ => return false,
        };
        let session = &self.connection.session;
        let note = session.note(refusal, None, &session.shared.table());
        self.refusal = answer::in_bytes(refusal, note);
        true
    }

    fn poll_refusal(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.refusal.is_empty() {
            match ready!(Pin::new(&mut self.stream).poll_write(cx, &self.refusal))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                written => self.refusal.advance(written),
            }
        }
        Poll::Ready(Ok(()))
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
        if self.replaces(buf) {
            return Poll::Ready(Ok(buf.len()));
        }
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_refusal(cx))?;
        ready!(Pin::new(&mut self.stream).poll_flush(cx))?;
        if self.connection.active.load(Ordering::Acquire) == 0 {
            self.connection.due.store(false, Ordering::Relaxed);
        }
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_refusal(cx))?;
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let first = bufs.first().map(|first| &**first);
        if self.replaces(first.unwrap_or_default()) {
            return Poll::Ready(Ok(bufs.iter().map(|buf| buf.len()).sum()));
        }
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
