//! How much an instance gets that is new, or well again.
//!
//! Never knows since when: whoever balances does.

use std::time::Duration;

use crate::resource::SlowStart;

/// Of what it would get otherwise, in millionths, after so long: `max(min weight, (age / window) ^ (1 / aggression))`, as
/// Envoy has it.
#[must_use]
pub fn share_of_new(policy: &SlowStart, age: Duration) -> u32 {
    let window = policy.window.value.as_std().as_secs_f64();
    let passed = age.as_secs_f64() / window.max(f64::MIN_POSITIVE);
    if passed >= 1.0 {
        return WHOLE;
    }
    let aggression = u32::try_from(policy.aggression.value.max(1)).unwrap_or(u32::MAX);
    let grown = passed.powf(1e6 / f64::from(aggression)) * f64::from(WHOLE);
    let least = u32::from(policy.min_weight.value).saturating_mul(WHOLE / 100);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "between zero and a million"
    )]
    let grown = grown as u32;
    grown.max(least).min(WHOLE)
}

/// In millionths.
const WHOLE: u32 = 1_000_000;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Duration as Span, Sourced};

    #[test]
    fn it_grows_with_the_time_or_faster() {
        for (aggression, min_weight, seconds, expected) in [
            (1_000_000, 10, 0, 100_000),
            (1_000_000, 10, 3, 100_000),
            (1_000_000, 10, 15, 500_000),
            (1_000_000, 10, 29, 966_666),
            (1_000_000, 10, 30, 1_000_000),
            (1_000_000, 100, 0, 1_000_000),
            // The square root: half of it after a quarter of the time.
            (2_000_000, 1, 8, 516_397),
            // The square: a quarter of it after half of the time.
            (500_000, 1, 15, 250_000),
        ] {
            let policy = SlowStart {
                window: Sourced::built_in(Span::from_secs(30)),
                aggression: Sourced::built_in(aggression),
                min_weight: Sourced::built_in(min_weight),
            };
            let share = share_of_new(&policy, Duration::from_secs(seconds));
            assert_eq!(share, expected, "{aggression} {min_weight} {seconds}");
        }
    }
}
