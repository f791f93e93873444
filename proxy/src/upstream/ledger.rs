//! What was sent to one service in the last seconds, and how often again: what a budget of retries is compared with.
//!
//! Never waits, and never holds more than one number for each second of the window.

use std::sync::atomic::{AtomicU64, Ordering};

use mesh_bundle::decide::retries_within;
use mesh_bundle::resource::RetryBudget;
use tokio::time::Instant;

/// One for each second of [`RetryBudget::WINDOW`].
const SLOTS: usize = 10;

/// Requests and retries of the last [`RetryBudget::WINDOW`].
#[derive(Debug)]
pub(super) struct Ledger {
    clock: Instant,
    requests: Seconds,
    retries: Seconds,
}

/// How many there were in each second: the second in the upper half, their number in the lower one.
#[derive(Debug, Default)]
struct Seconds([AtomicU64; SLOTS]);

impl Default for Ledger {
    fn default() -> Self {
        Self {
            clock: Instant::now(),
            requests: Seconds::default(),
            retries: Seconds::default(),
        }
    }
}

impl Ledger {
    /// A request is sent for the first time.
    pub(super) fn sent(&self, now: Instant) {
        self.requests.add(self.second(now));
    }

    /// May one be sent again? Then it counts as sent.
    pub(super) fn sends_again(&self, now: Instant, budget: &RetryBudget) -> bool {
        let second = self.second(now);
        // Two at once may find the last place taken by each other, but never both take it.
        self.retries.add(second);
        let may = self.retries.sum(second) <= retries_within(budget, self.requests.sum(second));
        if !may {
            self.retries.take_back(second);
        }
        may
    }

    fn second(&self, now: Instant) -> u32 {
        let passed = now.saturating_duration_since(self.clock);
        u32::try_from(passed.as_secs()).unwrap_or(u32::MAX)
    }
}

impl Seconds {
    fn add(&self, second: u32) {
        self.change(second, |count| count.saturating_add(1));
    }

    fn take_back(&self, second: u32) {
        self.change(second, |count| count.saturating_sub(1));
    }

    /// Whoever comes so late that the second has been replaced counts nowhere.
    fn change(&self, second: u32, change: impl Fn(u32) -> u32) {
        let place = usize::try_from(second).unwrap_or_default() % SLOTS;
        let Some(slot) = self.0.get(place) else {
            return;
        };
        let _ = slot.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |held| {
            let (of, count) = parts(held);
            match of.cmp(&second) {
                std::cmp::Ordering::Less => Some(whole(second, change(0))),
                std::cmp::Ordering::Equal => Some(whole(second, change(count))),
                std::cmp::Ordering::Greater => None,
            }
        });
    }

    fn sum(&self, second: u32) -> u64 {
        let oldest = second.saturating_sub(u32::try_from(SLOTS - 1).unwrap_or_default());
        let slots = self
            .0
            .iter()
            .map(|slot| parts(slot.load(Ordering::Relaxed)));
        let current = slots.filter(|(of, _)| (oldest..=second).contains(of));
        current.map(|(_, count)| u64::from(count)).sum()
    }
}

fn parts(held: u64) -> (u32, u32) {
    let lower = held & u64::from(u32::MAX);
    let number = |bits| u32::try_from(bits).unwrap_or(u32::MAX);
    (number(held >> 32), number(lower))
}

fn whole(second: u32, count: u32) -> u64 {
    u64::from(second) << 32 | u64::from(count)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use mesh_bundle::Sourced;

    use super::*;

    fn budget(percent: u8, per_second: u32) -> RetryBudget {
        RetryBudget {
            percent: Sourced::built_in(percent),
            min_per_second: Sourced::built_in(per_second),
        }
    }

    /// How many of so many that want to be sent again are.
    fn again(ledger: &Ledger, now: Instant, budget: &RetryBudget, wanted: u32) -> usize {
        let sent = (0..wanted).filter(|_| ledger.sends_again(now, budget));
        sent.count()
    }

    #[test]
    fn a_share_of_what_was_sent_in_the_last_ten_seconds() {
        let ledger = Ledger::default();
        let begin = ledger.clock;
        let fifth = budget(20, 0);
        for millisecond in 0..1_000 {
            ledger.sent(begin + Duration::from_millis(millisecond));
        }
        let at = |second| begin + Duration::from_secs(second);
        assert_eq!(again(&ledger, at(0), &fifth, 5_000), 200);
        // It is spent for as long as it is remembered.
        assert_eq!(again(&ledger, at(9), &fifth, 5_000), 0);
        // What is forgotten gives nothing any more either.
        assert_eq!(again(&ledger, at(10), &fifth, 5_000), 0);
        ledger.sent(at(10));
        assert_eq!(again(&ledger, at(10), &budget(100, 0), 5_000), 1);
    }

    #[test]
    fn a_service_with_few_requests_has_some_for_each_second() {
        let ledger = Ledger::default();
        let at = |second| ledger.clock + Duration::from_secs(second);
        ledger.sent(at(0));
        let few = budget(20, 10);
        assert_eq!(again(&ledger, at(3), &few, 500), 100);
        assert_eq!(again(&ledger, at(12), &few, 500), 0);
        assert_eq!(again(&ledger, at(13), &few, 500), 100);
        assert_eq!(again(&ledger, at(60), &budget(0, 0), 500), 0);
    }

    #[test]
    fn many_at_once_spend_no_more_than_there_is() {
        let ledger = Ledger::default();
        let now = ledger.clock;
        let tenth = budget(10, 0);
        let sent: usize = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4)
                .map(|_| {
                    scope.spawn(|| {
                        (0..2_500).for_each(|_| ledger.sent(now));
                        again(&ledger, now, &tenth, 2_500)
                    })
                })
                .collect();
            threads.into_iter().map(|one| one.join().unwrap()).sum()
        });
        let rest = again(&ledger, now, &tenth, 5_000);
        assert_eq!(sent + rest, 1_000);
    }
}
