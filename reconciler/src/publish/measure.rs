//! How often proxies are asked for their traffic.
//!
//! Never so often that a fleet's answers cost more than the fleet's configuration.

use std::time::Duration;

/// Of a proxy that was given another commit: what goes wrong is to be taken back within seconds.
const MOVED: Duration = Duration::from_secs(2);
/// Of one that is only to be compared with itself later.
const OTHERS: Duration = Duration::from_secs(10);
/// Answers in a second, over all.
const ANSWERS: usize = 1_000;

/// How often a proxy of so many is asked.
pub(super) fn every(moved: bool, proxies: usize) -> Duration {
    let least = if moved { MOVED } else { OTHERS };
    let seconds = u64::try_from(proxies / ANSWERS).unwrap_or(u64::MAX);
    least.max(Duration::from_secs(seconds.min(60)))
}
