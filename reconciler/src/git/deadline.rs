//! The one deadline of a fetch, from the first connection to the last byte that is indexed.
//!
//! Never a matter of a single read: a server that sends a byte now and then is late all the same. It is kept by thread,
//! because libgit2 calls the transport on the thread that fetches and has no way to hand anything on to it.

use std::cell::Cell;
use std::time::{Duration, Instant};

thread_local! {
    static CURRENT: Cell<Option<Fetch>> = const { Cell::new(None) };
}

#[derive(Debug, Clone, Copy)]
struct Fetch {
    until: Instant,
    /// When the server wants to be asked again.
    again: Option<Duration>,
    unauthorized: bool,
}

/// What is known of a fetch beside its result.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ended {
    pub(super) late: bool,
    pub(super) again: Option<Duration>,
    pub(super) unauthorized: bool,
}

/// Runs a fetch. Whatever it waits for must ask [`left`].
pub(super) fn within<T>(limit: Duration, work: impl FnOnce() -> T) -> (T, Ended) {
    let until = Instant::now() + limit;
    CURRENT.set(Some(Fetch {
        until,
        again: None,
        unauthorized: false,
    }));
    let done = work();
    let fetch = CURRENT.take();
    let ended = Ended {
        late: Instant::now() >= until,
        again: fetch.and_then(|fetch| fetch.again),
        unauthorized: fetch.is_some_and(|fetch| fetch.unauthorized),
    };
    (done, ended)
}

/// How long the fetch of this thread may still take; `None` when it is over, or when there is none.
pub(super) fn left() -> Option<Duration> {
    let fetch = CURRENT.get()?;
    let left = fetch.until.saturating_duration_since(Instant::now());
    (!left.is_zero()).then_some(left)
}

/// Notes when the server wants to be asked again.
pub(super) fn ask_again_after(time: Duration) {
    if let Some(fetch) = CURRENT.get() {
        let again = Some(time);
        CURRENT.set(Some(Fetch { again, ..fetch }));
    }
}

/// Notes that the server does not let meshd in.
pub(super) fn note_unauthorized() {
    if let Some(fetch) = CURRENT.get() {
        CURRENT.set(Some(Fetch {
            unauthorized: true,
            ..fetch
        }));
    }
}
