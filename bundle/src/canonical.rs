//! The canonical encoding, written straight from a value: no tree of it is built on the way.
//!
//! Never decides what is canonical: `docs/decisions/2026-11-24-bundle-is-canonical-json.md` does. What is written here is
//! what `serde_json` writes of the same value with the keys of every object sorted.

use std::borrow::Cow;
use std::fmt::Display;

use serde::Serialize;
use serde::ser::{
    Error as _, SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant,
    SerializeTuple, SerializeTupleStruct, SerializeTupleVariant, Serializer,
};
use serde_json::{Error, Value};

/// Appends the canonical bytes of a value.
pub(crate) fn write<T: Serialize + ?Sized>(value: &T, bytes: &mut Vec<u8>) -> Result<(), Error> {
    value.serialize(Writer { bytes })
}

struct Writer<'a> {
    bytes: &'a mut Vec<u8>,
}

/// An array, or what else is a list in JSON.
struct List<'a> {
    bytes: &'a mut Vec<u8>,
    empty: bool,
    /// What ends it.
    end: &'static [u8],
}

/// An object. Its members are written as they come, and put in order at the end where they came in another.
struct Object<'a> {
    bytes: &'a mut Vec<u8>,
    start: usize,
    /// Keys, and where the members begin.
    members: Vec<(Cow<'static, str>, usize)>,
    end: &'static [u8],
}

impl List<'_> {
    fn item<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        if !std::mem::take(&mut self.empty) {
            self.bytes.push(b',');
        }
        write(value, self.bytes)
    }

    fn close(self) {
        self.bytes.extend_from_slice(self.end);
    }
}

impl Object<'_> {
    fn key(&mut self, key: Cow<'static, str>) -> Result<(), Error> {
        let start = self.bytes.len();
        self.bytes.push(b',');
        text(&key, self.bytes)?;
        self.bytes.push(b':');
        self.members.push((key, start));
        Ok(())
    }

    fn close(self) {
        let mut members = self.members;
        if !members.is_sorted_by(|(a, _), (b, _)| a < b) {
            let written = self.bytes.split_off(self.start);
            let ends = members.iter().skip(1).map(|(_, start)| *start);
            let ends: Vec<usize> = ends.chain([self.start + written.len()]).collect();
            let mut ranges: Vec<_> = members.drain(..).zip(ends).collect();
            ranges.sort_by(|((a, _), _), ((b, _), _)| a.cmp(b));
            for (index, ((key, start), end)) in ranges.iter().enumerate() {
                // Of a key that is there twice the last counts, as in every map.
                let next = ranges.get(index + 1);
                if next.is_some_and(|((next, _), _)| next == key) {
                    continue;
                }
                let member = written.get(start - self.start..end - self.start);
                self.bytes.extend_from_slice(member.unwrap_or_default());
            }
        }
        // The first member has a comma before it.
        match self.bytes.get_mut(self.start) {
            Some(first) => *first = b'{',
            None => self.bytes.push(b'{'),
        }
        self.bytes.extend_from_slice(self.end);
    }
}

impl<'a> Writer<'a> {
    fn plain<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Error> {
        serde_json::to_writer(self.bytes, value)
    }

