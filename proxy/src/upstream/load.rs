//! How much is under way to one service, over all tables: what limits are compared with (language 5.7).
//!
//! Never knows a limit: it changes with the configuration, the counts do not.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use mesh_bundle::resource::ConnectionLimits;
use tokio::sync::Notify;
use tokio::sync::futures::Notified;
use tokio::time::Instant;

use super::ledger::Ledger;
use super::outlier::Judged;
use crate::refusal::Refusal;

/// What is under way to one service port or to one workload.
#[derive(Debug, Default)]
pub(crate) struct Load {
    requests: Arc<Count>,
    retries: Arc<Count>,
    connections: Arc<Count>,
    pending: Arc<Count>,
    ledger: Ledger,
    pub(super) judged: Judged,
}

/// How many of something are under way.
#[derive(Debug, Default)]
pub(super) struct Count {
    now: AtomicU32,
    /// One of them has ended, or has become free for another request.
    freed: Notify,
}

/// One of those that are under way.
#[derive(Debug)]
pub(crate) struct Place(Arc<Count>);

/// The limits of today for connections, and what counts against them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Room<'a> {
    load: &'a Load,
    connections: u32,
    pending: u32,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.now.fetch_sub(1, Ordering::Relaxed);
        self.0.freed.notify_one();
    }
}

impl Place {
    /// What holds the place can serve somebody else.
    pub(super) fn lend(&self) {
        self.0.freed.notify_one();
    }
}

impl Count {
    /// For one more, whatever their number.
    pub(super) fn place(self: &Arc<Self>) -> Place {
        self.now.fetch_add(1, Ordering::Relaxed);
        Place(Arc::clone(self))
    }

    pub(super) fn now(&self) -> u32 {
        self.now.load(Ordering::Relaxed)
    }
}

impl Load {
    /// A place for one more request; `None` where there are as many as may be.
    pub(crate) fn request(&self, most: u32) -> Option<Place> {
        place(&self.requests, most)
    }

    /// A request begins that may be sent again.
    pub(crate) fn sent(&self, now: Instant) {
        self.ledger.sent(now);
    }

    /// A place for one more request that was sent before; `None` where there are as many as may be, at once or altogether.
    pub(crate) fn retry(&self, limits: &ConnectionLimits) -> Option<Place> {
        let place = place(&self.retries, limits.max_retries.value)?;
        self.sends_again(limits).then_some(place)
    }

    /// May something be sent again, as far as the budget goes?
    pub(crate) fn sends_again(&self, limits: &ConnectionLimits) -> bool {
        self.ledger
            .sends_again(Instant::now(), &limits.retry_budget)
    }

    /// Room for connections.
    pub(crate) fn room(&self, limits: &ConnectionLimits) -> Room<'_> {
        Room {
            load: self,
            connections: limits.max_connections.value,
            pending: limits.max_pending_requests.value,
        }
    }
}

impl<'a> Room<'a> {
    /// A place for one more connection. `first`: there is none yet to where it leads, and that one always may.
    pub(super) fn connection(self, first: bool) -> Option<Place> {
        let most = match first {
            true => u32::MAX,
            false => self.connections,
        };
        place(&self.load.connections, most)
    }

    /// Resolves when a connection has ended or is free, counted from this call.
    pub(super) fn freed(self) -> Notified<'a> {
        self.load.connections.freed.notified()
    }

    /// A place among those that wait for a connection.
    pub(super) fn wait(self) -> Result<Place, Refusal> {
        place(&self.load.pending, self.pending).ok_or(Refusal::Overflow)
    }
}

fn place(count: &Arc<Count>, most: u32) -> Option<Place> {
    let before = count.now.fetch_add(1, Ordering::Relaxed);
    if before < most {
        return Some(Place(Arc::clone(count)));
    }
    count.now.fetch_sub(1, Ordering::Relaxed);
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_than_there_may_be() {
        let load = Load::default();
        let first = load.request(2);
        let second = load.request(2);
        assert!(first.is_some() && second.is_some() && load.request(2).is_none());
        drop(first);
        assert!(load.request(2).is_some());
        // A limit that was lowered holds for what comes.
        assert!(load.request(1).is_none());
        assert!(load.retry(&ConnectionLimits::default()).is_some());
    }

    #[test]
    fn the_first_connection_always_may() {
        let load = Load::default();
        let room = load.room(&ConnectionLimits::default());
        let room = Room {
            connections: 1,
            ..room
        };
        let one = room.connection(false);
        assert!(one.is_some() && room.connection(false).is_none());
        assert!(room.connection(true).is_some());
    }
}
