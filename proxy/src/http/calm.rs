//! A connection of HTTP/2 on which frames that ask for an answer and carry nothing are counted: a flood of them ends it.
//!
//! Never looks into a frame: lengths and kinds are enough, and who sends much sends few frames for it.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf as _, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

use crate::stream::{Batched, PREFACE, Stream};

/// RFC 9113 4.1.
const HEAD: usize = 9;
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const PRIORITY: u8 = 2;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const CONTINUATION: u8 = 9;

/// What one idle frame takes. The answer to a PING has 17 bytes and brings that much back, the smallest DATA frame with
/// what a client that measures its bandwidth asks beside it brings more: such a client may ask for as long as it is sent
/// something.
const PRICE: usize = 24;
/// What a frame with a request or a part of one brings.
const USE: usize = 8 * PRICE;
/// 1,000 idle frames.
const MOST: usize = 1_000 * PRICE;
/// Within this time: who keeps a connection alive sends one in some seconds.
const SPAN: Duration = Duration::from_secs(10);
/// More than the library takes for one head.
const TOO_MANY: usize = 256;

/// A stream, and how calm its peer is.
#[derive(Debug)]
pub(super) struct Calm {
    stream: Batched,
    scan: Scan,
    /// What the library reads instead of more from the peer.
    farewell: Option<Bytes>,
}

#[derive(Debug)]
struct Scan {
    /// Bytes until the next frame.
    skip: usize,
    head: [u8; HEAD],
    /// How much of the head is there.
    known: usize,
    left: usize,
    since: Instant,
    over: bool,
}

impl Calm {
    pub(super) fn new(stream: Stream) -> Self {
        Self {
            stream: Batched::new(stream),
            scan: Scan {
                skip: PREFACE.len(),
                head: [0; HEAD],
                known: 0,
                left: MOST,
                since: Instant::now(),
                over: false,
            },
            farewell: None,
        }
    }
}

impl Scan {
    /// Looks at what has come; the place of the frame before which the connection ends.
    fn read(&mut self, came: &[u8]) -> Option<usize> {
        let mut rest = came;
        loop {
            let skipped = self.skip.min(rest.len());
            self.skip -= skipped;
            rest = rest.get(skipped..).unwrap_or_default();
            if rest.is_empty() {
                return None;
            }
            if self.over && self.known == 0 {
                return Some(came.len() - rest.len());
            }
            let (from, length) = (self.known, (HEAD - self.known).min(rest.len()));
            let (part, after) = rest.split_at(length);
            if let Some(place) = self.head.get_mut(from..from + length) {
                place.copy_from_slice(part);
            }
            self.known += length;
            rest = after;
            if self.known == HEAD {
                self.known = 0;
                self.begins();
            }
        }
    }

    /// A frame begins.
    fn begins(&mut self) {
        let [high, middle, low, kind, ..] = self.head;
        let length = u32::from_be_bytes([0, high, middle, low]);
        self.skip = usize::try_from(length).unwrap_or(usize::MAX);
        match kind {
            HEADERS => self.earn(USE),
            DATA if length > 0 => self.earn(USE),
            PRIORITY | SETTINGS | PING => self.pay(),
            // A kind that nobody knows is passed over, as often as it comes.
            _ if kind > CONTINUATION => self.pay(),
            _ => {}
        }
    }

    fn earn(&mut self, more: usize) {
        self.left = self.left.saturating_add(more).min(MOST);
    }

    fn pay(&mut self) {
        self.left = self.left.saturating_sub(PRICE);
        if self.left == 0 {
            // The time is asked for once in a thousand frames.
            self.over = self.since.elapsed() < SPAN;
            self.since = Instant::now();
            self.left = MOST;
        }
    }
}

/// What makes the library say `GOAWAY` with `ENHANCE_YOUR_CALM`, and flush it: it has no word of its own for idle frames,
/// but one for a head that does not end.
fn farewell() -> Bytes {
    let frame = |kind| [0, 0, 0, kind, 0, 0, 0, 0, 1];
    let mut frames = BytesMut::with_capacity(HEAD * (TOO_MANY + 1));
    frames.extend_from_slice(&frame(HEADERS));
    for _ in 0..TOO_MANY {
        frames.extend_from_slice(&frame(CONTINUATION));
    }
    frames.freeze()
}

impl AsyncRead for Calm {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let before = buf.filled().len();
        if this.farewell.is_none() {
            ready!(Pin::new(&mut this.stream).poll_read(cx, buf))?;
            let came = buf.filled().get(before..).unwrap_or_default();
            let Some(end) = this.scan.read(came) else {
                return Poll::Ready(Ok(()));
            };
            tracing::debug!("a peer floods its connection with frames that carry nothing");
            buf.set_filled(before + end);
            this.farewell = Some(farewell());
        }
        if let Some(farewell) = &mut this.farewell {
            let length = farewell.len().min(buf.remaining());
            buf.put_slice(farewell.get(..length).unwrap_or_default());
            farewell.advance(length);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Calm {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.stream).poll_write(cx, buf))?;
        self.scan.earn(written);
        Poll::Ready(Ok(written))
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
        let written = ready!(Pin::new(&mut self.stream).poll_write_vectored(cx, bufs))?;
        self.scan.earn(written);
        Poll::Ready(Ok(written))
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scan() -> Scan {
        Scan {
            skip: 0,
            head: [0; HEAD],
            known: 0,
            left: MOST,
            since: Instant::now(),
            over: false,
        }
    }

    fn frame(kind: u8, length: u8) -> Vec<u8> {
        let mut frame = vec![0, 0, length, kind, 0, 0, 0, 0, 0];
        frame.resize(HEAD + usize::from(length), PING);
        frame
    }

    #[tokio::test]
    async fn the_frame_after_the_last_one_is_found_however_the_bytes_are_cut() {
        let flood = frame(PING, 8).repeat(1_001);
        let last = frame(PING, 8).len() * 1_000;
        for chunk in [1, 7, 17, 100, flood.len()] {
            let mut scan = scan();
            let mut read = 0;
            for part in flood.chunks(chunk) {
                if let Some(end) = scan.read(part) {
                    read += end;
                    break;
                }
                read += part.len();
            }
            assert_eq!(read, last, "in parts of {chunk}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn calm_peers_are_left_alone() {
        // With requests among them.
        let mut busy = scan();
        let turn = [frame(PING, 8).repeat(5), frame(HEADERS, 3), frame(DATA, 9)].concat();
        assert_eq!(busy.read(&turn.repeat(1_000)), None);
        // One in 20 milliseconds.
        let mut slow = scan();
        for _ in 0..3_000 {
            tokio::time::advance(Duration::from_millis(20)).await;
            assert_eq!(slow.read(&frame(PING, 8)), None);
        }
        // While something is sent to them, each measured by an answer.
        let mut served = scan();
        for _ in 0..10_000 {
            served.earn(17 + HEAD + 5);
            assert_eq!(served.read(&frame(PING, 8)), None);
        }
        // And not the one that is sent nothing but answers.
        let mut idle = scan();
        let ended = (0..10_000).any(|_| {
            idle.earn(17);
            idle.read(&frame(PING, 8)).is_some()
        });
        assert!(ended);
    }
}
