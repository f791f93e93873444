//! Instances that fail are left out for a while (language 5.7).
//!
//! Never leaves out more of them than may be, and never forgets them with a table: what is known of an instance stays with
//! its pool.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use mesh_bundle::resource::{Detectors, FailurePercentage, OutlierDetection, SuccessRate};
use tokio::time::Instant;

use super::{Ejections, Pool};
use crate::table::{ClusterTable, Instance};

/// However often an instance has been left out, it is let in again after this long, or after the first time where that is
/// longer.
const LONGEST: Duration = Duration::from_secs(300);

/// What became of a request or a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// Of a response; of gRPC what its status says in words of HTTP. A connection that was made is 200.
    Status(u16),
    /// No connection, or one that broke before there was a response.
    Broken,
    /// There was no response in time.
    Late,
}

/// How one instance has been doing.
#[derive(Debug, Default)]
pub(crate) struct Health {
    /// In a row.
    failures: AtomicU32,
    gateway_failures: AtomicU32,
    local_failures: AtomicU32,
    /// Since shares were last judged.
    requests: AtomicU32,
    failed: AtomicU32,
    /// It may be that it is left out: the lock says until when.
    is_out: AtomicBool,
    out: Mutex<Out>,
}

#[derive(Debug, Default)]
struct Out {
    until: Option<Instant>,
    /// How often it was left out, less the intervals that went well.
    times: u32,
}

/// What is remembered of a cluster: when its instances were last judged by their shares.
#[derive(Debug, Default)]
pub(crate) struct Judged {
    last: Mutex<Option<Instant>>,
}

/// The instance that a request is at, for those who end it because it takes too long.
#[derive(Debug, Default)]
pub(crate) struct Trying(Mutex<Option<Arc<Pool>>>);

/// Judges the instances of one cluster by what becomes of what is sent to them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Judge<'a> {
    pub(super) detection: &'a OutlierDetection,
    pub(super) cluster: &'a ClusterTable,
    pub(super) judged: &'a Judged,
    pub(super) ejections: &'a Ejections,
    pub(super) trying: Option<&'a Trying>,
}

impl Health {
    /// Is it left out?
    pub(crate) fn is_out(&self) -> bool {
        if !self.is_out.load(Ordering::Relaxed) {
            return false;
        }
        let out = self.out.lock().unwrap_or_else(PoisonError::into_inner);
        let still = out.until.is_some_and(|until| Instant::now() < until);
        if !still {
            self.is_out.store(false, Ordering::Relaxed);
        }
        still
    }

    /// When it was let in again, the last time.
    pub(crate) fn back_since(&self) -> Option<Instant> {
        let out = self.out.lock().unwrap_or_else(PoisonError::into_inner);
        out.until.filter(|until| *until <= Instant::now())
    }

    /// Counts, and names the detector that has seen enough.
    fn count(&self, fate: Fate, split: bool, detectors: &Detectors) -> Option<&'static str> {
        let in_a_row = |count: &AtomicU32, failed: bool, most: Option<u32>| match failed {
            true => {
                let count = count.fetch_add(1, Ordering::Relaxed).saturating_add(1);
                most.is_some_and(|most| count >= most)
            }
            false => {
                count.store(0, Ordering::Relaxed);
                false
            }
        };
        let most = |detector: &Option<mesh_bundle::Sourced<u32>>| {
            detector.as_ref().map(|detector| detector.value)
        };
        let status = match fate {
            Fate::Status(status) => status,
            Fate::Broken => 503,
            Fate::Late => 504,
        };
        if split {
            let failed = !matches!(fate, Fate::Status(_));
            let local = most(&detectors.local_origin_failures);
            if in_a_row(&self.local_failures, failed, local) {
                return Some("localOriginFailures");
            }
            if failed {
                return None;
            }
        }
        let failed = status >= 500;
        self.requests.fetch_add(1, Ordering::Relaxed);
        self.failed.fetch_add(u32::from(failed), Ordering::Relaxed);
        let gateway = matches!(status, 502..=504);
        let gateway = in_a_row(
            &self.gateway_failures,
            gateway,
            most(&detectors.gateway_failures),
        );
        if in_a_row(&self.failures, failed, most(&detectors.total_failures)) {
            return Some("totalFailures");
        }
        gateway.then_some("gatewayFailures")
    }

    /// Left out from now on, and for how long.
    fn leave_out(&self, base: Duration) -> Duration {
        let mut out = self.out.lock().unwrap_or_else(PoisonError::into_inner);
        out.times = out.times.saturating_add(1);
        let long = base.saturating_mul(out.times).min(LONGEST.max(base));
        out.until = Some(Instant::now() + long);
        self.is_out.store(true, Ordering::Relaxed);
        for count in [&self.failures, &self.gateway_failures, &self.local_failures] {
            count.store(0, Ordering::Relaxed);
        }
        long
    }

    /// An interval is over: what was counted in it. Whoever was not left out in it is forgiven once.
    fn begin_again(&self) -> (u32, u32) {
        if !self.is_out() {
            let mut out = self.out.lock().unwrap_or_else(PoisonError::into_inner);
            out.times = out.times.saturating_sub(1);
        }
        let failed = self.failed.swap(0, Ordering::Relaxed);
        let requests = self.requests.swap(0, Ordering::Relaxed);
        (requests, failed.min(requests))
    }
}

