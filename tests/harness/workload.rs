//! Small real workloads: they answer who they are, and know nothing of a mesh.
//!
//! Never helped by the mesh: they listen on their own addresses and speak plain HTTP or bytes.

mod http;
mod tcp;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::AbortHandle;

use crate::patience::within;

/// One workload. Stops when it is dropped.
#[derive(Debug)]
pub struct Workload {
    address: SocketAddr,
    shared: Arc<Shared>,
    task: AbortHandle,
}

/// What the connections of a workload have in common.
#[derive(Debug)]
pub(crate) struct Shared {
    name: String,
    /// Requests or connections that arrived.
    arrived: watch::Sender<u64>,
    /// True: `/hold` is answered.
    released: watch::Sender<bool>,
    /// How often each path that fails at first was asked for.
    asked: Mutex<BTreeMap<String, u64>>,
}

impl Workload {
    /// Listens on `address` and speaks `protocol`: `http`, `http2`, `grpc` or `tcp`.
    ///
    /// # Panics
    /// When the address is taken.
    pub async fn start(name: &str, protocol: &str, address: SocketAddr) -> Self {
        let listener = TcpListener::bind(address).await;
        let listener = listener.unwrap_or_else(|error| {
            panic!("the workload {name} cannot listen on {address}: {error}")
        });
        Self::serve(name, protocol, listener)
    }

    /// The same on a listener that is there, which may be on another host.
    ///
    /// # Panics
    /// When it cannot be used.
    #[must_use]
    pub fn on(name: &str, protocol: &str, listener: std::net::TcpListener) -> Self {
        let prepared = listener.set_nonblocking(true);
        let listener = prepared.and_then(|()| TcpListener::from_std(listener));
        Self::serve(name, protocol, listener.expect("a listener"))
    }

    fn serve(name: &str, protocol: &str, listener: TcpListener) -> Self {
        let address = listener.local_addr().expect("an address");
        let shared = Arc::new(Shared {
            name: name.to_owned(),
            arrived: watch::Sender::new(0),
            released: watch::Sender::new(false),
            asked: Mutex::default(),
        });
        let serving = Arc::clone(&shared);
        let task = match protocol {
            "http" => tokio::spawn(http::serve_http1(listener, serving)),
            "http2" | "grpc" => tokio::spawn(http::serve_http2(listener, serving)),
            _ => tokio::spawn(tcp::serve(listener, serving)),
        };
        Self {
            address,
            shared,
            task: task.abort_handle(),
        }
    }

    /// Takes no connection any more, as one that has died.
    pub fn stop(&self) {
        self.task.abort();
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// How many requests (or, for bytes, connections) have arrived.
    #[must_use]
    pub fn arrived(&self) -> u64 {
        *self.shared.arrived.borrow()
    }

    /// Returns when more than `count` have arrived.
    pub async fn arrives_after(&self, count: u64) {
        let mut arrived = self.shared.arrived.subscribe();
        let more = arrived.wait_for(|now| *now > count);
        let _ = within("an arrival at the workload", more).await;
    }

    /// Answers every request for `/hold`, those that wait and those to come.
    pub fn release(&self) {
        self.shared.released.send_replace(true);
    }
}

impl Drop for Workload {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Shared {
    fn count(&self) {
        self.arrived.send_modify(|count| *count += 1);
    }

    /// How often a path was asked for, this time included.
    fn asked(&self, path: &str) -> u64 {
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        let times = asked.entry(path.to_owned()).or_default();
        *times += 1;
        *times
    }

    async fn held(&self) {
        let mut released = self.released.subscribe();
        // The sender lives as long as we do.
        let _ = released.wait_for(|released| *released).await;
    }
}
