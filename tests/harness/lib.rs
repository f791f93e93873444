//! A mesh of real processes, told as a story: start it, commit to it, speak through it, break it.
//!
//! Never sleeps: it waits for lines that a process prints, for acknowledgements, for connections that end, and every wait has a
//! deadline. Everything it starts ends when its owner is dropped. What goes wrong here fails a test (or a claim of the demo),
//! so it panics, with the last words of the processes concerned.
#![expect(
    clippy::panic,
    clippy::expect_used,
    reason = "a panic of the harness is the failure of the test which uses it"
)]

mod agent;
mod binary;
mod block;
mod capture;
mod client;
mod clock;
mod collector;
mod crowd;
mod dataplane;
mod disk;
mod editor;
mod endpoints;
mod envoy;
mod guard;
mod load;
mod log;
mod mesh;
mod meshd;
mod mint;
mod namespace;
mod patience;
mod probe;
mod process;
mod proxy;
mod repo;
mod secrecy;
mod sshd;
mod workload;

#[cfg(test)]
mod tests;

pub use agent::Agent;
pub use binary::{binary, meshc_check};
pub use block::Block;
pub use capture::{Capture, Seen};
pub use client::{Answer, Client, Connection, Tunnel, request, request_to};
pub use clock::Clock;
pub use collector::{Collector, Delivered, Reply};
pub use crowd::Crowd;
pub use dataplane::{Dataplane, Inbound, Outbound};
pub use disk::Disk;
pub use editor::Editor;
pub use envoy::Envoy;
pub use load::{Load, Tally};
pub use log::{Line, Log};
pub use mesh::{Mesh, Options};
pub use meshd::{Meshd, Settled, Token};
pub use mint::{Authority, Identity, Names};
pub use namespace::{Host, Network};
pub use patience::{PATIENCE, within};
pub use probe::{Knock, Probe};
pub use process::Process;
pub use proxy::Proxy;
pub use repo::Repo;
pub use sshd::Sshd;
pub use workload::Workload;
