//! Who gets a connection: one that is there, a new one, or, where there are as many as may be, one that becomes free.
//!
//! Never waits unseen: whoever waits counts as pending, and of those there is a limit too.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::time::Instant;

use super::{Lease, Pool, locked};
use crate::refusal::Refusal;
use crate::table::Instance as Target;
use crate::tls::ClientSide;
use crate::upstream::{Place, Room, Via};

impl Pool {
    /// A connection with room for one request. `fresh`: not one that has waited for it. Where there are as many connections
    /// as may be, it is one that becomes free.
    pub(in crate::upstream) async fn lease(
        self: &Arc<Self>,
        target: &Target,
        tls: Option<&ClientSide>,
        via: &Via<'_>,
        fresh: bool,
    ) -> Result<Lease, Refusal> {
        let mut waiting = None;
        loop {
            // Before it is looked for one, so that none becomes free unseen.
            let freed = via.room.map(Room::freed);
            if let Some(lease) = self.free(tls, fresh) {
                return Ok(lease);
            }
            let place = match via.room {
                None => None,
                Some(room) => room.connection(self.open.load(Ordering::Relaxed) == 0),
            };
            match (via.room, place) {
                (Some(room), None) => {
                    if waiting.is_none() {
                        waiting = Some(room.wait()?);
                    }
                }
                // Rare, and larger than all the rest.
                (_, place) => return Box::pin(self.another(target, tls, via, place)).await,
            }
            if let Some(freed) = freed {
                freed.await;
            }
        }
    }

    /// One that is there.
    fn free(self: &Arc<Self>, tls: Option<&ClientSide>, fresh: bool) -> Option<Lease> {
        let serial = tls.map_or(0, |side| side.serial);
        if !self.is_single() {
            return self.share(serial).map(Lease::Two);
        }
        while !fresh && let Some(idle) = self.pop(serial) {
            if idle.sender.is_ready() && !idle.sender.is_closed() {
                return Some(self.single(idle.sender, idle.counted, idle.serial, true));
            }
        }
        None
    }

    /// A new one, or of several that want one for many requests that of the first.
    async fn another(
        self: &Arc<Self>,
        target: &Target,
        tls: Option<&ClientSide>,
        via: &Via<'_>,
        place: Option<Place>,
    ) -> Result<Lease, Refusal> {
        let limit = via.connect_timeout;
        if self.is_single() {
            return self.dial(target, tls, limit, place).await;
        }
        let waiting_since = Instant::now();
        let _opening = self.opening.lock().await;
        if let Some(share) = self.share(tls.map_or(0, |side| side.serial)) {
            return Ok(Lease::Two(share));
        }
        // Who waited for the attempt of another shares its outcome, or the last in the row would wait for all of them.
        let failed = *locked(&self.failed);
        if let Some((at, why)) = failed
            && at > waiting_since
        {
            return Err(why);
        }
        self.dial(target, tls, limit, place).await
    }
}
