//! Telling what was refused: one log line, with what caused it, and one count.
//!
//! Never logs what a client wrote: places are names of the configuration, peers are verified identities, reasons are ours.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use mesh_bundle::Origin;

use crate::metrics::{Direction, Metrics};
use crate::refusal::Refusal;

/// Lines of one reason at once, before those that follow are only counted.
const BURST: u32 = 100;
/// One more line of the same reason after each of these.
const ONE_MORE: Duration = Duration::from_millis(100);

/// How many lines each reason may still write, so that who is refused cannot fill a disk.
#[derive(Debug, Default)]
pub(crate) struct Lines(Mutex<HashMap<(Direction, Refusal), Bucket>>);

#[derive(Debug)]
struct Bucket {
    left: u32,
    /// Of the last line that was added to what is left.
    filled: Instant,
    suppressed: u64,
}

impl Lines {
    /// `Some` where a line may be written now: with the number of those that were not since the last one.
    fn take(&self, direction: Direction, refusal: Refusal, now: Instant) -> Option<u64> {
        let mut buckets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let bucket = buckets.entry((direction, refusal)).or_insert(Bucket {
            left: BURST,
            filled: now,
            suppressed: 0,
        });
        let passed = now.saturating_duration_since(bucket.filled).as_millis();
        let more = u32::try_from(passed / ONE_MORE.as_millis()).unwrap_or(u32::MAX);
        if more > 0 {
            bucket.left = bucket.left.saturating_add(more).min(BURST);
            bucket.filled = now;
        }
        match bucket.left.checked_sub(1) {
            Some(left) => {
                bucket.left = left;
                Some(std::mem::take(&mut bucket.suppressed))
            }
            None => {
                bucket.suppressed = bucket.suppressed.saturating_add(1);
                None
            }
        }
    }
}

/// A refusal, and where it comes from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Refused<'a> {
    pub(crate) direction: Direction,
    pub(crate) refusal: Refusal,
    /// More than the refusal's label says.
    pub(crate) reason: Option<&'a str>,
    /// Where a peer that is nobody comes from.
    pub(crate) remote: Option<SocketAddr>,
    /// Who was refused; the workload itself, or a peer without a certificate, is nobody.
    pub(crate) peer: Option<&'a str>,
    /// The section name of the inbound, or the destination.
    pub(crate) place: &'a str,
    pub(crate) origin: Option<&'a Origin>,
    pub(crate) revision: &'a str,
}

impl Refused<'_> {
    pub(crate) fn tell(&self, metrics: &Metrics) {
        metrics.refused(self.direction, self.refusal);
        let lines = &metrics.lines;
        let Some(suppressed) = lines.take(self.direction, self.refusal, Instant::now()) else {
            return;
        };
        let inbound = (self.direction == Direction::Inbound).then_some(self.place);
        let destination = (self.direction == Direction::Outbound).then_some(self.place);
        let policy = self.origin.map(|origin| origin.resource.to_string());
        let origin = self.origin.map(ToString::to_string);
        tracing::warn!(
            refusal = self.refusal.row().label,
            reason = self.reason,
            remote = self.remote.map(tracing::field::display),
            peer = self.peer,
            inbound,
            destination,
            policy,
            origin,
            revision = self.revision,
            suppressed = (suppressed > 0).then_some(suppressed),
            "refused"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_of_one_reason_writes_few_lines_and_tells_how_many_it_has_not() {
        let (lines, began) = (Lines::default(), Instant::now());
        let take = |refusal, at| lines.take(Direction::Inbound, refusal, at);
        let flood = (0..1_000).filter_map(|_| take(Refusal::BadRequest, began));
        assert_eq!(flood.count(), 100);
        assert_eq!(take(Refusal::Permission, began), Some(0), "another reason");
        let later = began + ONE_MORE;
        assert_eq!(take(Refusal::BadRequest, later), Some(900));
        assert_eq!(take(Refusal::BadRequest, later), None);
        let much_later = began + Duration::from_hours(1);
        let rested = (0..1_000).filter_map(|_| take(Refusal::BadRequest, much_later));
        assert_eq!(rested.count(), 100);
    }
}
