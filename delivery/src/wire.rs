//! Plain values to the wire format and back. Everything that comes from the wire is checked here, once.
//!
//! Never panics on what a peer sent, and never lets a value through whose grammar or bound does not hold.

mod check;
mod from_proxy;
#[cfg(test)]
mod tests;
mod to_proxy;
mod traffic;

pub(crate) use check::{Malformed, words};
