//! How many requests may be sent again.
//!
//! Never counts: what was sent within the window is an argument.

use crate::resource::RetryBudget;

/// Of so many requests within [`RetryBudget::WINDOW`].
#[must_use]
pub fn retries_within(budget: &RetryBudget, requests: u64) -> u64 {
    let share = requests.saturating_mul(u64::from(budget.percent.value)) / 100;
    let seconds = RetryBudget::WINDOW.as_std().as_secs();
    share.saturating_add(u64::from(budget.min_per_second.value).saturating_mul(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Sourced;

    #[test]
    fn a_share_and_some_for_each_second() {
        for (percent, per_second, requests, expected) in [
            (20, 10, 0, 100),
            (20, 10, 1_000, 300),
            (20, 0, 4, 0),
            (20, 0, 5, 1),
            (100, 0, 7, 7),
            (0, 0, 1_000_000, 0),
        ] {
            let budget = RetryBudget {
                percent: Sourced::built_in(percent),
                min_per_second: Sourced::built_in(per_second),
            };
            assert_eq!(
                retries_within(&budget, requests),
                expected,
                "{percent} % and {per_second}/s of {requests}"
            );
        }
    }
}
