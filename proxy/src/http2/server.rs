//! The server's end of a connection.

use std::sync::Arc;
use std::task::{Context, Poll};

use http::Request;
use tokio::io::{AsyncRead, AsyncWrite};

use super::core::{Core, Pings};
use super::driver::Driver;
use super::handles::{Handle, RecvStream, Respond};
use super::reason::Error;
use super::state::{Limits, Role, Unfit};

/// A connection while it is served.
#[derive(Debug)]
pub(crate) struct Server<T>(Driver<T>);

/// What a client has begun, and where its answer goes.
#[derive(Debug)]
pub(crate) struct Begun {
    pub(crate) request: Result<Request<RecvStream>, Unfit>,
    pub(crate) respond: Respond,
}

impl<T: AsyncRead + AsyncWrite + Unpin> Server<T> {
    pub(crate) fn new(io: T, limits: Limits) -> Self {
        let core = Core::new(Role::Server, limits);
        Self(Driver::new(io, core, Role::Server))
    }

    pub(crate) fn pings(&self) -> Pings {
        Pings(Arc::clone(self.0.core()))
    }

    /// Tells the client to begin nothing more. What it has begun is served to its end.
    pub(crate) fn drain(&self) {
        self.0.core().lock().drain();
    }

    /// What the client begins next; keeps the connection going meanwhile. `None`: it has ended well.
    pub(crate) fn poll_accept(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Begun, Error>>> {
        if let Some(begun) = self.accepted() {
            return Poll::Ready(Some(Ok(begun)));
        }
        let ended = self.0.poll(cx);
        match (self.accepted(), ended) {
            (Some(begun), _) => Poll::Ready(Some(Ok(begun))),
            (None, Poll::Pending) => Poll::Pending,
            (None, Poll::Ready(ended)) => Poll::Ready(ended.err().map(Err)),
        }
    }

    fn accepted(&self) -> Option<Begun> {
        let core = self.0.core();
        loop {
            let (id, accepted) = {
                let mut state = core.lock();
                let (id, accepted) = state.accepted.pop_front()?;
                // It may have been given up already.
                let Some(stream) = state.streams.get_mut(&id) else {
                    continue;
                };
                stream.accepted = true;
                stream.handles = if accepted.is_ok() { 2 } else { 1 };
                (id, accepted)
            };
            let respond = Respond::new(Handle::new(core, id, false));
            let body = || RecvStream::new(Handle::new(core, id, true));
            let request = accepted.map(|request| request.map(|()| body()));
            return Some(Begun { request, respond });
        }
    }
}
