//! Protobuf, as far as telemetry is written in it: one buffer, nothing in between.
//!
//! Never reads anything but the number of a field that is asked for, and never writes what an ordinary decoder would not.

/// A message that grows.
#[derive(Debug, Default)]
pub(crate) struct Wire(Vec<u8>);

const VARINT: u32 = 0;
const FIXED_64: u32 = 1;
const LENGTH: u32 = 2;
const FIXED_32: u32 = 5;

impl Wire {
    pub(crate) fn with_capacity(bytes: usize) -> Self {
        Self(Vec::with_capacity(bytes))
    }

    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn uint(&mut self, field: u32, value: u64) {
        self.tag(field, VARINT);
        varint(&mut self.0, value);
    }

    pub(crate) fn flag(&mut self, field: u32, value: bool) {
        self.uint(field, value.into());
    }

    pub(crate) fn fixed32(&mut self, field: u32, value: u32) {
        self.tag(field, FIXED_32);
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    pub(crate) fn fixed64(&mut self, field: u32, value: u64) {
        self.tag(field, FIXED_64);
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    pub(crate) fn double(&mut self, field: u32, value: f64) {
        self.fixed64(field, value.to_bits());
    }

    pub(crate) fn bytes(&mut self, field: u32, value: &[u8]) {
        self.tag(field, LENGTH);
        varint(&mut self.0, length(value.len()));
        self.0.extend_from_slice(value);
    }

    pub(crate) fn text(&mut self, field: u32, value: &str) {
        self.bytes(field, value.as_bytes());
    }

    /// Numbers of eight bytes, without a tag for each.
    pub(crate) fn packed(&mut self, field: u32, values: impl ExactSizeIterator<Item = u64>) {
        self.tag(field, LENGTH);
        varint(&mut self.0, length(values.len() * 8));
        for value in values {
            self.0.extend_from_slice(&value.to_le_bytes());
        }
    }

    /// A message within the message: written in place, and moved where its length takes more than a byte.
    pub(crate) fn message(&mut self, field: u32, write: impl FnOnce(&mut Self)) {
        self.tag(field, LENGTH);
        let at = self.0.len();
        self.0.push(0);
        write(self);
        let inside = self.0.len() - at - 1;
        let mut prefix = Vec::with_capacity(5);
        varint(&mut prefix, length(inside));
        self.0.splice(at..=at, prefix);
    }

    /// What is a message already, or several of them with their tags.
    pub(crate) fn raw(&mut self, written: &[u8]) {
        self.0.extend_from_slice(written);
    }

    fn tag(&mut self, field: u32, form: u32) {
        varint(&mut self.0, u64::from(field << 3 | form));
    }
}

fn length(bytes: usize) -> u64 {
    u64::try_from(bytes).unwrap_or(u64::MAX)
}

#[expect(clippy::cast_possible_truncation, reason = "seven bits are left")]
fn varint(bytes: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
}

/// A field of a message that was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Field<'m> {
    Number(u64),
    Bytes(&'m [u8]),
}

/// The last field of that number in a message; `None` too where it is no message.
pub(crate) fn field(mut message: &[u8], wanted: u64) -> Option<Field<'_>> {
    let mut found = None;
    while !message.is_empty() {
        let tag = number(&mut message)?;
        let value = match u32::try_from(tag & 7).ok()? {
            VARINT => Field::Number(number(&mut message)?),
            FIXED_64 => Field::Bytes(take(&mut message, 8)?),
            FIXED_32 => Field::Bytes(take(&mut message, 4)?),
            LENGTH => {
                let length = usize::try_from(number(&mut message)?).ok()?;
                Field::Bytes(take(&mut message, length)?)
            }
            _ => return None,
        };
        if tag >> 3 == wanted {
            found = Some(value);
        }
    }
    found
}

fn number(message: &mut &[u8]) -> Option<u64> {
    let mut value = 0_u64;
    for shift in (0..64).step_by(7) {
        let byte = take(message, 1)?.first().copied()?;
        value |= u64::from(byte & 0x7F) << shift;
        if byte < 0x80 {
            return Some(value);
        }
    }
    None
}

fn take<'m>(message: &mut &'m [u8], count: usize) -> Option<&'m [u8]> {
    let (taken, rest) = message.split_at_checked(count)?;
    *message = rest;
    Some(taken)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn bytes_are_those_of_the_specification() {
        let mut wire = Wire::default();
        wire.uint(1, 150);
        wire.text(2, "testing");
        wire.message(3, |inside| inside.uint(1, 150));
        wire.fixed32(4, 1);
        wire.packed(5, [1_u64].into_iter());
        let expected = [
            &[0x08, 0x96, 0x01][..],
            &[0x12, 0x07, b't', b'e', b's', b't', b'i', b'n', b'g'],
            &[0x1a, 0x03, 0x08, 0x96, 0x01],
            &[0x25, 1, 0, 0, 0],
            &[0x2a, 8, 1, 0, 0, 0, 0, 0, 0, 0],
        ];
        assert_eq!(wire.into_bytes(), expected.concat());
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(number: u64, text in "\\PC{0,300}", of in 3_u32..5_000) {
            let mut wire = Wire::default();
            wire.message(2, |inside| {
                inside.uint(1, number);
                inside.text(of, &text);
            });
            let bytes = wire.into_bytes();
            let Some(Field::Bytes(inside)) = field(&bytes, 2) else {
                panic!("no message")
            };
            prop_assert_eq!(field(inside, 1), Some(Field::Number(number)));
            prop_assert_eq!(field(inside, of.into()), Some(Field::Bytes(text.as_bytes())));
        }

        #[test]
        fn anything_can_be_read(bytes: Vec<u8>) {
            let _ = field(&bytes, 1);
        }
    }
}
