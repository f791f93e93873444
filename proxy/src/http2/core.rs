//! A connection as its streams see it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use super::state::{Limits, Role, State};
use super::stream::remember;

/// What the tasks of a connection share.
#[derive(Debug)]
pub(super) struct Core(Mutex<State>);

impl Core {
    pub(super) fn new(role: Role, limits: Limits) -> Arc<Self> {
        Arc::new(Self(Mutex::new(State::new(role, limits))))
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Finds out whether the other side is there.
#[derive(Debug)]
pub(crate) struct Pings(pub(super) Arc<Core>);

impl Pings {
    /// Resolves when it has answered, or when the connection has ended.
    pub(crate) async fn ping(&self) {
        self.0.lock().ask();
        std::future::poll_fn(|cx| self.poll_answer(cx)).await;
    }

    fn poll_answer(&self, cx: &Context<'_>) -> Poll<()> {
        let mut state = self.0.lock();
        if !state.asked || state.error.is_some() {
            return Poll::Ready(());
        }
        remember(&mut state.asking, cx);
        Poll::Pending
    }
}
