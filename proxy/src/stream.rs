//! One type for every connection that bytes flow over: plain or mesh TLS, with what was read ahead of it.
//!
//! Never reorders: what was read to find out what a connection is, is read again first.

mod wire;

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsStream;

pub(crate) use wire::Wire;

/// The 24 bytes that a client which knows that it speaks HTTP/2 begins with (RFC 9113 3.4).
pub(crate) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// A message no longer than this is copied into one piece: that costs less than telling the kernel of its parts.
const SMALL: usize = 1_024;

/// A connection.
#[derive(Debug)]
pub(crate) enum Stream {
    Plain(Rewound<TcpStream>),
    Tls(Rewound<Box<TlsStream<Wire>>>),
}

/// Something to read from, after some bytes that were read from it already.
#[derive(Debug)]
pub(crate) struct Rewound<T> {
    ahead: Bytes,
    inner: T,
}

/// Which version of HTTP a client begins to speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum HttpVersion {
    One,
    Two,
}

impl Rewound<TcpStream> {
    /// The same for what lies below TLS.
    pub(crate) fn into_wire(self) -> Wire {
        Wire::new(self.ahead, self.inner)
    }
}

impl<T> Rewound<T> {
    pub(crate) fn new(ahead: Bytes, inner: T) -> Self {
        Self { ahead, inner }
    }
}

impl Stream {
    pub(crate) fn plain(tcp: TcpStream) -> Self {
        Self::Plain(Rewound::new(Bytes::new(), tcp))
    }

    pub(crate) fn tls(tls: TlsStream<Wire>) -> Self {
        Self::Tls(Rewound::new(Bytes::new(), Box::new(tls)))
    }

    /// Reads until it is clear which version of HTTP the client speaks. Whatever is not HTTP/2 is left to HTTP/1.
    pub(crate) async fn http_version(&mut self) -> io::Result<HttpVersion> {
        let mut read = BytesMut::with_capacity(PREFACE.len());
        let version = loop {
            let so_far = PREFACE.get(..read.len()).unwrap_or_default();
            if read.len() >= PREFACE.len() && read.starts_with(PREFACE) {
                break HttpVersion::Two;
            }
            let other = read.as_ref() != so_far;
            if other || self.read_buf(&mut read).await? == 0 {
                break HttpVersion::One;
            }
        };
        self.rewind(read.freeze());
        Ok(version)
    }

    /// Resolves when the other side has said something, or that it will say nothing more.
    pub(crate) async fn hear(&mut self) -> io::Result<()> {
        let mut read = BytesMut::with_capacity(SMALL);
        self.read_buf(&mut read).await?;
        self.rewind(read.freeze());
        Ok(())
    }

    fn rewind(&mut self, read: Bytes) {
        let ahead = match self {
            Self::Plain(stream) => &mut stream.ahead,
            Self::Tls(stream) => &mut stream.ahead,
        };
        *ahead = match ahead.is_empty() {
            true => read,
            false => [read, ahead.clone()].concat().into(),
        };
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Rewound<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.ahead.is_empty() {
            return Pin::new(&mut self.inner).poll_read(cx, buf);
        }
        let length = self.ahead.len().min(buf.remaining());
        buf.put_slice(self.ahead.get(..length).unwrap_or_default());
        self.ahead.advance(length);
        Poll::Ready(Ok(()))
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Rewound<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(cx, buf),
            Self::Tls(stream) => Pin::new(stream).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(cx, buf),
            Self::Tls(stream) => Pin::new(stream).poll_write(cx, buf),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Self::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Tls(stream) => {
                // A peer that has gone already is no reason for an error: nothing is left to say.
                let closed = ready!(Pin::new(stream).poll_shutdown(cx));
                Poll::Ready(closed.or_else(|why| match why.kind() {
                    io::ErrorKind::NotConnected => Ok(()),
                    _ => Err(why),
                }))
            }
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => match bufs {
                [buf] => Pin::new(stream).poll_write(cx, buf),
                bufs if bufs.iter().map(|buf| buf.len()).sum::<usize>() <= SMALL => {
                    let mut whole = [0; SMALL];
                    let mut free = whole.as_mut_slice();
                    bufs.iter().for_each(|buf| free.put_slice(buf));
                    let length = SMALL - free.len();
                    Pin::new(stream).poll_write(cx, whole.get(..length).unwrap_or_default())
                }
                bufs => Pin::new(stream).poll_write_vectored(cx, bufs),
            },
            Self::Tls(stream) => Pin::new(stream).poll_write_vectored(cx, bufs),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Plain(stream) => stream.is_write_vectored(),
            Self::Tls(stream) => stream.is_write_vectored(),
        }
    }
}
