//! How long an instance takes to answer: a moving average that peaks at once and fades with time, as Finagle's balancer
//! of the same name keeps it.
//!
//! Never forgets by itself: the time is an argument, and what is kept changes only when something is observed.

use std::time::Duration;

/// Expected of an instance that has a request and has never answered one: nobody waits so long for another, so a second
/// request comes only when everybody is in the same place.
const UNKNOWN: f64 = 60.0;

/// Expected at least, where something is under way: whoever was last seen long ago is no reason to send everything there.
const LEAST: f64 = 0.000_1;

/// What is known of one instance.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Latency {
    /// In seconds, as of `at`.
    average: f64,
    /// On the clock of whoever observes. `None`: nothing was observed yet.
    at: Option<Duration>,
}

impl Latency {
    /// With one more response, which came at `now` and took so long: more than is expected counts at once, less as much as
    /// time has passed since the last.
    #[must_use]
    pub fn observed(self, took: Duration, now: Duration, decay: Duration) -> Self {
        let took = took.as_secs_f64();
        let average = match self.at {
            Some(at) if took < self.average * kept(now.saturating_sub(at), decay) => {
                let keeps = kept(now.saturating_sub(at), decay);
                self.average * keeps + took * (1.0 - keeps)
            }
            _ => took,
        };
        Self {
            average,
            at: Some(now),
        }
    }

    /// With a request that has no response yet after so long, and will have none.
    #[must_use]
    pub fn at_least(self, took: Duration, now: Duration, decay: Duration) -> Self {
        match self.cost(0, now, decay) < took.as_secs_f64() {
            true => self.observed(took, now, decay),
            false => self,
        }
    }

    /// What one more request is expected to wait, in seconds, where so many are under way there. It fades towards nothing
    /// while nothing is observed, so that whoever was slow is asked again.
    #[must_use]
    pub fn cost(self, under_way: u32, now: Duration, decay: Duration) -> f64 {
        let expected = match self.at {
            None if under_way > 0 => UNKNOWN,
            None => 0.0,
            Some(at) => self.average * kept(now.saturating_sub(at), decay),
        };
        let expected = match under_way {
            0 => expected,
            _ => expected.max(LEAST),
        };
        expected * (f64::from(under_way) + 1.0)
    }
}

/// How much of what was known still counts after so long.
fn kept(passed: Duration, decay: Duration) -> f64 {
    let decay = decay.as_secs_f64().max(f64::MIN_POSITIVE);
    (-passed.as_secs_f64() / decay).exp()
}

#[cfg(test)]
mod tests {
    use super::*;

    const DECAY: Duration = Duration::from_secs(10);

    fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    /// After responses that took so long, one each second.
    fn after(took: &[u64]) -> Latency {
        let observed = |latency: Latency, (second, took): (u64, &u64)| {
            latency.observed(ms(*took), Duration::from_secs(second), DECAY)
        };
        (0..).zip(took).fold(Latency::default(), observed)
    }

    #[test]
    fn peaks_count_at_once_and_fade() {
        let cost = |took: &[u64], second: u64| {
            let milliseconds = after(took).cost(0, Duration::from_secs(second), DECAY) * 1e3;
            // A tenth of a millisecond is near enough.
            (milliseconds * 10.0).round() / 10.0
        };
        assert_eq!(cost(&[5], 0), 5.0);
        assert_eq!(cost(&[5, 100], 1), 100.0);
        // One second is a tenth of the decay: 100 * e^-0.1 + 5 * (1 - e^-0.1).
        assert_eq!(cost(&[5, 100, 5], 2), 91.0);
        // Nothing is observed for as long as the decay: 1/e is left.
        assert_eq!(cost(&[5, 100], 11), 36.8);
        // What comes at the same time as something slower changes nothing.
        let both = after(&[100]).observed(ms(1), Duration::ZERO, DECAY);
        assert_eq!(both, after(&[100]));
    }

    #[test]
    fn nobody_is_faster_for_a_request_that_was_given_up() {
        let slow = after(&[100]);
        assert_eq!(slow.at_least(ms(50), Duration::ZERO, DECAY), slow);
        let given_up = slow.at_least(ms(150), Duration::ZERO, DECAY);
        assert_eq!(given_up, after(&[150]));
    }

    #[test]
    fn what_is_under_way_makes_it_wait_longer() {
        let latency = after(&[10]);
        let cost = |under_way| latency.cost(under_way, Duration::ZERO, DECAY);
        assert!((cost(4) - 5.0 * cost(0)).abs() < 1e-9);
        // Whatever was known is forgotten, but not that it has work.
        let later = Duration::from_secs(3_600);
        assert_eq!(latency.cost(9, later, DECAY), 0.001);
    }

    #[test]
    fn an_unknown_one_is_asked_once() {
        let now = Duration::from_secs(1);
        assert_eq!(Latency::default().cost(0, now, DECAY), 0.0);
        let slow = after(&[900]).cost(9, Duration::ZERO, DECAY);
        assert!(Latency::default().cost(1, now, DECAY) > slow);
    }
}
