//! A connection that many requests use at once, and the place of one of them.
//!
//! Never takes more of them than the other side has said that it takes.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, Weak};

use tokio::task::AbortHandle;
use tokio::time::Instant;

use super::{Pool, locked};
use crate::http::{Pulse, RequestBody};
use crate::http2::{self, Client, RequestHead};
use crate::tls::TlsPeer;
use crate::upstream::Place;
use crate::upstream::multiplex::{self, Exchange};

/// A connection that many requests share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) client: Client,
    pub(super) pulse: Arc<Pulse>,
    pub(super) used: Mutex<Instant>,
    pub(super) peer: Option<TlsPeer>,
    /// Of the last table under which the peer was found to be right.
    pub(super) serial: AtomicU64,
    pub(super) driver: AbortHandle,
    /// Held by the driver.
    pub(super) place: Option<Weak<Place>>,
}

/// One stream of a shared connection.
#[derive(Debug)]
pub(crate) struct Share {
    shared: Arc<Shared>,
    _busy: Place,
}

impl Drop for Share {
    fn drop(&mut self) {
        if self.shared.pulse.streams.fetch_sub(1, Ordering::AcqRel) == 1 {
            *locked(&self.shared.used) = Instant::now();
        }
        if let Some(place) = self.shared.place.as_ref().and_then(Weak::upgrade) {
            place.lend();
        }
    }
}

impl Share {
    /// Begins a request as one of its streams. `Err`: the connection has ended before that.
    pub(in crate::upstream) fn begin(
        &self,
        head: &RequestHead<'_>,
        body: RequestBody,
    ) -> Result<Exchange, http2::Error> {
        multiplex::begin(&self.shared.client, &self.shared.pulse, head, body)
    }
}

impl Pool {
    /// Room on a connection that is there, and that was right under this table or a later one.
    pub(super) fn share(&self, serial: u64) -> Option<Share> {
        let mut found = None;
        // Under the lock, so that nobody else takes the same place.
        locked(&self.two).retain(|shared| {
            if found.is_some() || shared.serial.load(Ordering::Relaxed) < serial {
                return true;
            }
            let Some(most) = shared.client.most() else {
                return false;
            };
            if shared.pulse.streams.load(Ordering::Relaxed) < most {
                found = Some(self.share_of(shared));
            }
            true
        });
        found
    }

    /// One more stream.
    pub(super) fn share_of(&self, shared: &Arc<Shared>) -> Share {
        shared.pulse.streams.fetch_add(1, Ordering::Relaxed);
        Share {
            shared: Arc::clone(shared),
            _busy: self.busy(),
        }
    }

    /// Gives out a shared connection no more: a request could not be sent on it.
    pub(in crate::upstream) fn discard(&self, share: &Share) {
        locked(&self.two).retain(|shared| !Arc::ptr_eq(shared, &share.shared));
    }
}
