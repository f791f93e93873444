//! Reads and writes a connection.
//!
//! Never writes a frame on its own while more are there: what many streams have to say goes out at once.

use std::cell::Cell;
use std::io::{self, IoSlice};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf as _, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite};
use tokio::time::{Sleep, sleep};

use super::core::Core;
use super::outbox::{Outbox, PIECES};
use super::reason::{Error, Reason};
use super::state::Role;
use super::stream::remember;
use crate::stream::PREFACE;

/// Is read at once.
const READ_BYTES: usize = 32 * 1024;
/// When as much waits that is no body, nothing more is read: the other side asks, and does not take the answers.
const MOST_WAITING: usize = 1024 * 1024;
/// The other side has this long to take the last words.
const LAST_WAIT: Duration = Duration::from_secs(5);

thread_local! {
    /// What no connection of this thread reads into right now: almost always one is enough for all of them.
    static SPARE: Cell<BytesMut> = Cell::default();
}

/// What keeps a connection going.
#[derive(Debug)]
pub(super) struct Driver<T> {
    io: T,
    core: Arc<Core>,
    /// Part of a frame.
    input: BytesMut,
    /// What is being written.
    writing: Outbox,
    /// What was written has to be flushed.
    unflushed: bool,
    /// The client has said that it speaks HTTP/2.
    known: bool,
    closing: Option<Closing>,
}

/// Until when the last words may be taken, and how it ends.
#[derive(Debug)]
struct Closing {
    deadline: Pin<Box<Sleep>>,
    end: Result<(), Error>,
}

impl<T: AsyncRead + AsyncWrite + Unpin> Driver<T> {
    pub(super) fn new(io: T, core: Arc<Core>, role: Role) -> Self {
        let mut writing = Outbox::default();
        if role == Role::Client {
            writing.raw(PREFACE);
        }
        Self {
            io,
            core,
            input: BytesMut::new(),
            writing,
            unflushed: false,
            known: role == Role::Client,
            closing: None,
        }
    }

    pub(super) fn core(&self) -> &Arc<Core> {
        &self.core
    }

    /// Goes on as far as it can. Resolves when the connection has ended.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        {
            let mut state = self.core.lock();
            remember(&mut state.driver, cx);
            state.rung = true;
        }
        loop {
            if self.closing.is_some() {
                return self.poll_close(cx);
            }
            if let Err(end) = self.read(cx) {
                self.close(end);
                continue;
            }
            let written = match self.poll_write(cx) {
                Poll::Ready(Ok(())) => true,
                Poll::Ready(Err(_)) => {
                    self.close(Err(Error::Closed));
                    continue;
                }
                Poll::Pending => false,
            };
            let mut state = self.core.lock();
            if written && state.is_over() {
                drop(state);
                self.close(Ok(()));
                continue;
            }
            // Where there is no room now, the socket wakes this task.
            if !written || state.out.is_empty() {
                state.rung = !written;
                return Poll::Pending;
            }
        }
    }

    /// Reads all that is there.
    fn read(&mut self, cx: &mut Context<'_>) -> Result<(), Result<(), Error>> {
        let mut input = std::mem::take(&mut self.input);
        if input.capacity() == 0 {
            input = SPARE.take();
        }
        let read = self.read_into(&mut input, cx);
        match input.is_empty() {
            // Not where something that came in it is still on its way.
            true if input.try_reclaim(READ_BYTES) => SPARE.set(input),
            true => {}
            false => self.input = input,
        }
        read
    }

    fn read_into(
        &mut self,
        input: &mut BytesMut,
        cx: &mut Context<'_>,
    ) -> Result<(), Result<(), Error>> {
        loop {
            if self.core.lock().out.others() > MOST_WAITING {
                return Ok(());
            }
            if input.capacity() - input.len() < READ_BYTES / 8 {
                input.reserve(READ_BYTES);
            }
            match pin!(self.io.read_buf(input)).poll(cx) {
                Poll::Pending => return Ok(()),
                Poll::Ready(Ok(0)) => return Err(self.core.lock().end_of_input()),
                Poll::Ready(Ok(_)) => {}
                Poll::Ready(Err(_)) => return Err(Err(Error::Closed)),
            }
            let taken = self.take_preface(input).and_then(|known| match known {
                true => self.core.lock().receive(input),
                false => Ok(()),
            });
            if let Err(reason) = taken {
                return Err(Err(Error::Violated(reason)));
            }
        }
    }

    fn take_preface(&mut self, input: &mut BytesMut) -> Result<bool, Reason> {
        if !self.known {
            let length = input.len().min(PREFACE.len());
            if input.get(..length) != PREFACE.get(..length) {
                return Err(Reason::PROTOCOL_ERROR);
            }
            if length == PREFACE.len() {
                input.advance(length);
                self.known = true;
            }
        }
        Ok(self.known)
    }

    /// Writes all that waits, and flushes it.
    fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            if self.writing.is_empty() {
                let mut state = self.core.lock();
                if state.out.is_empty() {
                    break;
                }
                std::mem::swap(&mut state.out, &mut self.writing);
                state.next_outbox();
            }
            let mut pieces = [IoSlice::new(&[]); PIECES];
            let count = self.writing.pieces(&mut pieces);
            let pieces = pieces.get(..count).unwrap_or_default();
            let written = ready!(Pin::new(&mut self.io).poll_write_vectored(cx, pieces))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.writing.advance(written);
            self.unflushed = true;
            self.core.lock().calm.earn(written);
        }
        if self.unflushed {
            ready!(Pin::new(&mut self.io).poll_flush(cx))?;
            self.unflushed = false;
        }
        Poll::Ready(Ok(()))
    }

    /// Nothing more is read, and what is to be said is said.
    fn close(&mut self, end: Result<(), Error>) {
        let mut state = self.core.lock();
        if end.is_ok() && state.error.is_none() && state.role == Role::Client {
            state.goodbye(Reason::NO_ERROR);
        }
        state.fail(end.err().unwrap_or(Error::Closed));
        let deadline = Box::pin(sleep(LAST_WAIT));
        self.closing = Some(Closing { deadline, end });
    }

    fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        let closed = match self.poll_write(cx) {
            Poll::Ready(Ok(())) => Pin::new(&mut self.io).poll_shutdown(cx).map(drop),
            written => written.map(drop),
        };
        let Some(closing) = &mut self.closing else {
            return Poll::Ready(Ok(()));
        };
        if closed.is_pending() && closing.deadline.as_mut().poll(cx).is_pending() {
            return Poll::Pending;
        }
        Poll::Ready(closing.end)
    }
}

impl<T> Drop for Driver<T> {
    fn drop(&mut self) {
        self.core.lock().fail(Error::Closed);
    }
}
