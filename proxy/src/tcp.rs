//! Bytes in both directions, until both ends are done or somebody must stop.
//!
//! Never looks into them. A half-closed connection stays open in the other direction.

mod way;

use std::future::poll_fn;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::Poll;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, sleep_until};

use crate::refusal::Refusal;
use way::{Count, Way};

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
    let (mut there, mut back) = (Way::default(), Way::default());
    let copy = poll_fn(|cx| {
        let went = there.poll(cx, &mut down, &mut up, &Count::Received(activity))?;
        let came = back.poll(cx, &mut up, &mut down, &Count::Sent(activity))?;
        match went.is_ready() && came.is_ready() {
            true => Poll::Ready(io::Result::Ok(())),
            false => Poll::Pending,
        }
    });
    tokio::select! {
        copied = copy => copied.map_err(|_| Refusal::Closed),
        () = activity.idle_for(idle) => Err(Refusal::ConnectionIdle),
        why = stop => Err(why),
    }
}
