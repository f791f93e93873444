//! Who takes records from their outbox to a collector: many at once, a few times, and then no more.
//!
//! Never keeps more than one batch beside what waits in the outbox, and never tells of each failure: of the first of a row,
//! and of its end.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::{MissedTickBehavior, interval, sleep};

use super::export::{Courier, Outcome};
use super::otlp;
use super::outbox::{Inbox, Next};
use crate::backoff::{Backoff, dice};
use crate::metrics::{Lost, Metrics, Signal};

/// How old a record becomes before it is sent.
const EVERY: Duration = Duration::from_secs(1);
/// Of one request.
const MOST_RECORDS: u64 = 512;
const MOST_BYTES: usize = 1 << 20;
/// How often one request is made.
const MOST_TRIES: usize = 4;

/// What stands around the records of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Envelope {
    /// Of this resource; records are the second field of a scope.
    Otlp { resource: Vec<u8> },
    /// JSON, between these.
    List {
        begin: &'static str,
        between: &'static str,
        end: &'static str,
    },
}

/// Ships records until their outbox is gone.
#[derive(Debug)]
pub(crate) struct Shipping {
    pub(crate) courier: Courier,
    pub(crate) envelope: Envelope,
    pub(crate) signal: Signal,
    pub(crate) metrics: Arc<Metrics>,
}

#[derive(Debug, Default)]
struct Batch {
    bytes: Vec<u8>,
    records: u64,
}

impl Shipping {
    pub(crate) async fn run(mut self, mut inbox: Inbox) {
        let mut ticks = interval(EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut batch, mut failing) = (Batch::default(), false);
        loop {
            tokio::select! {
                _ = ticks.tick() => {}
                () = inbox.called() => {}
            }
            loop {
                match inbox.next() {
                    Next::Record(record) => {
                        self.envelope.add(&mut batch, &record);
                        if batch.records >= MOST_RECORDS || batch.bytes.len() >= MOST_BYTES {
                            self.send(&mut batch, &mut failing).await;
                        }
                    }
                    Next::Flush(done) => {
                        self.send(&mut batch, &mut failing).await;
                        // Who asked may have gone.
                        let _ = done.send(());
                    }
                    Next::Nothing => break,
                    Next::End => return self.send(&mut batch, &mut failing).await,
                }
            }
            self.send(&mut batch, &mut failing).await;
        }
    }

    async fn send(&mut self, batch: &mut Batch, failing: &mut bool) {
        let Batch { bytes, records } = std::mem::take(batch);
        if records == 0 {
            return;
        }
        let request = self.envelope.close(bytes);
        let lost = &self.metrics.telemetry;
        let mut backoff = Backoff::default();
        for tried in 1.. {
            let (trouble, last) = match self.courier.send(request.clone()).await {
                Outcome::Taken { rejected } => {
                    lost.lost(self.signal, Lost::Rejected)
                        .inc_by(rejected.min(records));
                    if std::mem::take(failing) {
                        let (collector, signal) = (&self.courier, self.signal.as_str());
                        tracing::info!(%collector, signal, "telemetry comes to its collector again");
                    }
                    return;
                }
                Outcome::Later(trouble) => (trouble, tried >= MOST_TRIES),
                Outcome::Never(trouble) => (trouble, true),
            };
            if !std::mem::replace(failing, true) {
                let (collector, signal) = (&self.courier, self.signal.as_str());
                tracing::warn!(%collector, signal, why = %trouble, "telemetry does not come to its collector");
            }
            if last {
                lost.lost(self.signal, Lost::Export).inc_by(records);
                return;
            }
            let wait = trouble.wait.unwrap_or_else(|| backoff.next(dice));
            sleep(wait).await;
        }
    }
}

impl Envelope {
    fn add(&self, batch: &mut Batch, record: &[u8]) {
        if let Self::List { begin, between, .. } = self {
            let before = if batch.records == 0 { begin } else { between };
            batch.bytes.extend_from_slice(before.as_bytes());
        }
        batch.bytes.extend_from_slice(record);
        batch.records += 1;
    }

    fn close(&self, mut records: Vec<u8>) -> Bytes {
        match self {
            Self::Otlp { resource } => otlp::request(resource, &records),
            Self::List { end, .. } => {
                records.extend_from_slice(end.as_bytes());
                records.into()
            }
        }
    }
}
