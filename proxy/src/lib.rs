//! The data plane: one process beside each workload.
//!
//! Never parses YAML, and never serves a configuration that it does not understand as a whole.
//!
//! * [`World`] is what the control side has received and verified.
//! * [`Table`] is that world compiled, or refused with the place that is not understood.
//! * [`DataPlane`] serves the newest table; a change is one pointer.

mod account;
mod dataplane;
mod dice;
mod http;
mod inbound;
mod listener;
mod metrics;
mod outbound;
pub mod refusal;
mod session;
mod shared;
mod stream;
mod table;
mod tcp;
mod tls;
mod upstream;
mod world;

pub use dataplane::DataPlane;
pub use metrics::Metrics;
pub use table::Table;
pub use world::{Rejected, Svid, World};
