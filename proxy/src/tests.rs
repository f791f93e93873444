//! Two proxies in one process, with real sockets and certificates: what workloads feel of them.
//!
//! Never waits for time to pass: each test waits for the thing itself.

mod answers;
mod back_off;
mod change;
mod crossing;
mod deadlines;
mod floods;
mod frames;
mod hostile;
mod identity;
mod limits;
mod names;
mod outside;
mod parity;
mod permission;
pub(crate) mod pki;
mod readers;
mod rejected;
pub(crate) mod site;
mod smuggling;
mod thousand;
mod traffic;
mod tunnels;
mod unreadable;
mod upgrades;
mod wire;
