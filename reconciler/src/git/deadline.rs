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
}

/// What is known of a fetch beside its result.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ended {
    pub(super) late: bool,
    pub(super) again: Option<Duration>,
}

/// Runs a fetch. Whatever it waits for must ask [`left`].
pub(super) fn within<T>(limit: Duration, work: impl FnOnce() -> T) -> (T, Ended) {
    let until = Instant::now() + limit;
    let again = None;
    CURRENT.set(Some(Fetch { until, again }));
    let done = work();
    let fetch = CURRENT.take();
    let ended = Ended {
        late: Instant::now() >= until,
        again: fetch.and_then(|fetch| fetch.again),
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
