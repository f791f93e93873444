//! Traffic in sum, for meshd: how much there was, how it ended, how long it took.
//!
//! Never costs a request more than an addition to a number that no other thread for traffic adds to.

use std::cell::Cell;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::time::Duration;

use mesh_delivery::traffic::{Both, CLASSES, Flow, class};

use crate::metrics::Direction;
use crate::refusal::Refusal;

/// Threads that do not share a part; more of them share what there is.
const PARTS: usize = 16;

/// Counts from the beginning. They begin again after the largest number.
#[derive(Debug, Default)]
pub(crate) struct Tally([Part; PARTS]);

/// Of the threads that have it. In cache lines of its own.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Part {
    inbound: Counts,
    outbound: Counts,
}

#[derive(Debug, Default)]
struct Counts {
    connections: AtomicU32,
    failures: AtomicU32,
    denials: AtomicU32,
    latency: [AtomicU32; CLASSES],
}

static THREADS: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    static PART: Cell<Option<usize>> = const { Cell::new(None) };
}

/// The part of this thread.
fn part() -> usize {
    PART.get().unwrap_or_else(|| {
        let part = THREADS.fetch_add(1, Ordering::Relaxed) % PARTS;
        PART.set(Some(part));
        part
    })
}

impl Tally {
    fn counts(&self, direction: Direction) -> Option<&Counts> {
        let part = self.0.get(part())?;
        Some(match direction {
            Direction::Inbound => &part.inbound,
            Direction::Outbound => &part.outbound,
        })
    }

    /// An HTTP request has ended.
    pub(crate) fn request(&self, direction: Direction, failed: bool, after: Duration) {
        let Some(counts) = self.counts(direction) else {
            return;
        };
        if let Some(count) = counts.latency.get(class(after)) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        if failed {
            counts.failures.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// A connection that is no HTTP has ended, with this flag.
    pub(crate) fn connection(&self, direction: Direction, flag: &str) {
        let Some(counts) = self.counts(direction) else {
            return;
        };
        counts.connections.fetch_add(1, Ordering::Relaxed);
        // Of the table of refusals: those of the other end, and where there is none.
        if flag.starts_with(['U', 'N']) {
            counts.failures.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Something was not served.
    pub(crate) fn refused(&self, direction: Direction, refusal: Refusal) {
        if matches!(refusal, Refusal::Permission | Refusal::Revoked)
            && let Some(counts) = self.counts(direction)
        {
            counts.denials.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// All of it until now.
    pub(crate) fn sum(&self) -> Both {
        let mut both = Both::default();
        for part in &self.0 {
            part.inbound.add_to(&mut both.inbound);
            part.outbound.add_to(&mut both.outbound);
        }
        both
    }
}

impl Counts {
    fn add_to(&self, flow: &mut Flow) {
        let add = |sum: &mut u32, count: &AtomicU32| {
            *sum = sum.wrapping_add(count.load(Ordering::Relaxed));
        };
        add(&mut flow.connections, &self.connections);
        add(&mut flow.failures, &self.failures);
        add(&mut flow.denials, &self.denials);
        for (sum, count) in flow.latency.iter_mut().zip(&self.latency) {
            add(sum, count);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_count_apart_and_are_summed_up() {
        let tally = Tally::default();
        let millis = Duration::from_millis(3);
        std::thread::scope(|scope| {
            for _ in 0..2 * PARTS {
                scope.spawn(|| {
                    for failed in [false, true, false, true] {
                        tally.request(Direction::Inbound, failed, millis);
                    }
                    tally.connection(Direction::Outbound, "-");
                    tally.connection(Direction::Outbound, Refusal::Connect.row().flag);
                    tally.refused(Direction::Inbound, Refusal::Permission);
                    tally.refused(Direction::Inbound, Refusal::RateLimit);
                });
            }
        });
        let Both { inbound, outbound } = tally.sum();
        let threads = 2 * u32::try_from(PARTS).unwrap();
        assert_eq!(inbound.latency[class(millis)], 4 * threads);
        assert_eq!((inbound.failures, inbound.denials), (2 * threads, threads));
        assert_eq!(inbound.connections, 0);
        let counted = (outbound.connections, outbound.failures);
        assert_eq!(counted, (2 * threads, threads));
        assert_eq!(outbound.http(), 0);
    }
}
