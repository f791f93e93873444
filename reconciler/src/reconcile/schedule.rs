//! When the next pass is: soon after trouble that passes, ever later while it does not, and regularly otherwise.
//!
//! Never at the same moment as everybody else: every wait has jitter.

use std::time::Duration;

use super::trouble::{Kind, Trouble};
use crate::random;

const FIRST_BACK_OFF: Duration = Duration::from_secs(1);
const LONGEST_BACK_OFF: Duration = Duration::from_mins(5);
/// Percent.
const JITTER: u32 = 10;

/// The waits between passes.
#[derive(Debug)]
pub(super) struct Schedule {
    poll: Duration,
    failures: u32,
}

impl Schedule {
    pub(super) fn new(poll: Duration) -> Self {
        Self { poll, failures: 0 }
    }

    /// How long to wait after a pass, unless something wakes meshd before.
    pub(super) fn after<T>(&mut self, outcome: &Result<T, Trouble>) -> Duration {
        let wait = match outcome {
            Err(Trouble {
                kind: Kind::Transient,
                ..
            }) => self.back_off(),
            Err(Trouble {
                kind: Kind::Busy(after),
                ..
            }) => {
                // Late by the jitter, never early.
                let asked = after.mul_f64(100.0 / f64::from(100 - JITTER));
                self.back_off().max(asked)
            }
            Err(Trouble {
                kind: Kind::Waiting(after),
                ..
            }) => {
                self.failures = 0;
                (*after).min(self.poll)
            }
            // What is stalled is polled too: a branch may come back without anybody knocking.
            Ok(_)
            | Err(Trouble {
                kind: Kind::Stalled | Kind::Suspended,
                ..
            }) => {
                self.failures = 0;
                self.poll
            }
        };
        random::around(wait, JITTER)
    }

    fn back_off(&mut self) -> Duration {
        let doubled = FIRST_BACK_OFF * 2_u32.pow(self.failures.min(16));
        self.failures = self.failures.saturating_add(1);
        doubled.min(LONGEST_BACK_OFF)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(wait: Duration, seconds: u64) -> bool {
        let middle = Duration::from_secs(seconds);
        wait >= middle.mul_f64(0.89) && wait <= middle.mul_f64(1.11)
    }

    #[test]
    fn waits_grow_with_failures_and_end_with_success() {
        let mut schedule = Schedule::new(Duration::from_secs(60));
        let transient = Err::<(), _>(Trouble::transient("X", "x"));
        for seconds in [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300] {
            let wait = schedule.after(&transient);
            assert!(near(wait, seconds), "{seconds}: {wait:?}");
        }
        assert!(near(schedule.after(&Ok(())), 60));
        assert!(near(schedule.after(&transient), 1));
        let stalled = Err::<(), _>(Trouble::stalled("X", "x"));
        assert!(near(schedule.after(&stalled), 60));
        let mut busy = Trouble::transient("X", "x");
        busy.kind = Kind::Busy(Duration::from_secs(600));
        let wait = schedule.after(&Err::<(), _>(busy.clone()));
        assert!(
            wait.as_secs_f64() >= 599.9 && wait.as_secs() < 740,
            "{wait:?}"
        );
        busy.kind = Kind::Busy(Duration::ZERO);
        assert!(near(schedule.after(&Err::<(), _>(busy)), 2));
        let waiting = Trouble::waiting(Duration::from_secs(5), "X", "x");
        assert!(near(schedule.after(&Err::<(), _>(waiting)), 5));
    }
}
