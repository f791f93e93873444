//! HTTP/2 (RFC 9113), both ends: frames, lists of fields, streams and their windows.
//!
//! Never lets one stream or one peer take more than its bound: of memory, of frames that carry nothing, of streams in vain.
//!
//! A stream says what it has to say under the lock of its connection, as bytes that are ready to be sent; the task of the
//! connection is woken once, and writes what all of them have said.

mod calm;
mod client;
mod control;
mod core;
mod driver;
mod ending;
mod frame;
mod handles;
mod head;
mod hpack;
mod lists;
mod outbox;
mod reason;
mod receive;
mod send;
mod server;
mod state;
mod stream;
#[cfg(test)]
mod tests;

pub(crate) use client::{Client, connect};
pub(crate) use core::Pings;
pub(crate) use handles::{Answer, RecvStream, Respond, SendStream};
pub(crate) use head::{Protocol, RequestHead};
pub(crate) use reason::{Error, Reason};
pub(crate) use server::{Begun, Server};
pub(crate) use state::{Limits, Unfit};
