//! What all connections of a data plane share: the table, the news about it, and what counts.
//!
//! Never changes a table: it is swapped, with one pointer, and those who hold the old one finish what they began.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use arc_swap::ArcSwap;
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, watch};

use crate::access_log::AccessLogs;
use crate::limiter::Limiters;
use crate::metrics::Metrics;
use crate::table::Table;
use crate::upstream::Upstreams;

/// Accepted and not yet closed, over all listeners, where nobody says otherwise. Each takes two descriptors at most.
pub(crate) const MOST_CONNECTIONS: usize = 16_384;

/// How far the end has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Phase {
    Serving,
    /// What is under way is finished, and clients are told to go elsewhere.
    Draining,
    /// What is under way is cut.
    Over,
}

#[derive(Debug)]
pub(crate) struct Shared {
    table: ArcSwap<Table>,
    /// Every change of the table or the phase; what it holds is the phase.
    news: watch::Sender<Phase>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) upstreams: Upstreams,
    pub(crate) limiters: Limiters,
    pub(crate) access_logs: AccessLogs,
    pub(crate) room: Arc<Semaphore>,
    /// Requests, and connections that are no HTTP: what a drain waits for. How many are under way, and above that how many
    /// have begun: one number, as it is counted for each request.
    traffic: AtomicU64,
    hides_refusals: AtomicBool,
}

/// What [`Shared::begin`] adds: one that is under way, and one that has begun.
const BEGINS: u64 = (1 << 32) + 1;

/// The traffic at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Traffic(u64);

impl Traffic {
    pub(crate) fn is_under_way(self) -> bool {
        self.0 & u64::from(u32::MAX) != 0
    }
}

/// Something that a drain waits for.
#[derive(Debug)]
pub(crate) struct UnderWay(Arc<Shared>);

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.traffic.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Shared {
    pub(crate) fn new(metrics: Arc<Metrics>, runtime: Handle) -> Self {
        let upstreams = Upstreams::default();
        metrics.register(
            "mesh_ejections",
            "Instances that were left out for their failures",
            upstreams.ejections.family(),
        );
        Self {
            table: ArcSwap::from_pointee(Table::default()),
            news: watch::Sender::new(Phase::Serving),
            upstreams,
            limiters: Limiters::default(),
            access_logs: AccessLogs::new(runtime, Arc::clone(&metrics)),
            metrics,
            room: Arc::new(Semaphore::new(MOST_CONNECTIONS)),
            traffic: AtomicU64::new(0),
            hides_refusals: AtomicBool::new(false),
        }
    }

    pub(crate) fn table(&self) -> Arc<Table> {
        self.table.load_full()
    }

    /// From now on this is what everything is decided with; open connections are told.
    pub(crate) fn swap(&self, table: Arc<Table>) {
        self.upstreams.follow(&self.table(), &table);
        self.limiters.follow(&table);
        self.access_logs.follow(&table);
        self.table.store(table);
        self.news.send_modify(|_| {});
    }

    pub(crate) fn enter(&self, phase: Phase) {
        self.news
            .send_modify(|current| *current = phase.max(*current));
    }

    pub(crate) fn begin(self: &Arc<Self>) -> UnderWay {
        self.traffic.fetch_add(BEGINS, Ordering::AcqRel);
        UnderWay(Arc::clone(self))
    }

    /// Equal at two moments: nothing has begun or ended between them.
    pub(crate) fn traffic(&self) -> Traffic {
        Traffic(self.traffic.load(Ordering::Acquire))
    }

    /// Lets so many connections be open at once instead of [`MOST_CONNECTIONS`]; for a proxy that has none yet.
    pub(crate) fn hold_at_most(&self, connections: usize) {
        match connections.checked_sub(MOST_CONNECTIONS) {
            Some(more) => self.room.add_permits(more),
            None => drop(self.room.forget_permits(MOST_CONNECTIONS - connections)),
        }
    }

    /// From now on responses do not say what refused a request, nor what another proxy said of it.
    pub(crate) fn hide_refusals(&self) {
        self.hides_refusals.store(true, Ordering::Relaxed);
    }

    pub(crate) fn hides_refusals(&self) -> bool {
        self.hides_refusals.load(Ordering::Relaxed)
    }

    pub(crate) fn news(&self) -> watch::Receiver<Phase> {
        self.news.subscribe()
    }
}
