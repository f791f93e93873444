//! A stream that remembers what broke it.
//!
//! Never changes what is read or written. HTTP/2 keeps of an error what it looks like; whether it was TLS that said no is
//! lost there.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// The first error of a stream.
#[derive(Debug, Clone, Default)]
pub(super) struct Fault(Arc<OnceLock<Broken>>);

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Broken {
    Tls(String),
    Socket(String),
}

impl Fault {
    pub(super) fn seen(&self) -> Option<&Broken> {
        self.0.get()
    }

    /// What HTTP/2 says, where the stream itself had no error: pings that nobody answered, frames that are none.
    pub(super) fn note_words(&self, error: &dyn std::error::Error) {
        let causes = std::iter::successors(Some(error), |error| error.source());
        let words: Vec<String> = causes.map(ToString::to_string).collect();
        self.0.get_or_init(|| Broken::Socket(words.join(": ")));
    }

    fn note<T>(&self, polled: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if let Poll::Ready(Err(error)) = &polled {
            self.0.get_or_init(|| Broken::from(error));
        }
        polled
    }
}

impl From<&io::Error> for Broken {
    fn from(error: &io::Error) -> Self {
        let inner = error.get_ref();
        match inner.and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
            Some(tls) => Self::Tls(tls.to_string()),
            None => Self::Socket(error.to_string()),
        }
    }
}

#[derive(Debug)]
pub(super) struct Watched<S> {
    stream: S,
    fault: Fault,
}

impl<S> Watched<S> {
    pub(super) fn new(stream: S, fault: Fault) -> Self {
        Self { stream, fault }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.stream).poll_read(cx, buffer);
        self.fault.note(polled)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.fault.note(polled)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.stream).poll_flush(cx);
        self.fault.note(polled)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        self.fault.note(polled)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
