//! How long to wait before trying again: exponential, with full jitter.
//!
//! Never reads a clock and never rolls dice itself: the caller brings the dice, so that a test can bring loaded ones.

use std::time::Duration;

/// The shortest and the longest wait: soon enough for a blink of the network, and ten thousand proxies that lost one
/// meshd at once come back over half a minute.
const SHORTEST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(30);

/// The state of one thing that is being retried.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Backoff {
    failures: u32,
}

impl Backoff {
    /// After a failure: between the shortest wait and a limit that doubles with each failure.
    pub(crate) fn next(&mut self, dice: impl FnOnce() -> u32) -> Duration {
        let limit = SHORTEST
            .saturating_mul(
                2_u32
                    .saturating_pow(self.failures.min(16))
                    .saturating_mul(2),
            )
            .min(LONGEST);
        self.failures = self.failures.saturating_add(1);
        let spread = limit.saturating_sub(SHORTEST);
        SHORTEST + spread.mul_f64(f64::from(dice()) / f64::from(u32::MAX))
    }

    /// After a success.
    pub(crate) fn reset(&mut self) {
        self.failures = 0;
    }
}

/// Real dice. Without randomness from the system every wait is the longest.
pub(crate) fn dice() -> u32 {
    let mut bytes = [0; 4];
    match aws_lc_rs::rand::fill(&mut bytes) {
        Ok(()) => u32::from_le_bytes(bytes),
        Err(_) => u32::MAX,
    }
}

#[cfg(test)]
mod tests {
    use super::{Backoff, LONGEST, SHORTEST};
    use std::time::Duration;

    #[test]
    fn waits_grow_and_end() {
        let mut backoff = Backoff::default();
        let waits: Vec<Duration> = (0..12).map(|_| backoff.next(|| u32::MAX)).collect();
        assert_eq!(waits.first(), Some(&Duration::from_millis(200)));
        assert!(waits.is_sorted());
        assert_eq!(waits.last(), Some(&LONGEST));
        assert_eq!(backoff.next(|| 0), SHORTEST);
        backoff.reset();
        assert_eq!(backoff.next(|| u32::MAX), Duration::from_millis(200));
    }
}
