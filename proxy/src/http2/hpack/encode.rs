//! Writes lists of fields, and tells the other side to remember those that come again.
//!
//! Never lets it remember what must not be guessed at: secrets are written out each time (RFC 7541 7.1.3).

use std::collections::VecDeque;

use super::field::{STATIC, number};
use super::{OVERHEAD, TABLE_BYTES, integer};

/// Of the fields that were written lately, those with the same last bits have one place.
const PLACES: usize = 256;
/// A value that is longer is written out each time.
const LONG: usize = 1_024;

/// The name of a field, with the number that those of heads have in the table that everybody knows.
#[derive(Debug, Clone, Copy)]
pub(in crate::http2) enum Name<'a> {
    Known(usize),
    Text(&'a str),
}

impl<'a> Name<'a> {
    pub(in crate::http2) const AUTHORITY: Self = Self::Known(1);
    pub(in crate::http2) const METHOD: Self = Self::Known(2);
    pub(in crate::http2) const PATH: Self = Self::Known(4);
    pub(in crate::http2) const SCHEME: Self = Self::Known(6);
    pub(in crate::http2) const STATUS: Self = Self::Known(8);

    fn text(self) -> &'a str {
        match self {
            Self::Text(text) => text,
            Self::Known(index) => STATIC.get(index - 1).map_or("", |(name, _)| name),
        }
    }

    fn number(self) -> usize {
        match self {
            Self::Known(index) => index,
            Self::Text(text) => number(text).unwrap_or(0),
        }
    }
}

/// What the other side has been told to remember.
#[derive(Debug, Default)]
pub(in crate::http2) struct Encoder {
    /// The last one first.
    entries: VecDeque<Entry>,
    size: usize,
    /// What the other side does not want to remember of what it may be told to.
    less: usize,
    /// It has to be told of that.
    tell: bool,
    /// How many there have been.
    told: u64,
    /// By the first bits of the hash of a field: what was written last and is not remembered.
    seen: Vec<u64>,
    /// The same for the entry that was remembered last.
    places: Vec<Place>,
}

#[derive(Debug)]
struct Entry {
    hash: u64,
    /// Of the name.
    length: usize,
    /// Name and value.
    text: Box<[u8]>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Place {
    hash: u64,
    /// From 1 on.
    entry: u64,
}

impl Encoder {
    /// The other side remembers no more than this.
    pub(in crate::http2) fn limit(&mut self, most: usize) {
        let less = TABLE_BYTES.saturating_sub(most);
        if less != self.less {
            self.less = less;
            self.tell = true;
            self.forget(0);
        }
    }

    /// Before the first field of each list.
    pub(in crate::http2) fn begin(&mut self, out: &mut Vec<u8>) {
        if std::mem::take(&mut self.tell) {
            integer::write(out, 32, 5, TABLE_BYTES - self.less);
        }
    }

    /// One of those that everybody knows.
    pub(in crate::http2) fn known(out: &mut Vec<u8>, index: u8) {
        out.push(128 | index);
    }

    pub(in crate::http2) fn field(&mut self, out: &mut Vec<u8>, name: Name<'_>, value: &[u8]) {
        if value.len() > LONG {
            return literal(out, (0, 4), name, value);
        }
        let text = name.text();
        let hash = hash(text.as_bytes(), value);
        if self.places.is_empty() {
            self.seen.resize(PLACES, 0);
            self.places.resize(PLACES, Place::default());
        }
        let at = usize::try_from(hash >> 56).unwrap_or_default();
        let (Some(place), Some(seen)) = (self.places.get_mut(at), self.seen.get_mut(at)) else {
            return literal(out, (0, 4), name, value);
        };
        if place.hash == hash && place.entry != 0 {
            let index = usize::try_from(self.told - place.entry).unwrap_or(usize::MAX);
            let entry = self.entries.get(index);
            if entry.is_some_and(|entry| entry.is(hash, text.as_bytes(), value)) {
                return integer::write(out, 128, 7, index + STATIC.len() + 1);
            }
        } else if std::mem::replace(seen, hash) != hash {
            // What never comes again is not worth remembering.
            return literal(out, (0, 4), name, value);
        }
        let size = text.len() + value.len() + OVERHEAD;
        if size > TABLE_BYTES - self.less {
            return literal(out, (0, 4), name, value);
        }
        self.told += 1;
        *place = Place {
            hash,
            entry: self.told,
        };
        literal(out, (64, 6), name, value);
        self.forget(size);
        self.size += size;
        self.entries.push_front(Entry {
            hash,
            length: text.len(),
            text: [text.as_bytes(), value].concat().into(),
        });
    }

    /// A field that nobody on the way may remember either.
    pub(in crate::http2) fn secret(out: &mut Vec<u8>, name: Name<'_>, value: &[u8]) {
        literal(out, (16, 4), name, value);
    }

    fn forget(&mut self, room: usize) {
        while self.size + room > TABLE_BYTES - self.less {
            let Some(entry) = self.entries.pop_back() else {
                return;
            };
            self.size -= entry.text.len() + OVERHEAD;
        }
    }
}

impl Entry {
    fn is(&self, hash: u64, name: &[u8], value: &[u8]) -> bool {
        self.hash == hash && self.text.split_at_checked(self.length) == Some((name, value))
    }
}

fn literal(out: &mut Vec<u8>, (first, prefix): (u8, u32), name: Name<'_>, value: &[u8]) {
    match name.number() {
        0 => {
            out.push(first);
            let name = name.text().as_bytes();
            integer::write(out, 0, 7, name.len());
            out.extend_from_slice(name);
        }
        number => integer::write(out, first, prefix, number),
    }
    integer::write(out, 0, 7, value.len());
    out.extend_from_slice(value);
}

/// Spreads well over its first bits, which is all that is asked of it: who finds two fields with the same one has them written
/// out each time.
fn hash(name: &[u8], value: &[u8]) -> u64 {
    const FACTOR: u64 = 0x9E37_79B9_7F4A_7C15;
    let mut hash = u64::try_from(name.len()).unwrap_or_default();
    for text in [name, value] {
        let (words, rest) = text.as_chunks::<8>();
        for word in words {
            hash = (hash.rotate_left(5) ^ u64::from_le_bytes(*word)).wrapping_mul(FACTOR);
        }
        let mut last = [0; 8];
        last.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
        hash = (hash.rotate_left(5) ^ u64::from_le_bytes(last)).wrapping_mul(FACTOR);
    }
    hash
}