    fn list(self, end: &'static [u8]) -> List<'a> {
        self.bytes.push(b'[');
        List {
            bytes: self.bytes,
            empty: true,
            end,
        }
    }

    fn object(self, members: usize, end: &'static [u8]) -> Object<'a> {
        Object {
            start: self.bytes.len(),
            bytes: self.bytes,
            members: Vec::with_capacity(members),
            end,
        }
    }

    /// `{"Variant":` of an enum that is tagged by its one key.
    fn variant(self, name: &'static str) -> Result<Self, Error> {
        self.bytes.push(b'{');
        text(name, self.bytes)?;
        self.bytes.push(b':');
        Ok(self)
    }
}

/// A text with its quotes. Most need no escape.
fn text(text: &str, bytes: &mut Vec<u8>) -> Result<(), Error> {
    let plain = |byte: u8| (byte >= b' ') & (byte != b'"') & (byte != b'\\');
    // Many bytes at once: most texts are plain to their ends.
    let are_plain = |bytes: &[u8]| bytes.iter().fold(true, |all, byte| all & plain(*byte));
    if !text.as_bytes().chunks(32).all(are_plain) {
        return serde_json::to_writer(bytes, text);
    }
    bytes.push(b'"');
    bytes.extend_from_slice(text.as_bytes());
    bytes.push(b'"');
    Ok(())
}

impl<'a> Serializer for Writer<'a> {
    type Ok = ();
    type Error = Error;
    type SerializeSeq = List<'a>;
    type SerializeTuple = List<'a>;
    type SerializeTupleStruct = List<'a>;
    type SerializeTupleVariant = List<'a>;
    type SerializeMap = Object<'a>;
    type SerializeStruct = Object<'a>;
    type SerializeStructVariant = Object<'a>;

    fn serialize_bool(self, value: bool) -> Result<(), Error> {
        self.plain(&value)
    }
    fn serialize_i8(self, value: i8) -> Result<(), Error> {
        self.plain(&value)
    }
    fn serialize_i16(self, value: i16) -> Result<(), Error> {
        self.plain(&value)
    }
    fn serialize_i32(self, value: i32) -> Result<(), Error> {
        self.plain(&value)
    }
    fn serialize_i64(self, value: i64) -> Result<(), Error> {
        self.plain(&value)
    }
    fn serialize_u8(self, value: u8) -> Result<(), Error> {
        self.plain(&value)
    }
    fn serialize_u16(self, value: u16) -> Result<(), Error> {
        self.plain(&value)
    }
    fn serialize_u32(self, value: u32) -> Result<(), Error> {
        self.plain(&value)
    }
    fn serialize_u64(self, value: u64) -> Result<(), Error> {
        self.plain(&value)
    }
    fn serialize_f32(self, value: f32) -> Result<(), Error> {
        self.serialize_f64(f64::from(value))
    }
    fn serialize_f64(self, value: f64) -> Result<(), Error> {
        self.plain(&value)
    }
    fn serialize_char(self, value: char) -> Result<(), Error> {
        self.plain(&value)
    }
    fn serialize_str(self, value: &str) -> Result<(), Error> {
        text(value, self.bytes)
    }
    fn serialize_bytes(self, value: &[u8]) -> Result<(), Error> {
        self.plain(value)
    }
    fn serialize_none(self) -> Result<(), Error> {
        self.serialize_unit()
    }
    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Error> {
        value.serialize(self)
    }
    fn serialize_unit(self) -> Result<(), Error> {
        self.bytes.extend_from_slice(b"null");
        Ok(())
    }
    fn serialize_unit_struct(self, _: &'static str) -> Result<(), Error> {
        self.serialize_unit()
    }
    fn serialize_unit_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
    ) -> Result<(), Error> {
        self.serialize_str(variant)
    }
    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<(), Error> {
        value.serialize(self)
    }
    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<(), Error> {
        let writer = self.variant(variant)?;
        write(value, writer.bytes)?;
        writer.bytes.push(b'}');
        Ok(())
    }
    fn serialize_seq(self, _: Option<usize>) -> Result<List<'a>, Error> {
        Ok(self.list(b"]"))
    }
    fn serialize_tuple(self, _: usize) -> Result<List<'a>, Error> {
        Ok(self.list(b"]"))
    }
    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<List<'a>, Error> {
        Ok(self.list(b"]"))
    }
    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<List<'a>, Error> {
        Ok(self.variant(variant)?.list(b"]}"))
    }
    fn serialize_map(self, length: Option<usize>) -> Result<Object<'a>, Error> {
        Ok(self.object(length.unwrap_or(0), b"}"))
    }
    fn serialize_struct(self, _: &'static str, length: usize) -> Result<Object<'a>, Error> {
        Ok(self.object(length, b"}"))
    }
    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        length: usize,
    ) -> Result<Object<'a>, Error> {
        Ok(self.variant(variant)?.object(length, b"}}"))
    }
    fn collect_str<T: Display + ?Sized>(self, value: &T) -> Result<(), Error> {
        text(&value.to_string(), self.bytes)
    }
}

impl SerializeSeq for List<'_> {
    type Ok = ();
    type Error = Error;
    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        self.item(value)
    }
    fn end(self) -> Result<(), Error> {
        self.close();
        Ok(())
    }
}

impl SerializeTuple for List<'_> {
    type Ok = ();
    type Error = Error;
    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        self.item(value)
    }
    fn end(self) -> Result<(), Error> {
        self.close();
        Ok(())
    }
}

impl SerializeTupleStruct for List<'_> {
    type Ok = ();
    type Error = Error;
    fn serialize_field<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        self.item(value)
    }
    fn end(self) -> Result<(), Error> {
        self.close();
        Ok(())
    }
}

impl SerializeTupleVariant for List<'_> {
    type Ok = ();
    type Error = Error;
    fn serialize_field<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        self.item(value)
    }
    fn end(self) -> Result<(), Error> {
        self.close();
        Ok(())
    }
}

impl SerializeStruct for Object<'_> {
    type Ok = ();
    type Error = Error;
    fn serialize_field<T: Serialize + ?Sized>(
        &mut self,
        key: &'static str,
        value: &T,
    ) -> Result<(), Error> {
        self.key(Cow::Borrowed(key))?;
        write(value, self.bytes)
    }
    fn end(self) -> Result<(), Error> {
        self.close();
        Ok(())
    }
}

impl SerializeStructVariant for Object<'_> {
    type Ok = ();
    type Error = Error;
    fn serialize_field<T: Serialize + ?Sized>(
        &mut self,
        key: &'static str,
        value: &T,
    ) -> Result<(), Error> {
        self.key(Cow::Borrowed(key))?;
        write(value, self.bytes)
    }
    fn end(self) -> Result<(), Error> {
        self.close();
        Ok(())
    }
}

impl SerializeMap for Object<'_> {
    type Ok = ();
    type Error = Error;
    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Error> {
        match serde_json::to_value(key)? {
            Value::String(key) => self.key(Cow::Owned(key)),
            _ => Err(Error::custom("a key must be a text")),
        }
    }
    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        write(value, self.bytes)
    }
    fn end(self) -> Result<(), Error> {
        self.close();
        Ok(())
    }
}

#[cfg(test)]
mod tests;
