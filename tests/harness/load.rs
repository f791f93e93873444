//! A client that keeps sending while the mesh changes under it.
//!
//! Never forgives: every request that is not answered with success is kept, with its time and its reason.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;

use crate::client::{Client, Connection, request};
use crate::patience::{PATIENCE, within};

/// Requests of one lane, this far apart: enough of them to meet every moment of a change, few enough for two cores.
const PACE: Duration = Duration::from_millis(4);

/// Requests on their way, until it is stopped.
#[derive(Debug)]
pub struct Load {
    stop: watch::Sender<bool>,
    answered: watch::Sender<u64>,
    lanes: JoinSet<Tally>,
}

/// What became of the requests.
#[derive(Debug, Default, Clone)]
pub struct Tally {
    /// How many were sent.
    pub sent: u64,
    /// How many each workload answered.
    pub by: BTreeMap<String, u64>,
    /// Those that failed, with the time since the start and the reason.
    pub failures: Vec<String>,
    /// The slowest answer.
    pub slowest: Duration,
    /// Connections that were opened.
    pub connections: u64,
}

impl Tally {
    /// The share of the requests that `workload` answered.
    #[must_use]
    pub fn share(&self, workload: &str) -> f64 {
        let count = |number: u64| f64::from(u32::try_from(number).unwrap_or(u32::MAX));
        let answered = self.by.get(workload).copied().unwrap_or(0);
        count(answered) / count(self.sent.max(1))
    }

    /// Fails the test when one request failed.
    ///
    /// # Panics
    /// When one did.
    pub fn assert_none_failed(&self) {
        assert!(
            self.failures.is_empty(),
            "{} of {} requests failed:\n{}",
            self.failures.len(),
            self.sent,
            self.failures
                .iter()
                .take(20)
                .cloned()
                .collect::<Vec<_>>()
                .join("\n")
        );
        assert!(self.sent > 0, "no request was sent");
    }

    fn add(&mut self, other: Self) {
        self.sent += other.sent;
        for (workload, count) in other.by {
            *self.by.entry(workload).or_default() += count;
        }
        self.failures.extend(other.failures);
        self.slowest = self.slowest.max(other.slowest);
        self.connections += other.connections;
    }
}

impl Load {
    /// Keeps `lanes` connections busy with requests for `path`.
    #[must_use]
    pub fn start(client: Client, path: &str, lanes: usize) -> Self {
        let stop = watch::Sender::new(false);
        let answered = watch::Sender::new(0);
        let mut set = JoinSet::new();
        let begin = Instant::now();
        for _ in 0..lanes {
            let lane = Lane {
                client,
                path: path.to_owned(),
                begin,
                connection: None,
                tally: Tally::default(),
            };
            set.spawn(lane.run(stop.subscribe(), answered.clone()));
        }
        Self {
            stop,
            answered,
            lanes: set,
        }
    }

    /// Returns when `count` more requests have had their answer, good or bad.
    pub async fn more(&self, count: u64) {
        let mut answered = self.answered.subscribe();
        let goal = *answered.borrow() + count;
        let reached = answered.wait_for(|now| *now >= goal);
        let _ = within(&format!("{count} more requests"), reached).await;
    }

    /// Ends it, after the requests that are under way.
    pub async fn stop(mut self) -> Tally {
        self.stop.send_replace(true);
        let mut tally = Tally::default();
        let joined = async {
            while let Some(lane) = self.lanes.join_next().await {
                tally.add(lane.unwrap_or_else(|error| panic!("a lane of the load: {error}")));
            }
        };
        within("the last answers of the load", joined).await;
        tally
    }
}

struct Lane {
    client: Client,
    path: String,
    begin: Instant,
    connection: Option<Connection>,
    tally: Tally,
}

impl Lane {
    async fn run(mut self, stop: watch::Receiver<bool>, answered: watch::Sender<u64>) -> Tally {
        let mut pace = tokio::time::interval(PACE);
        pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while !*stop.borrow() {
            pace.tick().await;
            let begin = Instant::now();
            self.tally.sent += 1;
            let outcome = tokio::time::timeout(PATIENCE, self.once()).await;
            match outcome.unwrap_or_else(|_| Err(format!("no answer within {PATIENCE:?}"))) {
                Ok(by) => *self.tally.by.entry(by).or_default() += 1,
                Err(reason) => {
                    let at = self.begin.elapsed();
                    self.tally.failures.push(format!("after {at:?}: {reason}"));
                    self.connection = None;
                }
            }
            self.tally.slowest = self.tally.slowest.max(begin.elapsed());
            answered.send_modify(|count| *count += 1);
        }
        self.tally
    }

    /// One request; on a new connection where the old one was closed before the request went out, as every client does.
    async fn once(&mut self) -> Result<String, String> {
        loop {
            let held = self.held().await;
            let fresh = held.is_none();
            let mut connection = match held {
                Some(connection) => connection,
                None => self.client.connect().await?,
            };
            self.tally.connections += u64::from(fresh);
            match connection.attempt(request("GET", &self.path, "")).await {
                Ok(answer) if answer.status == 200 => {
                    self.connection = Some(connection);
                    return Ok(answer.by().to_owned());
                }
                Ok(answer) => return Err(format!("{} {}", answer.status, answer.text())),
                Err(refused) if !refused.sent && !fresh => {}
                Err(refused) => return Err(refused.reason),
            }
        }
    }

    /// The connection of the last request, if it still takes another one.
    async fn held(&mut self) -> Option<Connection> {
        let mut connection = self.connection.take()?;
        connection.usable().await.then_some(connection)
    }
}
