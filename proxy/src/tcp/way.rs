//! One direction of a connection that bytes are copied over.
//!
//! Never holds memory while nothing is on its way: only what the other end has not taken yet.

use std::cell::RefCell;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf as _, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::Activity;

/// Read before anything is written: four records of TLS, encrypted or sent with one call.
const PIECE: usize = 64 * 1024;

thread_local! {
    /// Where bytes are on their way through. It is free again before anybody waits.
    static SCRATCH: RefCell<Box<[u8]>> = RefCell::new(vec![0; PIECE].into());
}

/// What one direction is counted as.
#[derive(Debug)]
pub(super) enum Count<'a> {
    /// From downstream.
    Received(&'a Activity),
    /// To downstream.
    Sent(&'a Activity),
}

impl Count<'_> {
    fn read(&self, bytes: usize) {
        match self {
            Self::Received(activity) => {
                activity.touch();
                activity.receive(bytes);
            }
            Self::Sent(activity) => activity.touch(),
        }
    }

    fn written(&self, bytes: usize) {
        match self {
            Self::Received(activity) => activity.touch(),
            Self::Sent(activity) => {
                activity.touch();
                activity.send(bytes);
            }
        }
    }
}

/// How far one direction has come.
#[derive(Debug, Default)]
pub(super) struct Way {
    /// Read, and not taken yet.
    held: Bytes,
    /// What follows after that.
    next: Next,
    /// The other end may keep back what it has taken, until it is told that nothing follows for now.
    unflushed: bool,
}

#[derive(Debug, Default)]
enum Next {
    #[default]
    More,
    /// Nothing, which the other end has not been told.
    End,
    Failure(io::Error),
    /// Nothing, and the other end knows.
    Over,
}

impl Way {
    /// Copies for as long as it goes. Ready: it has ended, and the other end knows.
    pub(super) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        from: &mut (impl AsyncRead + Unpin),
        to: &mut (impl AsyncWrite + Unpin),
        count: &Count<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            while !self.held.is_empty() {
                let taken = ready!(write(cx, to, &self.held))?;
                count.written(taken);
                self.held.advance(taken);
            }
            self.held = Bytes::new();
            match std::mem::take(&mut self.next) {
                Next::More => {
                    if self.pass(cx, from, to, count)?.is_pending() {
                        if self.unflushed {
                            ready!(Pin::new(&mut *to).poll_flush(cx))?;
                            self.unflushed = false;
                        }
                        return Poll::Pending;
                    }
                }
                Next::End => {
                    let told = Pin::new(&mut *to).poll_shutdown(cx)?;
                    let over = told.is_ready();
                    self.next = if over { Next::Over } else { Next::End };
                    ready!(told);
                }
                Next::Failure(why) => return Poll::Ready(Err(why)),
                Next::Over => {
                    self.next = Next::Over;
                    return Poll::Ready(Ok(()));
                }
            }
        }
    }

    /// Reads all that is there, and hands on what the other end takes of it. Pending: nothing is there.
    fn pass(
        &mut self,
        cx: &mut Context<'_>,
        from: &mut (impl AsyncRead + Unpin),
        to: &mut (impl AsyncWrite + Unpin),
        count: &Count<'_>,
    ) -> Poll<io::Result<()>> {
        SCRATCH.with_borrow_mut(|scratch| {
            let mut read = ReadBuf::new(scratch);
            let mut waits = false;
            while read.remaining() > 0 {
                let before = read.filled().len();
                match Pin::new(&mut *from).poll_read(cx, &mut read) {
                    Poll::Pending => waits = true,
                    Poll::Ready(Err(why)) => self.next = Next::Failure(why),
                    Poll::Ready(Ok(())) if read.filled().len() == before => self.next = Next::End,
                    Poll::Ready(Ok(())) => continue,
                }
                break;
            }
            let mut rest = read.filled();
            if rest.is_empty() && waits {
                return Poll::Pending;
            }
            count.read(rest.len());
            while !rest.is_empty() {
                self.unflushed = true;
                match write(cx, to, rest)? {
                    Poll::Ready(taken) => {
                        count.written(taken);
                        rest = rest.get(taken..).unwrap_or_default();
                    }
                    Poll::Pending => {
                        self.held = Bytes::copy_from_slice(rest);
                        break;
                    }
                }
            }
            Poll::Ready(Ok(()))
        })
    }
}

fn write(
    cx: &mut Context<'_>,
    to: &mut (impl AsyncWrite + Unpin),
    bytes: &[u8],
) -> Poll<io::Result<usize>> {
    match ready!(Pin::new(to).poll_write(cx, bytes))? {
        0 => Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
        taken => Poll::Ready(Ok(taken)),
    }
}
