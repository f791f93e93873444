//! Git to compile to roll out to deliver; certificate authority; registry of live workloads.
//!
//! Never serves what did not compile, never keeps in its own store what git already holds, and never lets a private key
//! out: of its authorities it gives certificates, of its state it shows digests and names.

mod admin;
pub mod app;
mod authority;
pub mod ca;
mod candidate;
pub mod cli;
mod commit_status;
mod control;
mod distrust;
mod drift;
mod etcd;
mod event;
mod expiry;
pub mod git;
mod history;
mod hooks;
mod https;
pub mod log;
mod notification;
mod oidc;
mod outgoing;
mod pem;
mod publish;
mod random;
mod reconcile;
mod registry;
pub mod revocation;
mod rollout;
mod rotation;
mod secret;
pub mod settings;
mod share;
mod signature;
mod signer;
mod snapshot;
mod sources;
pub mod state;
mod status;
mod suspension;
pub mod tls;
pub mod token;
pub mod watch;
mod waves;
