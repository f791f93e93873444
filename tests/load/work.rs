//! The work itself, and what it costs the proxies that it goes through.
//!
//! Never forgives: a request that is not answered as it must be ends the run.

mod lane;

use std::cell::Cell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use tokio::task::JoinSet;
use tokio::time::timeout;

pub(crate) use lane::{awake, rest_http, rest_tcp};

use crate::app::Order;
use crate::cost;

/// Connections are open and caches warm before anything is counted.
const WARM_UP: Duration = Duration::from_millis(500);
/// Connections of gRPC, and calls at once on each.
const CALLS: (usize, usize) = (4, 16);
/// Requests a second of the paced load are this many milliseconds apart, over as many connections as lanes.
const PACE: u64 = 1;
const LANES: u64 = 64;
const GIB: f64 = 1_073_741_824.0;

/// What was measured once.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sample {
    /// Of one unit of work.
    pub(crate) cost: f64,
    /// Units of work in a second of wall time; it tells how busy the machine was.
    pub(crate) rate: Option<f64>,
    /// Milliseconds: half of the answers, and 99 of 100, took no longer.
    pub(crate) latency: Option<(f64, f64)>,
}

impl Sample {
    pub(crate) fn of(cost: f64) -> Self {
        Self {
            cost,
            ..Self::default()
        }
    }

    pub(crate) fn scaled(self, by: f64) -> Self {
        let cost = self.cost / by;
        Self { cost, ..self }
    }
}

/// Loads that run at once, and what they have done.
pub(crate) struct Lanes {
    set: tokio::task::LocalSet,
    running: JoinSet<Result<()>>,
    done: Rc<Cell<f64>>,
}

/// `lanes` connections, each asking again as soon as it has its answer.
pub(crate) async fn requests(
    address: SocketAddr,
    bytes: usize,
    lanes: usize,
    pids: &[u32],
    time: Duration,
) -> Result<Sample> {
    let mut work = Lanes::new();
    for _ in 0..lanes {
        let done = Rc::clone(&work.done);
        work.spawn(lane::requests(address, bytes, done));
    }
    work.measure(pids, time).await
}

/// Unary calls.
pub(crate) async fn calls(address: SocketAddr, pids: &[u32], time: Duration) -> Result<Sample> {
    let (connections, streams) = CALLS;
    let mut work = Lanes::new();
    for _ in 0..connections {
        let done = Rc::clone(&work.done);
        work.spawn(lane::calls(address, streams, done));
    }
    work.measure(pids, time).await
}

/// Requests at their times, however long answers take.
pub(crate) async fn paced(address: SocketAddr, pids: &[u32], time: Duration) -> Result<Sample> {
    let mut work = Lanes::new();
    let took = Rc::new(std::cell::RefCell::new(Vec::new()));
    for lane in 0..LANES {
        let (done, took) = (Rc::clone(&work.done), Rc::clone(&took));
        let first = Duration::from_millis(lane * PACE);
        let period = Duration::from_millis(LANES * PACE);
        work.spawn(lane::paced(address, (first, period), done, took));
    }
    let sample = work.measure(pids, time).await?;
    let mut took = took.take();
    took.sort_by(f64::total_cmp);
    let part = |of: usize| took.get(took.len() * of / 100).copied();
    let latency = part(50).zip(part(99));
    Ok(Sample { latency, ..sample })
}

/// Connections that open, say one byte, hear one, and close.
pub(crate) async fn connections(
    address: SocketAddr,
    lanes: usize,
    pids: &[u32],
    time: Duration,
) -> Result<Sample> {
    let mut work = Lanes::new();
    for _ in 0..lanes {
        let done = Rc::clone(&work.done);
        work.spawn(lane::connections(address, done));
    }
    work.measure(pids, time).await
}

/// One connection as fast as it goes: processor seconds for a GiB.
pub(crate) async fn stream(
    address: SocketAddr,
    order: Order,
    pids: &[u32],
    time: Duration,
) -> Result<Sample> {
    let mut work = Lanes::new();
    let done = Rc::clone(&work.done);
    work.spawn(lane::stream(address, order, done));
    let sample = work.measure(pids, time).await?;
    let cost = sample.cost * GIB / 1_000_000_000.0;
    let rate = sample.rate.map(|rate| rate / GIB);
    Ok(Sample {
        cost,
        rate,
        ..sample
    })
}

impl Lanes {
    fn new() -> Self {
        Self {
            set: tokio::task::LocalSet::new(),
            running: JoinSet::new(),
            done: Rc::default(),
        }
    }

    fn spawn(&mut self, lane: impl Future<Output = Result<()>> + 'static) {
        self.running.spawn_local_on(lane, &self.set);
    }

    /// Nanoseconds of processor time for each unit of work.
    async fn measure(mut self, pids: &[u32], time: Duration) -> Result<Sample> {
        self.go_on(WARM_UP).await?;
        let (done, spent) = (self.done.get(), cost::processor(pids)?);
        let began = std::time::Instant::now();
        self.go_on(time).await?;
        let done = self.done.get() - done;
        let spent = cost::processor(pids)? - spent;
        if done == 0.0 {
            bail!("nothing was answered within {time:?}");
        }
        Ok(Sample {
            cost: spent / done,
            rate: Some(done / began.elapsed().as_secs_f64()),
            latency: None,
        })
    }

    /// Lets the lanes run; the first that ends has failed.
    async fn go_on(&mut self, time: Duration) -> Result<()> {
        let ended = self.set.run_until(self.running.join_next());
        match timeout(time, ended).await {
            Err(_) => Ok(()),
            Ok(ended) => {
                ended
                    .context("there is no load")??
                    .context("a lane of the load")?;
                bail!("a lane of the load ended")
            }
        }
    }
}
