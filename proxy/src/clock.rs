//! The wall clock, in the unit that certificates use.
//!
//! Never for measuring how long something takes: it jumps.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::Instant;

/// A wait for a moment of the wall clock is looked at again after this long: a suspended machine and a corrected clock
/// make it another wait.
const LONGEST_TRUST: Duration = Duration::from_secs(60);

/// Seconds since 1970.
pub(crate) fn unix_now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}

/// When to look again whether `unix` has come.
pub(crate) fn look_again(unix: u64) -> Instant {
    let moment = UNIX_EPOCH
        .checked_add(Duration::from_secs(unix))
        .and_then(|moment| moment.duration_since(SystemTime::now()).ok());
    Instant::now() + moment.unwrap_or_default().min(LONGEST_TRUST)
}
