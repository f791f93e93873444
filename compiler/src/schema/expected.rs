//! What a schema expects at a place of a document.
//!
//! Never judges: the validator does. This answers what would have been right.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::diag::{Pointer, Step};
use crate::similar::listed;

/// The parts of a schema that speak about one place.
#[derive(Debug)]
pub(super) struct Expected<'a> {
    root: &'a Value,
    parts: Vec<&'a Value>,
}

impl<'a> Expected<'a> {
    /// What `schema` says about the value at `pointer`.
    pub(super) fn at(schema: &'a Value, pointer: &Pointer) -> Self {
        let mut expected = Self {
            root: schema,
            parts: Vec::new(),
        };
        expected.add(schema, 0);
        for step in &pointer.steps {
            expected = expected.step(step);
        }
        expected
    }

    /// One step deeper.
    pub(super) fn step(&self, step: &Step) -> Self {
        let mut inner = Self {
            root: self.root,
            parts: Vec::new(),
        };
        for part in &self.parts {
            let schema = match step {
                Step::Index(_) => part.get("items"),
                Step::Comment(_) => None,
                Step::Field(name) | Step::Again(name) => part
                    .get("properties")
                    .and_then(|properties| properties.get(name))
                    .or_else(|| part.get("additionalProperties")),
            };
            if let Some(schema) = schema {
                inner.add(schema, 0);
            }
        }
        inner
    }

    fn add(&mut self, schema: &'a Value, depth: usize) {
        // References form no circles without a value in between, but a bound costs nothing.
        if depth > 16 {
            return;
        }
        self.parts.push(schema);
        let target = schema.get("$ref").and_then(Value::as_str);
        let target = target.and_then(|target| target.strip_prefix('#'));
        if let Some(schema) = target.and_then(|target| self.root.pointer(target)) {
            self.add(schema, depth + 1);
        }
        for key in ["allOf", "anyOf", "oneOf"] {
            let list = schema.get(key).and_then(Value::as_array);
            for schema in list.into_iter().flatten() {
                self.add(schema, depth + 1);
            }
        }
    }

    /// The fields that may stand here.
    pub(super) fn fields(&self) -> BTreeSet<&'a str> {
        let properties = self.parts.iter().filter_map(|part| part.get("properties"));
        properties
            .filter_map(Value::as_object)
            .flat_map(|properties| properties.keys().map(String::as_str))
            .collect()
    }

    /// The words of a list.
    pub(super) fn words(&self) -> Vec<&'a str> {
        let listed = self.parts.iter().filter_map(|part| part.get("enum"));
        let listed = listed.filter_map(Value::as_array).flatten();
        let single = self.parts.iter().filter_map(|part| part.get("const"));
        listed.chain(single).filter_map(Value::as_str).collect()
    }

    /// Names of types, as JSON Schema has them.
    pub(super) fn types(&self) -> BTreeSet<&'a str> {
        let mut types = BTreeSet::new();
        for named in self.parts.iter().filter_map(|part| part.get("type")) {
            match named {
                Value::String(name) => {
                    types.insert(name.as_str());
                }
                Value::Array(names) => types.extend(names.iter().filter_map(Value::as_str)),
                _ => {}
            }
        }
        types.remove("null");
        types
    }

    /// Is it a duration?
    pub(super) fn is_duration(&self) -> bool {
        self.formats().any(|format| format == "go-duration")
    }

    /// The largest integer, where there is one.
    pub(super) fn largest(&self) -> Option<u64> {
        let bits = |format: &str| match format {
            "uint8" => Some(u64::from(u8::MAX)),
            "uint16" => Some(u64::from(u16::MAX)),
            "uint32" => Some(u64::from(u32::MAX)),
            "uint64" => Some(u64::MAX),
            "int32" => Some(u64::from(i32::MAX.unsigned_abs())),
            "int64" => Some(i64::MAX.unsigned_abs()),
            _ => None,
        };
        self.formats().find_map(bits)
    }

    fn formats(&self) -> impl Iterator<Item = &'a str> {
        let formats = self.parts.iter().filter_map(|part| part.get("format"));
        formats.filter_map(Value::as_str)
    }

    /// `a string or an integer`.
    pub(super) fn noun(&self) -> String {
        if self.is_duration() {
            return "a duration such as `10s`".to_owned();
        }
        let words = self.words();
        if !words.is_empty() && words.len() <= 8 {
            return listed(words, "or");
        }
        let types = self.types();
        let noun = |name: &&str| match *name {
            "array" => "a list",
            "object" => "a mapping",
            "boolean" => "a boolean",
            "integer" => "an integer",
            "number" => "a number",
            _ => "a string",
        };
        let nouns: BTreeSet<&str> = types
            .iter()
            .filter(|name| !(**name == "integer" && types.contains("number")))
            .map(noun)
            .collect();
        let nouns: Vec<&str> = nouns.into_iter().collect();
        match nouns.as_slice() {
            [] => "something else".to_owned(),
            nouns => nouns.join(" or "),
        }
    }
}
