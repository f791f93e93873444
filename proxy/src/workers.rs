//! The threads for traffic, each with a runtime of its own.
//!
//! Never moves a connection: it stays on the thread that accepted it, so that a request is served without locks and wake-ups
//! between threads. All threads accept from the same sockets, and who is idle is first.

use std::io;
use std::num::NonZero;

use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;

/// Where connections are served.
#[derive(Debug, Clone)]
pub struct Workers {
    first: Handle,
    more: Vec<Handle>,
}

/// Threads that run until this is dropped.
#[derive(Debug)]
pub(crate) struct Threads {
    pub(crate) workers: Workers,
    #[expect(dead_code, reason = "they are told by its end")]
    running: Vec<oneshot::Sender<()>>,
}

impl From<Handle> for Workers {
    fn from(first: Handle) -> Self {
        let more = Vec::new();
        Self { first, more }
    }
}

impl Workers {
    /// For what is there once.
    pub(crate) fn first(&self) -> &Handle {
        &self.first
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = &Handle> {
        std::iter::once(&self.first).chain(&self.more)
    }
}

impl Threads {
    /// As many as there are processors, where nothing else is said.
    pub(crate) fn start(workers: Option<u16>) -> io::Result<Self> {
        let workers = match workers {
            Some(workers) => usize::from(workers),
            None => std::thread::available_parallelism().map_or(1, NonZero::get),
        };
        let mut running = Vec::new();
        let workers = Workers {
            first: begin(&mut running)?,
            more: (1..workers)
                .map(|_| begin(&mut running))
                .collect::<io::Result<_>>()?,
        };
        Ok(Self { workers, running })
    }
}

fn begin(running: &mut Vec<oneshot::Sender<()>>) -> io::Result<Handle> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let handle = runtime.handle().clone();
    let (end, ended) = oneshot::channel::<()>();
    std::thread::Builder::new()
        .name("data".to_owned())
        .spawn(move || {
            // Nothing is ever sent: its end is the word.
            drop(runtime.block_on(ended));
            runtime.shutdown_background();
        })?;
    running.push(end);
    Ok(handle)
}
