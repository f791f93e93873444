//! What went through a proxy, in so few numbers that ten thousand proxies can tell them every few seconds.
//!
//! Never a label: a number here is of all routes, peers and services together, so that nobody can make it large.

use std::time::Duration;

use mesh_bundle::Digest;

/// Classes of latency.
pub const CLASSES: usize = 32;
/// What the shortest class ends at: 256 us.
const UNIT: u32 = 8;

/// What went through one proxy since it told that last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Traffic {
    /// Of the configuration that held all the while.
    pub root: Digest,
    /// Both directions.
    pub both: Both,
}

/// Both directions.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Both {
    /// To the workload.
    pub inbound: Flow,
    /// From the workload.
    pub outbound: Flow,
}

/// The traffic of one direction, in sum. Numbers that are too large stay at the largest.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Flow {
    /// Connections that are no HTTP.
    pub connections: u32,
    /// Requests that were answered with 5xx, gRPC calls whose status says that the other side failed, and connections that did.
    pub failures: u32,
    /// Requests and connections that no permission allows.
    pub denials: u32,
    /// HTTP requests by how long they took, see [`class`].
    pub latency: [u32; CLASSES],
}

/// The class of a latency: each is by a half or by a third wider than the one before it.
#[must_use]
pub fn class(latency: Duration) -> usize {
    let units = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX) >> UNIT;
    let class = match units {
        0 | 1 => units,
        _ => {
            let log = units.ilog2();
            let half = (units >> (log - 1)) & 1;
            u64::from(log) * 2 + half
        }
    };
    usize::try_from(class).unwrap_or(CLASSES).min(CLASSES - 1)
}

/// What a class begins with, in microseconds.
fn begin(class: usize) -> u64 {
    let units = match class {
        0 | 1 => class as u64,
        _ => (2 + (class as u64 & 1)) << (class / 2 - 1),
    };
    units << UNIT
}

impl Both {
    /// Nothing went through.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// And this too.
    pub fn add(&mut self, more: &Self) {
        self.inbound.add(&more.inbound);
        self.outbound.add(&more.outbound);
    }
}

impl Flow {
    /// And this too.
    pub fn add(&mut self, more: &Self) {
        self.each(more, u32::saturating_add);
    }

    /// What came since `earlier`, when counters were at that. Counters begin again after the largest number.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        let mut flow = self.clone();
        flow.each(earlier, u32::wrapping_sub);
        flow
    }

    fn each(&mut self, other: &Self, with: impl Fn(u32, u32) -> u32) {
        self.connections = with(self.connections, other.connections);
        self.failures = with(self.failures, other.failures);
        self.denials = with(self.denials, other.denials);
        for (mine, theirs) in self.latency.iter_mut().zip(other.latency) {
            *mine = with(*mine, theirs);
        }
    }

    /// HTTP requests.
    #[must_use]
    pub fn http(&self) -> u64 {
        self.latency.iter().copied().map(u64::from).sum()
    }

    /// Requests and connections: what shares are of. Connections that were denied may not be among those that were counted.
    #[must_use]
    pub fn requests(&self) -> u64 {
        let counted = self.http() + u64::from(self.connections);
        counted.max(u64::from(self.denials))
    }

    /// So many of a hundred HTTP requests took no longer; `None`: there were none.
    #[must_use]
    pub fn percentile(&self, percent: u32) -> Option<Duration> {
        let all = self.http();
        let rank = (all * u64::from(percent)).div_ceil(100).max(1);
        let mut before = 0;
        for (class, count) in self.latency.iter().enumerate() {
            let count = u64::from(*count);
            if count > 0 && before + count >= rank {
                let (begin, end) = (begin(class), begin(class + 1));
                // As if they were spread evenly over the class.
                let inside = (end - begin) * (rank - before) / count;
                return Some(Duration::from_micros(begin + inside));
            }
            before += count;
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_follow_each_other_without_a_gap() {
        for class_of in 0..CLASSES {
            let first = Duration::from_micros(begin(class_of));
            assert_eq!(class(first), class_of);
            if let Some(before) = class_of.checked_sub(1) {
                assert_eq!(class(first - Duration::from_micros(1)), before);
            }
        }
        assert_eq!(class(Duration::from_micros(255)), 0);
        assert_eq!(class(Duration::MAX), CLASSES - 1);
        assert!(
            begin(CLASSES - 1) > 10_000_000,
            "longer than most requests may take"
        );
    }

    #[test]
    fn a_percentile_is_within_its_class() {
        let mut flow = Flow::default();
        assert_eq!(flow.percentile(99), None);
        for millis in 1..=100 {
            flow.latency[class(Duration::from_millis(millis))] += 1;
        }
        for (percent, low, high) in [(50, 45, 55), (99, 90, 130), (1, 0, 2)] {
            let found = flow.percentile(percent).unwrap().as_millis();
            assert!((low..=high).contains(&found), "{percent}: {found}");
        }
    }

    #[test]
    fn what_came_since_is_right_over_the_end_of_a_counter() {
        let before = Flow {
            failures: u32::MAX - 1,
            ..Flow::default()
        };
        let mut now = before.clone();
        now.failures = now.failures.wrapping_add(5);
        assert_eq!(now.since(&before).failures, 5);
        let mut sum = before.clone();
        sum.add(&before);
        assert_eq!(sum.failures, u32::MAX);
    }

    #[test]
    fn denied_connections_are_requests_too() {
        let flow = Flow {
            denials: 7,
            connections: 2,
            ..Flow::default()
        };
        assert_eq!(flow.requests(), 7);
    }
}
