//! How long it takes until a proxy holds what was published for it.
//!
//! Never counts a proxy that was not there when it was published: that its configuration waited for it says nothing about delivery.

use std::collections::BTreeMap;

use mesh_bundle::{Digest, Kri};
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use tokio::time::Instant;

use super::Registry;
use super::live::Live;
use crate::publish::Published;

/// What is on its way, and how long it took what has arrived.
#[derive(Debug)]
pub(super) struct Delivery {
    sent: BTreeMap<Kri, (Digest, Instant)>,
    took: Histogram,
}

impl Default for Delivery {
    fn default() -> Self {
        Self {
            sent: BTreeMap::new(),
            // From a millisecond to more than half a minute.
            took: Histogram::new(exponential_buckets(0.001, 2.0, 16)),
        }
    }
}

impl Delivery {
    /// Another world takes the place of the one before.
    pub(super) fn publish(
        &mut self,
        (before, after): (Option<&Published>, &Published),
        live: &BTreeMap<Kri, Live>,
        now: Instant,
    ) {
        self.sent.retain(|kri, _| after.proxies.contains_key(kri));
        // Mostly the same Dataplanes, in the same order.
        let same = before.filter(|before| after.has_those_of(before));
        let mut same = same.map(|before| before.proxies.values());
        for (kri, proxy) in &after.proxies {
            let known = match &mut same {
                Some(same) => same.next(),
                None => before.and_then(|before| before.proxies.get(kri)),
            };
            let root = proxy.wanted.root();
            let is_new = known.is_none_or(|known| known.wanted.root() != root);
            if is_new && live.get(kri).is_some_and(Live::is_connected) {
                self.sent.insert(kri.clone(), (root, now));
            }
        }
    }

    pub(super) fn acknowledge(&mut self, proxy: &Kri, root: Digest, now: Instant) {
        let Some((sent, since)) = self.sent.get(proxy).copied() else {
            return;
        };
        if sent == root {
            self.sent.remove(proxy);
            let took = now.saturating_duration_since(since);
            self.took.observe(took.as_secs_f64());
        }
    }

    /// It has to come back first.
    pub(super) fn disconnect(&mut self, proxy: &Kri) {
        self.sent.remove(proxy);
    }
}

impl Registry {
    /// How long it took proxies to acknowledge what was published for them.
    pub(crate) fn delivered(&self) -> Histogram {
        self.lock().delivery.took.clone()
    }
}
