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
}

impl Activity {
    pub(crate) fn now() -> Self {
        Self {
            began: Instant::now(),
            last: AtomicU64::new(0),
            broken: AtomicBool::new(false),
        }
    }

    pub(crate) fn touch(&self) {
        let elapsed = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.last.store(elapsed, Ordering::Relaxed);
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

/// Copies until both directions have ended. An error of one end ends both.
pub(crate) async fn relay(
    mut down: impl AsyncRead + AsyncWrite + Unpin,
    mut up: impl AsyncRead + AsyncWrite + Unpin,
    idle: Option<Duration>,
    stop: impl Future<Output = Refusal>,
) -> Result<(), Refusal> {
    let activity = Activity::now();
    let (mut down, mut up) = (
        Seen::new(&mut down, &activity),
        Seen::new(&mut up, &activity),
    );
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
}

impl<'a, T> Seen<'a, T> {
    fn new(inner: &'a mut T, activity: &'a Activity) -> Self {
        Self { inner, activity }
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Seen<'_, T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut *self.inner).poll_read(cx, buf))?;
        self.activity.touch();
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
        Poll::Ready(Ok(written))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.inner).poll_shutdown(cx)
    }
}
