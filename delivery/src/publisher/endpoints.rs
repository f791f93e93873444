//! Which endpoints a proxy was told, and how they differ from those it shall know.
//!
//! Never keeps a set of its own: it points into the worlds that were wanted, which all sessions share.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ops::Bound;
use std::sync::Arc;

use mesh_bundle::Kri;

use crate::bounds;
use crate::message::{ClusterEndpoints, Endpoint, EndpointsChange};

pub(super) type World = Arc<BTreeMap<Kri, Arc<ClusterEndpoints>>>;

#[derive(Debug, Default)]
pub(super) struct Told {
    /// What the proxy knows, up to what `pass` changed already.
    known: World,
    pass: Option<Pass>,
    /// The rest of one cluster's change.
    rest: VecDeque<EndpointsChange>,
    /// Clusters that it was told of, and that are wanted no more.
    lingering: BTreeSet<Kri>,
}

/// On the way from what is known to another world, cluster by cluster.
#[derive(Debug)]
struct Pass {
    to: World,
    done: Option<Kri>,
}

impl Told {
    /// Goes to another world. What was under way is finished by [`Told::next`] before this is called.
    pub(super) fn tell(&mut self, to: World) {
        self.pass = Some(Pass { to, done: None });
    }

    pub(super) fn next(&mut self) -> Option<EndpointsChange> {
        loop {
            if let Some(change) = self.rest.pop_front() {
                return Some(change);
            }
            let Pass { to, done } = self.pass.as_mut()?;
            let after = match done.take() {
                Some(done) => Bound::Excluded(done),
                None => Bound::Unbounded,
            };
            let Some((service, wanted)) = to.range((after, Bound::Unbounded)).next() else {
                self.arrive();
                return None;
            };
            *done = Some(service.clone());
            // One that returns is not in `known`: it starts from nothing.
            self.lingering.remove(service);
            let known = self.known.get(service);
            self.rest = changes(service, known.map(Arc::as_ref), wanted);
        }
    }

    /// Takes one cluster back that no configuration of the proxy names any more.
    pub(super) fn withdraw(&mut self) -> Option<EndpointsChange> {
        let service = self.lingering.pop_first()?;
        Some(EndpointsChange {
            service,
            complete: true,
            upserts: Vec::new(),
            removals: Vec::new(),
            tls_ready: false,
        })
    }

    fn arrive(&mut self) {
        let Some(Pass { to, .. }) = self.pass.take() else {
            return;
        };
        let gone = self
            .known
            .keys()
            .filter(|service| !to.contains_key(service));
        self.lingering.extend(gone.cloned());
        self.known = to;
    }
}

/// From one set to another. A set that is new to the proxy begins as a complete one.
fn changes(
    service: &Kri,
    known: Option<&ClusterEndpoints>,
    wanted: &ClusterEndpoints,
) -> VecDeque<EndpointsChange> {
    if known.is_some_and(|known| std::ptr::eq(known, wanted) || known == wanted) {
        return VecDeque::new();
    }
    let old = |id: &Kri| known.and_then(|known| known.endpoints.get(id));
    let change = |complete| EndpointsChange {
        service: service.clone(),
        complete,
        upserts: Vec::new(),
        removals: Vec::new(),
        tls_ready: wanted.tls_ready,
    };
    let mut changes = VecDeque::new();
    let mut current = change(known.is_none());
    let mut room = bounds::ENDPOINTS_FRAME;
    let mut take = |cost: usize, current: &mut EndpointsChange| {
        if cost > room {
            changes.push_back(std::mem::replace(current, change(false)));
            room = bounds::ENDPOINTS_FRAME;
        }
        room = room.saturating_sub(cost);
    };
    for (id, endpoint) in &wanted.endpoints {
        if old(id) != Some(endpoint) {
            take(cost(endpoint), &mut current);
            current.upserts.push(endpoint.clone());
        }
    }
    let gone = known.into_iter().flat_map(|known| known.endpoints.keys());
    for id in gone.filter(|id| !wanted.endpoints.contains_key(id)) {
        take(length(id), &mut current);
        current.removals.push(id.clone());
    }
    changes.push_back(current);
    changes
}

fn cost(endpoint: &Endpoint) -> usize {
    let labels = endpoint.labels.iter();
    let labels = labels.map(|(key, value)| key.len() + value.len() + 8);
    let texts = endpoint.address.len() + endpoint.zone.len();
    length(&endpoint.id) + texts + labels.sum::<usize>() + 16
}

/// At least what its text has.
fn length(id: &Kri) -> usize {
    id.as_str().len() + 16
}
