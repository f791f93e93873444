//! Connections to the admin port and to the control socket, few and not for ever: whoever asks must not take descriptors
//! from the proxies.
//!
//! Never queues: who finds no place waits in the kernel.

use std::fmt::Debug;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::serve::Listener;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Sleep, sleep};

/// More than operators, probes and scrapers need.
const CONNECTIONS: usize = 128;
/// Longer than the longest wait for a revision.
const LIFE: Duration = Duration::from_mins(10);
/// After an error of the system that may pass.
const PAUSE: Duration = Duration::from_millis(100);

/// What connections are taken from.
pub(crate) trait Source: Send + 'static {
    type Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static;
    type Address: Debug + Send;

    fn next(&self) -> impl Future<Output = io::Result<(Self::Stream, Self::Address)>> + Send;
    fn address(&self) -> io::Result<Self::Address>;
}

impl Source for TcpListener {
    type Stream = TcpStream;
    type Address = std::net::SocketAddr;

    async fn next(&self) -> io::Result<(TcpStream, Self::Address)> {
        self.accept().await
    }

    fn address(&self) -> io::Result<Self::Address> {
        self.local_addr()
    }
}

impl Source for UnixListener {
    type Stream = UnixStream;
    type Address = tokio::net::unix::SocketAddr;

    async fn next(&self) -> io::Result<(UnixStream, Self::Address)> {
        self.accept().await
    }

    fn address(&self) -> io::Result<Self::Address> {
        self.local_addr()
    }
}

/// A listener with a bound.
#[derive(Debug)]
pub(crate) struct Bounded<S> {
    listener: S,
    places: Arc<Semaphore>,
}

impl<S> Bounded<S> {
    pub(crate) fn new(listener: S) -> Self {
        Self {
            listener,
            places: Arc::new(Semaphore::new(CONNECTIONS)),
        }
    }
}

impl<S: Source> Listener for Bounded<S> {
    type Io = Held<S::Stream>;
    type Addr = S::Address;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            let place = Arc::clone(&self.places).acquire_owned().await.ok();
            match self.listener.next().await {
                Ok((stream, remote)) => {
                    let end = Box::pin(sleep(LIFE));
                    let _place = place;
                    let held = Held {
                        stream,
                        end,
                        _place,
                    };
                    return (held, remote);
                }
                Err(error) => {
                    tracing::debug!(%error, "the admin port cannot accept a connection");
                    sleep(PAUSE).await;
                }
            }
        }
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        self.listener.address()
    }
}

/// A connection in its place, with its end.
#[derive(Debug)]
pub(crate) struct Held<T> {
    stream: T,
    end: Pin<Box<Sleep>>,
    _place: Option<OwnedSemaphorePermit>,
}

impl<T: AsyncRead + Unpin> AsyncRead for Held<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.end.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Held<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        if written.is_pending() {
            // Whoever does not read is not waited for either.
            ready!(self.end.as_mut().poll(cx));
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
