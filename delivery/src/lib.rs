//! The wire between meshd and mesh-proxy, both ends.
//!
//! Never shows a type of the RPC library, and never decides what a proxy is given or whether it is let in: meshd does,
//! through [`Authority`].
//!
//! # The protocol, told as a sequence
//!
//! ```text
//! proxy                                                     meshd
//!   | -- Enroll(token, CSR) ----------------------------------> |  TLS; the token pins meshd's key
//!   | <------------------ control certificate, anchors, renew-at |
//!   |                                                            |
//!   | -- Session: Hello(version, root held) -------------------> |  mutual TLS with the control certificate
//!   | <------- Endpoints(service, complete, upserts) ------ * -- |  every cluster that the configuration names
//!   | <------- Update(revision, root, upserts, removals) -- * -- |  frames of about 16 KiB; the last one is marked
//!   |    (verifies every byte against the root, builds, swaps)   |
//!   | -- Ack(root) | Nack(root, key, pointer, reason) ----------> |  applied whole or not at all
//!   | <------- Endpoints(withdrawn) ----------------------- * -- |  clusters that nothing names any more
//!   |                                                            |
//!   | -- CertificateRequest(issuer, CSR) ----------------------> |  at any time
//!   | <------- Certificate | CertificateRefused ---------------- |
//!   | -- Status(ready, draining) ------------------------------> |
//!   | <------- Measure(every) ----------------------------------- |  only to proxies that can
//!   | -- Traffic(root, inbound, outbound) ------------------ * -> |  only where that was asked for
//! ```
//!
//! * meshd has at most one change unacknowledged. What is wanted meanwhile is coalesced: only the newest world follows.
//! * A Hello with the wanted root gets endpoints and no Update: a reconnect costs no configuration.
//! * A change is a difference from what was acknowledged, or `complete` where meshd does not know that.
//! * A root that was refused is not sent again until something else is wanted.
//! * What not every proxy knows is said to those whose Hello lists the capability; what not every meshd knows is said where a
//!   message of meshd has asked for it. So older ones of both go on as before.
//! * Where either end breaks these rules the session ends, and the proxy keeps what it has.
//!
//! Both halves are state machines without I/O: [`publisher`] for meshd, [`subscriber`] for the proxy. [`server`] and
//! [`client`] drive them over sockets. [`workload_api`]
//! reads what an agent of SPIFFE says to a proxy: another protocol, here for its messages alone.

mod authority;
pub mod bounds;
pub mod client;
mod codec;
mod generated;
pub mod message;
pub mod publisher;
pub mod server;
pub mod subscriber;
#[cfg(test)]
mod tests;
pub mod traffic;
mod wire;
pub mod workload_api;

pub use authority::{Authority, Report};
