//! Bytes in both directions, until both ends are done or somebody must stop.
//!
//! Never looks into them. A half-closed connection stays open in the other direction.

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf, copy_bidirectional_with_sizes};
use tokio::time::{Instant, sleep_until};

use crate::refusal::Refusal;

/// Of each direction: what fits into one TLS record.
const BUFFER: usize = 16 * 1024;

/// When something last happened.
#[derive(Debug)]
pub(crate) struct Activity {
    began: Instant,
    /// Milliseconds after `began`.
    last: AtomicU64,
    broken: AtomicBool,
    /// Bytes from and to downstream, of bodies or of the connection.
    received: AtomicU64,
    sent: AtomicU64,
    /// Milliseconds after `began` that the request took to come; [`u64::MAX`] while it comes.
    request_took: AtomicU64,
}

impl Activity {
    pub(crate) fn now() -> Self {
        Self {
            began: Instant::now(),
            last: AtomicU64::new(0),
            broken: AtomicBool::new(false),
            received: AtomicU64::new(0),
            sent: AtomicU64::new(0),
            request_took: AtomicU64::new(u64::MAX),
        }
    }

    pub(crate) fn touch(&self) {
        self.last.store(self.elapsed(), Ordering::Relaxed);
    }

    fn elapsed(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// So many bytes came from downstream.
    pub(crate) fn receive(&self, bytes: usize) {
        add(&self.received, bytes);
    }

    /// So many bytes go downstream.
    pub(crate) fn send(&self, bytes: usize) {
        add(&self.sent, bytes);
    }

    /// The request has come as a whole.
    pub(crate) fn request_ended(&self) {
        self.request_took.store(self.elapsed(), Ordering::Relaxed);
    }

    pub(crate) fn received(&self) -> u64 {
        self.received.load(Ordering::Relaxed)
    }

    pub(crate) fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    pub(crate) fn request_took(&self) -> Option<Duration> {
        let took = self.request_took.load(Ordering::Relaxed);
        (took != u64::MAX).then(|| Duration::from_millis(took))
    }

    /// What the client sends has broken off, or is not what it must be.
    pub(crate) fn break_off(&self) {
        self.broken.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_broken_off(&self) -> bool {
        self.broken.load(Ordering::Relaxed)
    }

    pub(crate) fn began(&self) -> Instant {
        self.began
    }

    pub(crate) fn last(&self) -> Instant {
        self.began + Duration::from_millis(self.last.load(Ordering::Relaxed))
    }

    /// Waits until nothing has happened for so long; forever without a limit.
    pub(crate) async fn idle_for(&self, limit: Option<Duration>) {
        let Some(limit) = limit else {
            return std::future::pending().await;
        };
        loop {
            let deadline = self.last() + limit;
            if deadline <= Instant::now() {
                return;
            }
            sleep_until(deadline).await;
        }
    }
}

fn add(to: &AtomicU64, bytes: usize) {
    let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
    to.fetch_add(bytes, Ordering::Relaxed);
}

/// Copies until both directions have ended. An error of one end ends both.
pub(crate) async fn relay(
    mut down: impl AsyncRead + AsyncWrite + Unpin,
    mut up: impl AsyncRead + AsyncWrite + Unpin,
    activity: &Activity,
    idle: Option<Duration>,
    stop: impl Future<Output = Refusal>,
) -> Result<(), Refusal> {
    let mut down = Seen {
        inner: &mut down,
        activity,
        counted: true,
    };
    let mut up = Seen {
        inner: &mut up,
        activity,
        counted: false,
    };
    let copy = copy_bidirectional_with_sizes(&mut down, &mut up, BUFFER, BUFFER);
    tokio::select! {
        copied = copy => copied.map(|_| ()).map_err(|_| Refusal::Closed),
        () = activity.idle_for(idle) => Err(Refusal::ConnectionIdle),
        why = stop => Err(why),
    }
}

/// A stream whose bytes are noticed.
struct Seen<'a, T> {
    inner: &'a mut T,
    activity: &'a Activity,
    /// What it reads is received, and what it writes is sent: it is the downstream.
    counted: bool,
}

impl<T: AsyncRead + Unpin> AsyncRead for Seen<'_, T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut *self.inner).poll_read(cx, buf))?;
        self.activity.touch();
        if self.counted {
            self.activity.receive(buf.filled().len() - before);
        }
        Poll::Ready(Ok(()))
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Seen<'_, T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut *self.inner).poll_write(cx, buf))?;
        self.activity.touch();
        if self.counted {
            self.activity.send(written);
        }
        Poll::Ready(Ok(written))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.inner).poll_shutdown(cx)
    }
}
