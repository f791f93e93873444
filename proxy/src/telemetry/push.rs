//! Metrics for a collector, again and again.
//!
//! Never keeps what could not be sent: metrics are cumulative, so the next export says it too.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::time::{Instant, MissedTickBehavior, interval_at};

use super::export::{Courier, Outcome, Trouble};
use super::gather::Sources;
use super::otlp;
use super::target::PATIENCE;
use crate::dice::roll;
use crate::metrics::{Lost, Signal};

/// A collector is not asked more often, whatever a document says.
const SHORTEST: Duration = Duration::from_secs(1);

/// What is sent, and how often.
#[derive(Debug)]
pub(crate) struct Pushing {
    pub(crate) courier: Courier,
    pub(crate) interval: Duration,
    pub(crate) sources: Arc<Sources>,
    pub(crate) resource: Vec<u8>,
    /// Since when it is counted.
    pub(crate) began: SystemTime,
}

/// Sends for as long as it is polled.
pub(crate) async fn run(pushing: Pushing) {
    let every = pushing.interval.max(SHORTEST);
    let mut courier = pushing.courier.within(every);
    let mut ticks = interval_at(Instant::now() + first(every), every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    // For the metrics of the workload.
    let patience = PATIENCE.min(every);
    let mut failing = false;
    loop {
        ticks.tick().await;
        let requests = {
            let gathered = pushing.sources.gather(Instant::now() + patience).await;
            let times = (pushing.began, SystemTime::now());
            otlp::metrics::requests(&gathered.merge(), &pushing.resource, times)
        };
        let telemetry = &pushing.sources.metrics.telemetry;
        let mut trouble: Option<Trouble> = None;
        for request in requests {
            match courier.send(request).await {
                Outcome::Taken { rejected } => {
                    telemetry
                        .lost(Signal::Metrics, Lost::Rejected)
                        .inc_by(rejected);
                }
                Outcome::Later(why) | Outcome::Never(why) => {
                    telemetry.lost(Signal::Metrics, Lost::Export).inc();
                    trouble = Some(why);
                }
            }
        }
        match (&trouble, failing) {
            (Some(why), false) => {
                tracing::warn!(collector = %courier, %why, "metrics do not come to their collector");
            }
            (None, true) => {
                tracing::info!(collector = %courier, "metrics come to their collector again");
            }
            _ => {}
        }
        failing = trouble.is_some();
    }
}

/// Ten thousand proxies that began at once do not send at once.
fn first(every: Duration) -> Duration {
    let part = u32::try_from(roll() >> 32).unwrap_or_default();
    every.mul_f64(f64::from(part) / f64::from(u32::MAX))
}
