//! The client's end of a connection.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite};

use super::core::{Core, Pings};
use super::driver::Driver;
use super::handles::{Answer, Handle, SendStream};
use super::head::RequestHead;
use super::reason::Error;
use super::state::{Limits, Role};

/// Where requests go in. When all of them are gone and their requests have ended, so does the connection.
#[derive(Debug)]
pub(crate) struct Client(Arc<Core>);

/// What keeps a connection going. Resolves when it has ended.
#[derive(Debug)]
#[must_use = "nothing is sent without it"]
pub(crate) struct Connection<T>(Driver<T>);

/// Begins a connection. Nothing is waited for: requests may be sent at once.
pub(crate) fn connect<T: AsyncRead + AsyncWrite + Unpin>(
    io: T,
    limits: Limits,
) -> (Client, Connection<T>) {
    let core = Core::new(Role::Client, limits);
    core.lock().clients = 1;
    let client = Client(Arc::clone(&core));
    (client, Connection(Driver::new(io, core, Role::Client)))
}

impl Clone for Client {
    fn clone(&self) -> Self {
        self.0.lock().clients += 1;
        Self(Arc::clone(&self.0))
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.clients = state.clients.saturating_sub(1);
        if state.clients == 0 {
            state.ring();
        }
    }
}

impl Client {
    /// How many requests may be under way at once; `None`: it takes no more.
    pub(crate) fn most(&self) -> Option<usize> {
        self.0.lock().most()
    }

    /// Begins a request: what its answer will be, and where its body goes, if it has one.
    pub(crate) fn begin(
        &self,
        head: &RequestHead<'_>,
        ended: bool,
    ) -> Result<(Answer, Option<SendStream>), Error> {
        let handles = if ended { 1 } else { 2 };
        let id = self.0.lock().begin(head, ended, handles)?;
        let answer = Answer::new(Handle::new(&self.0, id, true));
        let body = (!ended).then(|| SendStream::new(Handle::new(&self.0, id, false)));
        Ok((answer, body))
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> Connection<T> {
    pub(crate) fn pings(&self) -> Pings {
        Pings(Arc::clone(self.0.core()))
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> Future for Connection<T> {
    type Output = Result<(), Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.poll(cx)
    }
}
