//! The limits of an answer whose reader has no room: they end it all the same.
//!
//! Never left to whoever writes the answer: a library that waits for room asks the body for nothing, so that the body
//! cannot tell it that time is over. What polls the library looks at the limits instead.

use std::cell::RefCell;
use std::pin::Pin;
use std::task::{Context, Poll};

use super::timers::Watchdog;
use crate::refusal::Refusal;

thread_local! {
    /// Of what this thread polls right now.
    static CURRENT: RefCell<Option<Watch>> = const { RefCell::new(None) };
}

/// Over what writes answers, one at a time.
#[derive(Default)]
pub(super) struct Watch {
    /// Of the answer that is being written.
    watchdog: Option<Watchdog>,
    /// Why it must end, until its body has heard of it.
    due: Option<Refusal>,
}

impl Watch {
    /// Polls what writes answers. `None`: an answer was due whose reader took nothing, so all of it is gone.
    pub(super) fn poll<F: Future>(
        &mut self,
        mut work: Pin<&mut Option<F>>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<F::Output>> {
        let polled = self.within(|| poll_some(work.as_mut(), cx));
        let Some(watchdog) = self.watchdog.as_mut().filter(|_| polled.is_pending()) else {
            return polled;
        };
        let Poll::Ready(refusal) = Pin::new(watchdog).poll(cx) else {
            return Poll::Pending;
        };
        self.watchdog = None;
        self.due = Some(refusal);
        // Who waits for the next frame hears of it, and ends as it does for every other reason.
        let polled = self.within(|| poll_some(work.as_mut(), cx));
        if polled.is_pending() && self.due.is_some() {
            self.within(|| work.set(None));
            return Poll::Ready(None);
        }
        polled
    }

    fn within<T>(&mut self, poll: impl FnOnce() -> T) -> T {
        CURRENT.replace(Some(std::mem::take(self)));
        let polled = poll();
        *self = CURRENT.take().unwrap_or_default();
        polled
    }
}

fn poll_some<F: Future>(
    work: Pin<&mut Option<F>>,
    cx: &mut Context<'_>,
) -> Poll<Option<F::Output>> {
    match work.as_pin_mut() {
        Some(work) => work.poll(cx).map(Some),
        None => Poll::Ready(None),
    }
}

/// Hands the limits of an answer over; they come back where nobody watches.
pub(super) fn watch(watchdog: Watchdog) -> Option<Watchdog> {
    CURRENT.with_borrow_mut(|current| match current {
        Some(watch) => {
            watch.watchdog = Some(watchdog);
            None
        }
        None => Some(watchdog),
    })
}

/// Why the answer that is polled or dropped right now must end; told once.
pub(super) fn due() -> Option<Refusal> {
    CURRENT.with_borrow_mut(|current| current.as_mut()?.due.take())
}

/// The answer has ended, and its limits with it.
pub(super) fn over() {
    CURRENT.with_borrow_mut(|current| {
        if let Some(watch) = current {
            watch.watchdog = None;
        }
    });
}
