//! What goes through the proxy, told to meshd as often as it asks.
//!
//! Never mixes what went through under two configurations, and never tells that nothing did.

use std::time::Duration;

use mesh_bundle::Digest;
use mesh_delivery::traffic::{Both, Traffic};
use tokio::time::Instant;

/// However often meshd asks: more would cost more than it says.
const OFTENEST: Duration = Duration::from_millis(500);

/// Of one session.
#[derive(Debug, Default)]
pub(super) struct Meter {
    running: Option<Running>,
}

#[derive(Debug)]
struct Running {
    every: Duration,
    next: Instant,
    told: Both,
}

impl Meter {
    /// meshd asks: `counted` is not told. The first time is at a place of its own within `every`, so that a fleet does not speak
    /// all at once.
    pub(super) fn ask(&mut self, every: Duration, now: Instant, counted: Both, dice: u32) {
        if every.is_zero() {
            self.running = None;
            return;
        }
        let every = every.max(OFTENEST);
        let told = match self.running.take() {
            Some(running) => running.told,
            None => counted,
        };
        let first = every.mul_f64(f64::from(dice) / f64::from(u32::MAX));
        self.running = Some(Running {
            every,
            next: now + first,
            told,
        });
    }

    /// When something is to be told.
    pub(super) fn next(&self) -> Option<Instant> {
        self.running.as_ref().map(|running| running.next)
    }

    /// What is to be told now, if anything.
    pub(super) fn due(
        &mut self,
        now: Instant,
        root: Option<Digest>,
        counted: impl FnOnce() -> Both,
    ) -> Option<Traffic> {
        let running = self.running.as_mut().filter(|it| it.next <= now)?;
        running.next = now + running.every;
        running.tell(root?, counted())
    }

    /// Another configuration takes the place of `root`: what went through under that.
    pub(super) fn turn(
        &mut self,
        root: Option<Digest>,
        counted: impl FnOnce() -> Both,
    ) -> Option<Traffic> {
        self.running.as_mut()?.tell(root?, counted())
    }
}

impl Running {
    fn tell(&mut self, root: Digest, counted: Both) -> Option<Traffic> {
        let both = Both {
            inbound: counted.inbound.since(&self.told.inbound),
            outbound: counted.outbound.since(&self.told.outbound),
        };
        self.told = counted;
        (!both.is_empty()).then_some(Traffic { root, both })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(failures: u32) -> Both {
        let mut both = Both::default();
        both.inbound.failures = failures;
        both
    }

    #[test]
    fn only_what_is_new_is_told_and_only_when_it_is_due() {
        let (start, root) = (Instant::now(), Some(Digest::of(b"1")));
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut meter = Meter::default();
        assert_eq!(
            (meter.next(), meter.turn(root, || counted(3))),
            (None, None)
        );
        meter.ask(Duration::from_secs(10), start, counted(3), u32::MAX);
        let failures = |told: Option<Traffic>| told.map(|told| told.both.inbound.failures);
        let cases = [
            (9, 4, None),
            (10, 5, Some(2)),
            (19, 6, None),
            (20, 5, None),
            (30, 9, Some(4)),
        ];
        for (second, count, expected) in cases {
            let count = if second == 20 { 5 } else { count };
            let told = meter.due(at(second), root, || counted(count));
            assert_eq!(failures(told), expected, "after {second} s");
        }
        // Another configuration.
        assert_eq!(failures(meter.turn(root, || counted(10))), Some(1));
        assert_eq!(failures(meter.turn(root, || counted(10))), None);
        // More often: what was not told yet still is.
        meter.ask(Duration::from_millis(1), at(30), counted(99), 0);
        assert_eq!(failures(meter.due(at(30), root, || counted(12))), Some(2));
        assert_eq!(meter.next(), Some(at(30) + OFTENEST));
        meter.ask(Duration::ZERO, at(31), counted(99), 0);
        assert_eq!(meter.next(), None);
    }
}
