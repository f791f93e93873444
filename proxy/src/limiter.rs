//! The buckets of rate limits: what each of them has let through, whatever became of the configuration meanwhile.
//!
//! Never decides: `decide` of the bundle does, here is only what it has to remember.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use mesh_bundle::decide::{Bucket, Limited};
use mesh_bundle::resource::PeerMatch;
use tokio::time::Instant;

use crate::table::{InboundTable, Table};

/// All buckets of a data plane.
#[derive(Debug)]
pub(crate) struct Limiters {
    /// What times are counted from.
    began: Instant,
    buckets: Mutex<HashMap<Counted, Arc<Mutex<Bucket>>>>,
}

/// What a bucket is for. Stays the same when the limit itself changes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Counted {
    /// As metrics name it.
    inbound: Arc<str>,
    what: What,
    /// `None`: everybody whom no match is about.
    peer: Option<PeerMatch>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum What {
    Requests,
    Connections,
}

/// The buckets of one inbound of one table, in the places of its limits.
#[derive(Debug)]
pub(crate) struct Buckets {
    requests: OfPeers,
    connections: OfPeers,
}

#[derive(Debug)]
struct OfPeers {
    everybody: Arc<Mutex<Bucket>>,
    peers: Vec<Arc<Mutex<Bucket>>>,
}

impl Default for Limiters {
    fn default() -> Self {
        Self {
            began: Instant::now(),
            buckets: Mutex::default(),
        }
    }
}

impl Limiters {
    /// Gives each inbound of a table the buckets that there are for it, and forgets those that nobody has any more.
    pub(crate) fn follow(&self, table: &Table) {
        let mut known = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        for inbound in table.inbounds.values() {
            let limits = &inbound.policy.rate_limits;
            if limits.is_empty() {
                continue;
            }
            let mut of = |what: What| {
                let mut bucket = |peer: Option<PeerMatch>| {
                    let counted = Counted {
                        inbound: Arc::clone(&inbound.label),
                        what,
                        peer,
                    };
                    let full = || Arc::new(Mutex::new(Bucket::full(self.began.elapsed())));
                    Arc::clone(known.entry(counted).or_insert_with(full))
                };
                OfPeers {
                    everybody: bucket(None),
                    peers: limits
                        .peers
                        .iter()
                        .map(|own| bucket(Some(own.peer.clone())))
                        .collect(),
                }
            };
            let (requests, connections) = (of(What::Requests), of(What::Connections));
            inbound.buckets.get_or_init(|| Buckets {
                requests,
                connections,
            });
        }
        known.retain(|_, bucket| Arc::strong_count(bucket) > 1);
    }

    /// Is there room for one more request?
    pub(crate) fn request<T>(&self, inbound: &InboundTable, limited: &Limited<'_, T>) -> bool {
        self.take(inbound.buckets.get().map(|all| &all.requests), limited)
    }

    /// Is there room for one more connection?
    pub(crate) fn connection<T>(&self, inbound: &InboundTable, limited: &Limited<'_, T>) -> bool {
        self.take(inbound.buckets.get().map(|all| &all.connections), limited)
    }

    fn take<T>(&self, buckets: Option<&OfPeers>, limited: &Limited<'_, T>) -> bool {
        let bucket = buckets.and_then(|of| match limited.place {
            None => Some(&of.everybody),
            Some(place) => of.peers.get(place),
        });
        // A table is followed before it is served from, so there is one.
        let Some(bucket) = bucket else { return true };
        let mut bucket = bucket.lock().unwrap_or_else(PoisonError::into_inner);
        let (after, granted) = bucket.take(limited.rate, self.began.elapsed());
        *bucket = after;
        granted
    }
}
