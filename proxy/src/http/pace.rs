//! A body that is slowed down on purpose: it is given out in small pieces, each when its time has come.
//!
//! Never faster than it must be, and never holds more than the one frame that it is cutting.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use tokio::time::{Instant, Sleep, sleep_until};

/// How often something is given out: often enough to look steady.
const PIECES_A_SECOND: u64 = 20;

#[derive(Debug)]
pub(super) struct Pace {
    bytes_per_second: u64,
    /// What is left of the frame that came last.
    rest: Bytes,
    /// When the next piece may go.
    due: Pin<Box<Sleep>>,
}

impl Pace {
    pub(super) fn new(bits_per_second: u64) -> Self {
        Self {
            bytes_per_second: (bits_per_second / 8).max(1),
            rest: Bytes::new(),
            due: Box::pin(sleep_until(Instant::now())),
        }
    }

    /// Takes a frame, to be called when there is nothing left of the one before.
    pub(super) fn begin(&mut self, frame: Bytes) {
        self.rest = frame;
        self.wait();
    }

    /// How many bytes are still here.
    pub(super) fn left(&self) -> usize {
        self.rest.len()
    }

    /// The next piece, when its time has come; `None` where there is nothing left.
    pub(super) fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        if self.rest.is_empty() {
            return Poll::Ready(None);
        }
        ready!(self.due.as_mut().poll(cx));
        let piece = self.rest.split_to(self.piece());
        self.wait();
        Poll::Ready(Some(piece))
    }

    fn piece(&self) -> usize {
        let most = (self.bytes_per_second / PIECES_A_SECOND).max(1);
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        most.min(self.rest.len())
    }

    /// The next piece goes when it would have come through a line of this speed.
    fn wait(&mut self) {
        let bytes = u64::try_from(self.piece()).unwrap_or(u64::MAX);
        let nanos = bytes.saturating_mul(1_000_000_000) / self.bytes_per_second;
        let from = self.due.deadline().max(Instant::now());
        self.due.as_mut().reset(from + Duration::from_nanos(nanos));
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;

    #[tokio::test]
    async fn a_body_takes_as_long_as_its_line_is_slow() {
        // 10,000 bytes a second, in pieces of 500.
        let mut pace = Pace::new(80_000);
        let began = Instant::now();
        let mut given = Vec::new();
        for frame in [&[1_u8; 2_200][..], &[2; 300]] {
            pace.begin(Bytes::copy_from_slice(frame));
            while let Some(piece) = poll_fn(|cx| pace.poll_piece(cx)).await {
                assert!(piece.len() <= 500);
                given.extend_from_slice(&piece);
            }
        }
        assert_eq!(given.len(), 2_500);
        assert_eq!(given.iter().filter(|byte| **byte == 2).count(), 300);
        let took = began.elapsed();
        assert!(took >= Duration::from_millis(250), "{took:?}");
    }
}
