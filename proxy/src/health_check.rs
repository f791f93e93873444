//! Probes of instances (language 5.9): who does not answer as he should gets no traffic.
//!
//! Never probes an instance twice at a time, and never forgets with a table what it has found out: that stays with the
//! pool of the instance.

mod event;
mod probe;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use mesh_bundle::resource::{HealthCheck, Probe};
use tokio::runtime::Handle;
use tokio::time::{Instant, sleep_until, timeout};

use crate::dice::roll;
use crate::shared::{Phase, Shared};
use crate::table::{ClusterTable, Table};
use crate::upstream::Pool;

/// What probes have found out about an instance.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    is_unhealthy: AtomicBool,
    has_traffic: AtomicBool,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Of the next probe. `None`: there was none yet.
    next: Option<Instant>,
    under_way: bool,
    /// The last results that contradict what is taken for true.
    in_a_row: u32,
    /// The last result was bad.
    failing: bool,
    /// When it was found to be well again.
    well_since: Option<Instant>,
}

/// A probe that is under way; dropped with it.
#[derive(Debug)]
struct UnderWay(Arc<Pool>);

impl Findings {
    /// It has not answered as it should.
    pub(crate) fn is_unhealthy(&self) -> bool {
        self.is_unhealthy.load(Ordering::Relaxed)
    }

    /// Since when it has been well again.
    pub(crate) fn well_since(&self) -> Option<Instant> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.well_since
    }

    /// Somebody sends something there that is no probe.
    pub(crate) fn sent_traffic(&self) {
        if !self.has_traffic.load(Ordering::Relaxed) {
            self.has_traffic.store(true, Ordering::Relaxed);
        }
    }

    /// Begins a probe where it is time for one, and says when it is time for the next.
    fn begin(&self, check: &HealthCheck, now: Instant) -> (bool, Instant) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let first = || {
            now + share(
                check
                    .initial_jitter
                    .as_ref()
                    .map(|wait| wait.value.as_std()),
            )
        };
        let at = *state.next.get_or_insert_with(first);
        if now < at || state.under_way {
            return (false, at.max(now + SHORTEST));
        }
        let interval = match self.has_traffic.load(Ordering::Relaxed) {
            true => &check.interval,
            false => &check.no_traffic_interval,
        };
        let interval = interval.value.as_std();
        let percent = check.interval_jitter_percent.as_ref();
        let percent = percent.map(|percent| interval.mul_f64(f64::from(percent.value) / 100.0));
        let jitter = check
            .interval_jitter
            .as_ref()
            .map(|wait| wait.value.as_std());
        let next = now + interval + share(jitter) + share(percent);
        (state.next, state.under_way) = (Some(next), true);
        (true, next)
    }

    /// A probe went well or not: what that changes of what is taken for true, and whether it is the first failure of
    /// several in a row.
    fn found(&self, well: bool, check: &HealthCheck) -> (Option<bool>, bool) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let first_failure = !std::mem::replace(&mut state.failing, !well) && !well;
        (self.change(well, check, &mut state), first_failure)
    }

    fn change(&self, well: bool, check: &HealthCheck, state: &mut State) -> Option<bool> {
        if well != self.is_unhealthy() {
            state.in_a_row = 0;
            return None;
        }
        state.in_a_row = state.in_a_row.saturating_add(1);
        let enough = match well {
            true => check.healthy_threshold.value,
            false => check.unhealthy_threshold.value,
        };
        if state.in_a_row < enough {
            return None;
        }
        state.in_a_row = 0;
        self.is_unhealthy.store(!well, Ordering::Relaxed);
        if well {
            state.well_since = Some(Instant::now());
        }
        Some(well)
    }

    fn end(&self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.under_way = false;
    }
}

/// The shortest time after which it is looked again.
const SHORTEST: Duration = Duration::from_millis(10);

/// A random part of a time.
fn share(of: Option<Duration>) -> Duration {
    let part = f64::from(u32::try_from(roll() >> 32).unwrap_or_default()) / f64::from(u32::MAX);
    of.map_or(Duration::ZERO, |of| of.mul_f64(part))
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.findings.end();
    }
}

/// Probes what this table asks for, until there is another one.
pub(crate) fn start(shared: &Arc<Shared>, table: &Arc<Table>, runtime: &Handle) {
    let probed = table.clusters.iter();
    for cluster in probed.filter(|cluster| cluster.health_check.is_some()) {
        let (shared, cluster) = (Arc::clone(shared), Arc::clone(cluster));
        runtime.spawn(watch(shared, cluster, table.serial));
    }
}

async fn watch(shared: Arc<Shared>, cluster: Arc<ClusterTable>, serial: u64) {
    let Some(check) = &cluster.health_check else {
        return;
    };
    let mut news = shared.news();
    while shared.table().serial == serial && *news.borrow_and_update() < Phase::Over {
        let now = Instant::now();
        let mut wake = now + check.interval.value.as_std();
        for place in 0..cluster.instances.len() {
            let pool = cluster.instances.get(place);
            let Some(pool) = pool.and_then(|instance| shared.upstreams.pool_of(&cluster, instance))
            else {
                continue;
            };
            let (due, next) = pool.findings.begin(check, now);
            wake = wake.min(next);
            if due {
                let under_way = UnderWay(Arc::clone(pool));
                let (shared, cluster) = (Arc::clone(&shared), Arc::clone(&cluster));
                tokio::spawn(async move { probe(&shared, &cluster, place, &under_way).await });
            }
        }
        tokio::select! {
            () = sleep_until(wake) => {}
            changed = news.changed() => if changed.is_err() { return },
        }
    }
}

async fn probe(shared: &Shared, cluster: &ClusterTable, place: usize, under_way: &UnderWay) {
    let instance = cluster.instances.get(place);
    let Some((instance, check)) = instance.zip(cluster.health_check.as_deref()) else {
        return;
    };
    let limit = check.timeout.value.as_std();
    let asked = async {
        match &check.probe {
            Probe::Http(http) => probe::http(shared, cluster, instance, http).await,
            Probe::Tcp(tcp) => probe::tcp(shared, cluster, instance, tcp).await,
            Probe::Grpc(grpc) => probe::grpc(shared, cluster, instance, grpc).await,
        }
    };
    let found = timeout(limit, asked).await;
    let found = found.unwrap_or_else(|_| Err("there was no answer in time".to_owned()));
    let (change, first) = under_way.0.findings.found(found.is_ok(), check);
    if let Some(events) = cluster.events.get() {
        let failed = found.is_err() && (first || check.always_log_failures.value);
        event::tell(events, (cluster, instance), change, failed);
    }
    let (cluster, instance) = (&*cluster.label, &*instance.label);
    match (change, &found) {
        (Some(true), _) => tracing::info!(cluster, instance, "an instance is well again"),
        (Some(false), Err(why)) => {
            tracing::warn!(
                cluster,
                instance,
                why,
                "an instance is unhealthy, and gets no traffic"
            );
        }
        (_, Err(why)) if check.always_log_failures.value => {
            tracing::warn!(cluster, instance, why, "a health check failed");
        }
        (_, Err(why)) => tracing::debug!(cluster, instance, why, "a health check failed"),
        (_, Ok(())) => {}
    }
}

#[cfg(test)]
mod tests;
