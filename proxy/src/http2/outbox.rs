//! What a connection has to send: frames, one after the other.
//!
//! Never copies a large payload, and never cuts what is small into pieces of its own.

use std::collections::VecDeque;
use std::io::IoSlice;

use bytes::{Buf as _, Bytes};

use super::frame::{DATA, HEAD, Head, MOST_BYTES};

/// A payload no longer than this is copied: that costs less than one more piece to write.
const SMALL: usize = 4 * 1024;
/// Pieces at once.
pub(super) const PIECES: usize = 32;
/// What is kept of the room once all has been sent.
const KEPT: usize = 16 * 1024;

/// Frames that wait.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    bytes: Vec<u8>,
    /// How much of that has been sent.
    sent: usize,
    /// Payloads, and where in `bytes` each belongs.
    large: VecDeque<(usize, Bytes)>,
    /// Of payloads of DATA.
    data: usize,
}

impl Outbox {
    pub(super) fn is_empty(&self) -> bool {
        self.sent == self.bytes.len() && self.large.is_empty()
    }

    /// How much of bodies waits.
    pub(super) fn data(&self) -> usize {
        self.data
    }

    /// How much else.
    pub(super) fn others(&self) -> usize {
        self.bytes.len()
    }

    pub(super) fn raw(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// A whole frame.
    pub(super) fn frame(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
        let head = Head {
            length: payload.len(),
            kind,
            flags,
            stream,
        };
        self.bytes.extend_from_slice(&head.bytes());
        self.bytes.extend_from_slice(payload);
    }

    /// A frame of DATA.
    pub(super) fn data_frame(&mut self, flags: u8, stream: u32, payload: Bytes) {
        self.data += payload.len();
        if payload.len() <= SMALL {
            return self.frame(DATA, flags, stream, &payload);
        }
        let head = Head {
            length: payload.len(),
            kind: DATA,
            flags,
            stream,
        };
        self.bytes.extend_from_slice(&head.bytes());
        self.large.push_back((self.bytes.len(), payload));
    }

    /// A block of fields, in as many frames as it takes: the first is of this kind, and the last has this flag too.
    pub(super) fn block(
        &mut self,
        (first, more): (u8, u8),
        (flags, last): (u8, u8),
        stream: u32,
        write: impl FnOnce(&mut Vec<u8>),
    ) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(&[0; HEAD]);
        write(&mut self.bytes);
        let length = self.bytes.len() - start - HEAD;
        if length <= MOST_BYTES {
            let head = Head {
                length,
                kind: first,
                flags: flags | last,
                stream,
            };
            if let Some(place) = self.bytes.get_mut(start..start + HEAD) {
                place.copy_from_slice(&head.bytes());
            }
            return;
        }
        let block = self.bytes.split_off(start);
        let mut chunks = block.get(HEAD..).unwrap_or_default().chunks(MOST_BYTES);
        let (mut kind, mut flags) = (first, flags);
        while let Some(chunk) = chunks.next() {
            if chunks.len() == 0 {
                flags |= last;
            }
            self.frame(kind, flags, stream, chunk);
            (kind, flags) = (more, 0);
        }
    }

    /// What can be written at once; how many pieces it is.
    pub(super) fn pieces<'a>(&'a self, pieces: &mut [IoSlice<'a>; PIECES]) -> usize {
        let mut count = 0;
        let mut free = pieces.iter_mut();
        let mut add = |bytes: &'a [u8]| {
            if !bytes.is_empty()
                && let Some(place) = free.next()
            {
                *place = IoSlice::new(bytes);
                count += 1;
            }
        };
        let mut from = self.sent;
        for (place, payload) in self.large.iter().take(PIECES / 2) {
            add(self.bytes.get(from..*place).unwrap_or_default());
            add(payload);
            from = *place;
        }
        if self.large.len() <= PIECES / 2 {
            add(self.bytes.get(from..).unwrap_or_default());
        }
        count
    }

    /// As much has been written.
    pub(super) fn advance(&mut self, mut written: usize) {
        while written > 0 {
            let next = self.large.front().map_or(self.bytes.len(), |(at, _)| *at);
            let small = written.min(next.saturating_sub(self.sent));
            self.sent += small;
            written -= small;
            let Some((_, payload)) = self.large.front_mut().filter(|_| written > 0) else {
                break;
            };
            let large = written.min(payload.len());
            payload.advance(large);
            written -= large;
            if payload.is_empty() {
                self.large.pop_front();
            }
        }
        if self.is_empty() {
            self.bytes.clear();
            self.bytes.shrink_to(KEPT);
            (self.sent, self.data) = (0, 0);
        }
    }
}
