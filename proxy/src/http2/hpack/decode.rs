//! Reads lists of fields, and remembers those that it is told to.

use std::collections::VecDeque;

use bytes::Bytes;

use super::field::{STATIC, known};
use super::{Field, OVERHEAD, TABLE_BYTES, Unreadable, huffman, integer};

/// What one side of a connection has been told to remember.
#[derive(Debug, Default)]
pub(in crate::http2) struct Decoder {
    /// The last one first.
    entries: VecDeque<Entry>,
    size: usize,
    /// What the other side has given up of the table.
    less: usize,
}

#[derive(Debug)]
struct Entry {
    field: Field,
    /// The lengths of its name and of its value, as they were sent.
    name: usize,
    value: usize,
}

impl Entry {
    fn size(&self) -> usize {
        self.name + self.value + OVERHEAD
    }
}

impl Decoder {
    /// Reads a whole block, and gives each field with what it counts (RFC 9113 10.5.1).
    pub(in crate::http2) fn read(
        &mut self,
        mut block: &[u8],
        mut each: impl FnMut(&Field, usize),
    ) -> Result<(), Unreadable> {
        let mut begun = false;
        while let Some((first, rest)) = block.split_first() {
            block = rest;
            match *first {
                128.. => {
                    let index = integer::read(*first, 7, &mut block)?;
                    let (field, name, value) = self.get(index)?;
                    each(field, name + value + OVERHEAD);
                }
                64.. => {
                    let entry = self.literal(*first, 6, &mut block)?;
                    each(&entry.field, entry.size());
                    self.remember(entry);
                }
                32.. if begun => return Err(Unreadable),
                32.. => {
                    let most = integer::read(*first, 5, &mut block)?;
                    self.less = TABLE_BYTES.checked_sub(most).ok_or(Unreadable)?;
                    self.forget(0);
                    continue;
                }
                _ => {
                    let entry = self.literal(*first, 4, &mut block)?;
                    each(&entry.field, entry.size());
                }
            }
            begun = true;
        }
        Ok(())
    }

    /// One of those that are known, and the lengths of its name and value.
    fn get(&self, index: usize) -> Result<(&Field, usize, usize), Unreadable> {
        if let Some(found) = known(index) {
            return Ok(found);
        }
        let index = index.checked_sub(STATIC.len() + 1).ok_or(Unreadable)?;
        let entry = self.entries.get(index).ok_or(Unreadable)?;
        Ok((&entry.field, entry.name, entry.value))
    }

    fn literal(&self, first: u8, prefix: u32, block: &mut &[u8]) -> Result<Entry, Unreadable> {
        let index = integer::read(first, prefix, block)?;
        if index == 0 {
            let name = text(block)?;
            let value = text(block)?;
            return Ok(Entry {
                name: name.len(),
                value: value.len(),
                field: Field::new(&name, value),
            });
        }
        let value = text(block)?;
        let (other, name, _) = self.get(index)?;
        Ok(Entry {
            name,
            value: value.len(),
            field: Field::named_like(other, value),
        })
    }

    fn remember(&mut self, entry: Entry) {
        let size = entry.size();
        self.forget(size);
        // One that is larger than the table empties it, and that is no error (RFC 7541 4.4).
        if size <= TABLE_BYTES - self.less {
            self.size += size;
            self.entries.push_front(entry);
        }
    }

    /// Makes room for as much, or as much as can be.
    fn forget(&mut self, room: usize) {
        while self.size + room > TABLE_BYTES - self.less {
            let Some(entry) = self.entries.pop_back() else {
                return;
            };
            self.size -= entry.size();
        }
    }
}

/// A text in either form (RFC 7541 5.2).
fn text(block: &mut &[u8]) -> Result<Bytes, Unreadable> {
    let (first, rest) = block.split_first().ok_or(Unreadable)?;
    *block = rest;
    let length = integer::read(*first, 7, block)?;
    let (text, rest) = block.split_at_checked(length).ok_or(Unreadable)?;
    *block = rest;
    match first & 128 {
        0 => Ok(Bytes::copy_from_slice(text)),
        _ => huffman::read(text).map(Bytes::from),
    }
}