impl Trying {
    fn at(&self, pool: &Arc<Pool>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(pool));
    }
}

impl Judge<'_> {
    /// Something is sent there.
    pub(super) fn begins(&self, pool: &Arc<Pool>) {
        if let Some(trying) = self.trying {
            trying.at(pool);
        }
    }

    /// What was sent to the last instance took too long.
    pub(crate) fn late(&self) {
        let trying = self.trying.and_then(|trying| {
            let mut trying = trying.0.lock().unwrap_or_else(PoisonError::into_inner);
            trying.take()
        });
        if let Some(pool) = trying {
            self.saw(&pool, Fate::Late);
        }
    }

    /// What became of something that was sent there.
    pub(super) fn saw(&self, pool: &Pool, fate: Fate) {
        let split = self.detection.split_external_and_local_errors.value;
        let detector = pool.health.count(fate, split, &self.detection.detectors);
        let last = match detector {
            Some(_) => Some(
                self.judged
                    .last
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner),
            ),
            // Whoever has it looks at the time too.
            None => self.judged.last.try_lock().ok(),
        };
        let Some(mut last) = last else { return };
        if let Some(detector) = detector {
            self.leave_out(pool, detector);
        }
        let now = Instant::now();
        let interval = self.detection.interval.value.as_std();
        match *last {
            Some(before) if now.duration_since(before) < interval => {}
            Some(_) => {
                *last = Some(now);
                self.compare();
            }
            None => *last = Some(now),
        }
    }

    /// Under the lock of the cluster, so that two at once do not leave out more than may be.
    fn leave_out(&self, pool: &Pool, detector: &'static str) {
        let all = self.cluster.instances.len();
        let out = self.cluster.instances.iter().filter(|one| one.is_ejected());
        let out = out.count();
        let percent = usize::from(self.detection.max_ejection_percent.value);
        let may = out == 0 || (out + 1).saturating_mul(100) <= all.saturating_mul(percent);
        if pool.health.is_out() || !may {
            return;
        }
        let long = pool
            .health
            .leave_out(self.detection.base_ejection_time.value.as_std());
        let cluster = &*self.cluster.label;
        tracing::warn!(cluster, instance = %pool.place(), detector, seconds = long.as_secs(), "an instance is left out");
        self.ejections.count(&self.cluster.label, detector);
    }

    /// Judges the instances by their shares of failures in the interval that has ended.
    fn compare(&self) {
        let pools = self
            .cluster
            .instances
            .iter()
            .filter_map(Instance::known_pool);
        let counted: Vec<(&Pool, u32, u32)> = pools
            .map(|pool| {
                let (requests, failed) = pool.health.begin_again();
                (&**pool, requests, failed)
            })
            .collect();
        let detectors = &self.detection.detectors;
        if let Some(rate) = &detectors.success_rate {
            self.compare_rates(rate, &counted);
        }
        if let Some(percentage) = &detectors.failure_percentage {
            self.compare_percentages(percentage, &counted);
        }
    }

    fn compare_rates(&self, rate: &SuccessRate, counted: &[(&Pool, u32, u32)]) {
        let counted = enough(counted, rate.minimum_hosts.value, rate.request_volume.value);
        let success = |(_, requests, failed): &(&Pool, u32, u32)| {
            f64::from(requests.saturating_sub(*failed)) / f64::from((*requests).max(1))
        };
        let hosts = f64::from(u32::try_from(counted.len()).unwrap_or(u32::MAX)).max(1.0);
        let mean = counted.iter().map(success).sum::<f64>() / hosts;
        let squares = counted.iter().map(|one| (success(one) - mean).powi(2));
        let deviation = (squares.sum::<f64>() / hosts).sqrt();
        let factor = rate
            .standard_deviation_factor
            .value
            .min(u64::from(u32::MAX));
        let factor = f64::from(u32::try_from(factor).unwrap_or(u32::MAX)) / 1e6;
        let least = mean - factor * deviation;
        for (pool, ..) in counted.iter().filter(|one| success(one) < least) {
            self.leave_out(pool, "successRate");
        }
    }

    fn compare_percentages(&self, judge: &FailurePercentage, counted: &[(&Pool, u32, u32)]) {
        let counted = enough(
            counted,
            judge.minimum_hosts.value,
            judge.request_volume.value,
        );
        let threshold = u64::from(judge.threshold.value);
        for (pool, requests, failed) in counted {
            if u64::from(failed) * 100 >= u64::from(requests) * threshold {
                self.leave_out(pool, "failurePercentage");
            }
        }
    }
}

/// Those with enough requests, where they are enough themselves.
fn enough<'p>(
    counted: &[(&'p Pool, u32, u32)],
    hosts: u32,
    volume: u32,
) -> Vec<(&'p Pool, u32, u32)> {
    let busy = counted
        .iter()
        .filter(|(_, requests, _)| *requests >= volume);
    let busy: Vec<_> = busy.copied().collect();
    match u32::try_from(busy.len()) {
        Ok(number) if number < hosts => Vec::new(),
        _ => busy,
    }
}

#[cfg(test)]
mod tests;
