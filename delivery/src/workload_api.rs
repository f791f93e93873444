//! The messages of the Workload API that are needed here, and how they lie on a stream (SPIFFE Workload API 5, gRPC over
//! HTTP/2).
//!
//! Never shows a key, and opens no connection: whoever has one hands over what has come.

use std::fmt;

use bytes::{Buf as _, Bytes, BytesMut};
use prost::Message;

/// Which procedure is called.
pub const FETCH: &str = "/SpiffeWorkloadAPI/FetchX509SVID";
/// A message without a field: its prefix is all of it.
pub const ASK: Bytes = Bytes::from_static(&[0; PREFIX]);
/// Before each message: whether it is compressed, and its length.
const PREFIX: usize = 5;
/// Tens of identities with their bundles.
const LONGEST: usize = 1024 * 1024;

/// All identities that this process may have.
#[derive(Clone, PartialEq, Message)]
pub struct Answer {
    /// The first one is meant for who knows no other.
    #[prost(message, repeated, tag = "1")]
    pub svids: Vec<Svid>,
}

/// One of them.
#[derive(Clone, PartialEq, Message)]
#[prost(skip_debug)]
pub struct Svid {
    /// Its name.
    #[prost(string, tag = "1")]
    pub spiffe_id: String,
    /// Certificates in DER, one after the other, the leaf first.
    #[prost(bytes = "vec", tag = "2")]
    pub chain: Vec<u8>,
    /// PKCS#8, DER.
    #[prost(bytes = "vec", tag = "3")]
    pub key: Vec<u8>,
    /// The authorities of its trust domain, as the chain is written.
    #[prost(bytes = "vec", tag = "4")]
    pub bundle: Vec<u8>,
}

impl fmt::Debug for Svid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Svid")
            .field("spiffe_id", &self.spiffe_id)
            .finish_non_exhaustive()
    }
}

/// Takes the first message from what has come, if it is there as a whole.
///
/// # Errors
/// In words, when it is none that is taken.
pub fn take(read: &mut BytesMut) -> Result<Option<Answer>, String> {
    let Some((prefix, _)) = read.split_first_chunk::<PREFIX>() else {
        return Ok(None);
    };
    let [compressed, length @ ..] = *prefix;
    if compressed != 0 {
        return Err("its answer is compressed, which was not asked for".to_owned());
    }
    let length = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
    if length > LONGEST {
        return Err(format!(
            "its answer has {length} bytes, at most {LONGEST} are taken"
        ));
    }
    if read.len() < PREFIX + length {
        return Ok(None);
    }
    read.advance(PREFIX);
    let message = read.split_to(length);
    let answer = Answer::decode(message.freeze());
    answer
        .map(Some)
        .map_err(|error| format!("its answer cannot be read: {error}"))
}
