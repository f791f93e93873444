//! Who writes records: one task for each file and each address, behind a queue that is never waited for.
//!
//! Never keeps a file open between two writes, so that whoever moves it away finds it complete.

use std::fmt;
use std::io::Write as _;
use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::runtime::Handle;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{sleep, timeout};

use crate::backoff::{Backoff, dice};

/// Records that wait for a slow disk or network: about a megabyte.
const ROOM: usize = 4_096;
/// What is written at once.
const BATCH: usize = 256;
/// For a connection, and for what is written on one.
const PATIENCE: Duration = Duration::from_secs(5);

/// Where records go.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Sink {
    File(String),
    Tcp(String),
}

/// The way to one sink.
#[derive(Debug, Clone)]
pub(super) struct Queue {
    sender: mpsc::Sender<Item>,
    dropped: Counter,
}

enum Item {
    Line(String),
    /// Everything before it is written.
    Flush(oneshot::Sender<()>),
}

impl fmt::Display for Sink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "file {path}"),
            Self::Tcp(address) => write!(f, "tcp {address}"),
        }
    }
}

impl Queue {
    /// Its task ends when nobody has the queue any more.
    pub(super) fn start(sink: &Sink, dropped: Counter, runtime: &Handle) -> Self {
        let (sender, items) = mpsc::channel(ROOM);
        let writer = Writer {
            sink: sink.clone(),
            connection: None,
            backoff: Backoff::default(),
            failing: false,
            dropped: dropped.clone(),
        };
        runtime.spawn(writer.run(items));
        Self { sender, dropped }
    }

    /// Queues a record, or counts it as dropped; `line` is asked for only where there is room.
    pub(super) fn put(&self, line: impl FnOnce() -> String) {
        match self.sender.try_reserve() {
            Ok(room) => room.send(Item::Line(line())),
            Err(TrySendError::Full(()) | TrySendError::Closed(())) => {
                self.dropped.inc();
            }
        }
    }

    /// Waits until everything before it is written, if that happens at all.
    pub(super) async fn flush(&self) {
        let (done, flushed) = oneshot::channel();
        if self.sender.send(Item::Flush(done)).await.is_ok() {
            // Without an answer there is nobody left who writes.
            let _ = flushed.await;
        }
    }
}

struct Writer {
    sink: Sink,
    connection: Option<TcpStream>,
    backoff: Backoff,
    failing: bool,
    dropped: Counter,
}

impl Writer {
    async fn run(mut self, mut items: mpsc::Receiver<Item>) {
        let mut batch = Vec::with_capacity(BATCH);
        while items.recv_many(&mut batch, BATCH).await > 0 {
            let (mut lines, mut count, mut flushed) = (String::new(), 0_u64, Vec::new());
            for item in batch.drain(..) {
                match item {
                    Item::Line(line) => {
                        lines.push_str(&line);
                        count += 1;
                    }
                    Item::Flush(done) => flushed.push(done),
                }
            }
            if count > 0 {
                self.write(lines, count).await;
            }
            for done in flushed {
                // Who asked may have gone.
                let _ = done.send(());
            }
        }
    }

    async fn write(&mut self, lines: String, count: u64) {
        let written = match &self.sink {
            Sink::File(path) => append(path.clone(), lines).await,
            Sink::Tcp(address) => {
                let address = address.clone();
                self.connect(&address).await;
                self.send(&lines).await
            }
        };
        let sink = &self.sink;
        match written {
            Ok(()) => {
                if std::mem::take(&mut self.failing) {
                    tracing::info!(%sink, "access log records are written again");
                }
            }
            Err(why) => {
                self.dropped.inc_by(count);
                self.connection = None;
                // Once, and not for every record that follows.
                if !std::mem::replace(&mut self.failing, true) {
                    tracing::warn!(%sink, %why, "access log records cannot be written");
                }
            }
        }
    }

    /// Tries until there is a connection: meanwhile the queue fills, and what finds no room is dropped.
    async fn connect(&mut self, address: &str) {
        if self.connection.as_ref().is_some_and(is_closed) {
            self.connection = None;
        }
        while self.connection.is_none() {
            match timeout(PATIENCE, TcpStream::connect(address)).await {
                Ok(Ok(connection)) => {
                    self.connection = Some(connection);
                    self.backoff.reset();
                }
                failed => {
                    if !std::mem::replace(&mut self.failing, true) {
                        let why = failed.map(|failed| failed.map(|_| ()));
                        tracing::warn!(address, ?why, "no connection for access log records");
                    }
                    sleep(self.backoff.next(dice)).await;
                }
            }
        }
    }

    async fn send(&mut self, lines: &str) -> std::io::Result<()> {
        let Some(connection) = &mut self.connection else {
            return Err(std::io::ErrorKind::NotConnected.into());
        };
        timeout(PATIENCE, connection.write_all(lines.as_bytes())).await?
    }
}

/// Whoever listens says nothing, so there is something to read only when it is over.
fn is_closed(connection: &TcpStream) -> bool {
    let mut nothing = [0; 64];
    match connection.try_read(&mut nothing) {
        Ok(read) => read == 0,
        Err(why) => why.kind() != std::io::ErrorKind::WouldBlock,
    }
}

async fn append(path: String, lines: String) -> std::io::Result<()> {
    let append = move || {
        let mut options = std::fs::OpenOptions::new();
        let mut file = options.append(true).create(true).open(path)?;
        file.write_all(lines.as_bytes())
    };
    tokio::task::spawn_blocking(append)
        .await
        .map_err(std::io::Error::other)?
}
