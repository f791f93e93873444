//! Lists of header fields, compressed (RFC 7541).
//!
//! Never holds more of a list than its receiver takes, whatever a few bytes of it stand for.

mod decode;
mod encode;
mod field;
mod huffman;
mod integer;
#[cfg(test)]
mod tests;

pub(super) use decode::Decoder;
pub(super) use encode::{Encoder, Name};
pub(super) use field::{Field, Pseudo};

/// Of a table of fields that one side remembers, where nobody has said otherwise (RFC 9113 6.5.2).
const TABLE_BYTES: usize = 4_096;
/// What a field counts beside its name and value (RFC 7541 4.1).
const OVERHEAD: usize = 32;

/// A list that is not one, after which nothing more can be understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Unreadable;
