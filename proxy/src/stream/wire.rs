//! The socket below TLS: what is written is sent when the writer has nothing more to write for now, and what is there is
//! read at once.
//!
//! Never holds memory for a connection on which nothing happens, and never keeps bytes that a flush was asked for.

use std::cell::Cell;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf as _, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// Several records of TLS, of which one holds 16 KiB at most.
const READ_BYTES: usize = 64 * 1024;
/// As much is gathered.
const WRITE_BYTES: usize = 128 * 1024;
/// As much at once is written from where it is: copying it would cost more than one system call saves.
const MUCH: usize = 32 * 1024;

thread_local! {
    /// What no socket of this thread has read into right now: almost always one is enough for all of them.
    static SPARE: Cell<Option<Box<[u8]>>> = const { Cell::new(None) };
    /// The same for what is to be written.
    static GATHERING: Cell<Option<BytesMut>> = const { Cell::new(None) };
}

/// Read from the socket, and not asked for yet: TLS reads in small pieces, and one system call fetches several.
#[derive(Debug)]
struct Fetched {
    buffer: Box<[u8]>,
    from: usize,
    to: usize,
}

impl Fetched {
    fn poll(tcp: &mut TcpStream, cx: &mut Context<'_>) -> Poll<io::Result<Self>> {
        // Most reads of an idle connection find nothing, and need no memory to find that.
        ready!(tcp.poll_read_ready(cx))?;
        let spare = SPARE.take();
        let mut buffer = spare.unwrap_or_else(|| vec![0; READ_BYTES].into());
        let mut read = ReadBuf::new(&mut buffer);
        let polled = Pin::new(tcp).poll_read(cx, &mut read);
        let to = read.filled().len();
        let fetched = Self {
            buffer,
            from: 0,
            to,
        };
        polled.map_ok(|()| fetched)
    }

    fn rest(&self) -> &[u8] {
        self.buffer.get(self.from..self.to).unwrap_or_default()
    }
}

impl Drop for Fetched {
    fn drop(&mut self) {
        // A thread that ends has none any more.
        let _ = SPARE.try_with(|spare| spare.set(Some(std::mem::take(&mut self.buffer))));
    }
}

/// A socket that gathers writes until it is flushed.
#[derive(Debug)]
pub(crate) struct Wire {
    tcp: TcpStream,
    ahead: Bytes,
    fetched: Option<Fetched>,
    waiting: BytesMut,
}

impl Wire {
    /// `ahead` was read from the socket already.
    pub(crate) fn new(ahead: Bytes, tcp: TcpStream) -> Self {
        Self {
            tcp,
            ahead,
            fetched: None,
            waiting: BytesMut::new(),
        }
    }

    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.waiting.is_empty() {
            let sent = ready!(Pin::new(&mut self.tcp).poll_write(cx, &self.waiting))?;
            if sent == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.waiting.advance(sent);
        }
        self.release();
        Poll::Ready(Ok(()))
    }

    /// Takes some bytes that are no more than there is room for.
    fn gather(&mut self, buf: &[u8]) {
        if self.waiting.capacity() == 0 {
            // A thread that ends has none any more.
            let spare = GATHERING.try_with(Cell::take).ok().flatten();
            self.waiting = spare.unwrap_or_else(|| BytesMut::with_capacity(WRITE_BYTES));
        }
        self.waiting.extend_from_slice(buf);
    }

    fn release(&mut self) {
        if self.waiting.capacity() > 0 {
            let mut spare = std::mem::take(&mut self.waiting);
            spare.clear();
            // What has been sent lies before its beginning.
            if spare.try_reclaim(WRITE_BYTES) {
                let _ = GATHERING.try_with(|gathering| gathering.set(Some(spare)));
            }
        }
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if !this.ahead.is_empty() {
            let length = this.ahead.len().min(buf.remaining());
            buf.put_slice(&this.ahead.split_to(length));
            return Poll::Ready(Ok(()));
        }
        let mut fetched = match this.fetched.take() {
            Some(fetched) => fetched,
            None if buf.remaining() >= READ_BYTES => {
                return Pin::new(&mut this.tcp).poll_read(cx, buf);
            }
            None => ready!(Fetched::poll(&mut this.tcp, cx))?,
        };
        let length = fetched.rest().len().min(buf.remaining());
        buf.put_slice(fetched.rest().get(..length).unwrap_or_default());
        fetched.from += length;
        this.fetched = Some(fetched).filter(|fetched| !fetched.rest().is_empty());
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.waiting.len() + buf.len() > WRITE_BYTES {
            ready!(self.poll_send(cx))?;
        }
        if buf.len() >= MUCH {
            ready!(self.poll_send(cx))?;
            return Pin::new(&mut self.tcp).poll_write(cx, buf);
        }
        self.gather(buf);
        Poll::Ready(Ok(buf.len()))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let length = bufs.iter().map(|buf| buf.len()).sum::<usize>();
        if self.waiting.len() + length > WRITE_BYTES {
            ready!(self.poll_send(cx))?;
        }
        if length >= MUCH {
            ready!(self.poll_send(cx))?;
            return Pin::new(&mut self.tcp).poll_write_vectored(cx, bufs);
        }
        bufs.iter().for_each(|buf| self.gather(buf));
        Poll::Ready(Ok(length))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_send(cx))?;
        Pin::new(&mut self.tcp).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_send(cx))?;
        Pin::new(&mut self.tcp).poll_shutdown(cx)
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        // The last word may be an alert that says why. Nobody waits for it.
        if !self.waiting.is_empty() {
            drop(self.tcp.try_write(&self.waiting));
        }
    }
}
