//! How long one instance takes to answer, for a balancer that looks at it.
//!
//! Never decides what that means: [`Latency`] does.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use mesh_bundle::decide::Latency;
use tokio::time::Instant;

use super::Fate;

/// What a balancer makes of what it measures.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ewma {
    pub(crate) decay: Duration,
    /// Of a request that fails.
    pub(crate) penalty: Duration,
}

/// What was measured of one instance.
#[derive(Debug)]
pub(crate) struct Timing {
    clock: Instant,
    latency: Mutex<Latency>,
}

/// A request whose response has not begun. Dropped without another word it has taken at least so long.
#[derive(Debug)]
pub(super) struct Measuring<'p> {
    timing: &'p Timing,
    by: Ewma,
    began: Instant,
    over: bool,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            clock: Instant::now(),
            latency: Mutex::default(),
        }
    }
}

impl Timing {
    /// What one more request is expected to wait, in seconds.
    pub(crate) fn cost(&self, under_way: u32, by: Ewma) -> f64 {
        let latency = *self.latency();
        latency.cost(under_way, self.clock.elapsed(), by.decay)
    }

    pub(super) fn begin(&self, by: Ewma) -> Measuring<'_> {
        Measuring {
            timing: self,
            by,
            began: Instant::now(),
            over: false,
        }
    }

    fn latency(&self) -> MutexGuard<'_, Latency> {
        self.latency.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// For tests: a response that took so long.
    #[cfg(test)]
    pub(crate) fn took(&self, took: Duration, by: Ewma) {
        let mut latency = self.latency();
        *latency = latency.observed(took, self.clock.elapsed(), by.decay);
    }
}

impl Measuring<'_> {
    /// `None`: it says nothing about the instance.
    pub(super) fn end(mut self, fate: Option<Fate>) {
        self.over = true;
        let Some(fate) = fate else { return };
        let took = self.began.elapsed();
        let took = match fate {
            Fate::Status(..500) => took,
            Fate::Status(_) | Fate::Broken | Fate::Late => took.max(self.by.penalty),
        };
        let now = self.timing.clock.elapsed();
        let mut latency = self.timing.latency();
        *latency = latency.observed(took, now, self.by.decay);
    }
}

impl Drop for Measuring<'_> {
    fn drop(&mut self) {
        if !self.over {
            let (took, now) = (self.began.elapsed(), self.timing.clock.elapsed());
            let mut latency = self.timing.latency();
            *latency = latency.at_least(took, now, self.by.decay);
        }
    }
}
