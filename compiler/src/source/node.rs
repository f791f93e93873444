//! The tree of a document: values as YAML has them, each with its span.
//!
//! Never holds an alias or an anchor: aliases stand expanded. Keys that are written twice are both there.

use std::collections::BTreeMap;

use serde_json::Value;

use super::Span;
use crate::diag::{Pointer, Step};

/// One value.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// What it is.
    pub kind: NodeKind,
    /// Where it stands. An alias stands where it is written, what it expands to where that was written.
    pub span: Span,
}

/// What a value is.
#[derive(Debug, Clone, PartialEq)]
pub enum NodeKind {
    /// Nothing, `null` or `~`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// Decimal, hexadecimal, octal or with a fraction.
    Number(serde_json::Number),
    /// A text, and how it is written.
    Text(String, Style),
    /// A list.
    Sequence(Vec<Node>, Layout),
    /// Keys with values, in the order of the text.
    Mapping(Vec<Entry>, Layout),
}

/// How a text is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// Without quotes.
    Plain,
    /// In single or double quotes.
    Quoted,
    /// As a block, after `|` or `>`.
    Block,
}

/// How a collection is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// By indentation.
    Block,
    /// In brackets or braces.
    Flow,
}

/// One key with its value.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// The text of the key.
    pub key: String,
    /// Where the key stands.
    pub key_span: Span,
    /// What it is set to.
    pub value: Node,
}

impl Node {
    /// The entries, where this is a mapping.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        match &self.kind {
            NodeKind::Mapping(entries, _) => entries,
            _ => &[],
        }
    }

    /// The first entry with a key.
    #[must_use]
    pub fn entry(&self, key: &str) -> Option<&Entry> {
        self.entries().iter().find(|entry| entry.key == key)
    }

    /// The value of a key; a `null` counts as absent, as everywhere in the language.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Self> {
        let value = &self.entry(key)?.value;
        (value.kind != NodeKind::Null).then_some(value)
    }

    /// The text, where this is one.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        match &self.kind {
            NodeKind::Text(text, _) => Some(text),
            _ => None,
        }
    }

    /// Is it nothing?
    pub(crate) fn is_null(&self) -> bool {
        self.kind == NodeKind::Null
    }

    /// Where the last thing in it ends: a block ends where the parser sees that it does, which is later.
    pub(crate) fn content_end(&self) -> usize {
        let mut node = self;
        loop {
            let last = match &node.kind {
                NodeKind::Mapping(entries, Layout::Block) => {
                    entries.last().map(|entry| match entry.value.is_null() {
                        true => Err(entry.value.span.end.max(entry.key_span.end + 1)),
                        false => Ok(&entry.value),
                    })
                }
                NodeKind::Sequence(items, Layout::Block) => items.last().map(Ok),
                _ => None,
            };
            match last {
                Some(Ok(last))
                    if node.span.start <= last.span.start && last.span.end <= node.span.end =>
                {
                    node = last;
                }
                Some(Err(end)) => return end,
                _ => return node.span.end,
            }
        }
    }

    /// The node that a pointer leads to.
    #[must_use]
    pub fn find(&self, pointer: &Pointer) -> Option<&Self> {
        pointer.steps.iter().try_fold(self, Self::step)
    }

    fn step(&self, step: &Step) -> Option<&Self> {
        match (&self.kind, step) {
            (NodeKind::Sequence(items, _), Step::Index(index)) => items.get(*index),
            (NodeKind::Mapping(..), Step::Field(name)) => {
                self.entry(name).map(|entry| &entry.value)
            }
            (NodeKind::Mapping(entries, _), Step::Again(name)) => {
                let mut same = entries.iter().filter(|entry| entry.key == *name);
                same.nth(1).map(|entry| &entry.value)
            }
            _ => None,
        }
    }

    /// As JSON. Of a key that is written twice, the first.
    #[must_use]
    pub fn to_json(&self) -> Value {
        match &self.kind {
            NodeKind::Null => Value::Null,
            NodeKind::Bool(value) => Value::Bool(*value),
            NodeKind::Number(number) => Value::Number(number.clone()),
            NodeKind::Text(text, _) => Value::String(text.clone()),
            NodeKind::Sequence(items, _) => Value::Array(items.iter().map(Self::to_json).collect()),
            NodeKind::Mapping(entries, _) => {
                let mut object = serde_json::Map::new();
                for entry in entries {
                    object
                        .entry(entry.key.clone())
                        .or_insert_with(|| entry.value.to_json());
                }
                Value::Object(object)
            }
        }
    }

    /// Leaves of keys that are written twice the last, everywhere inside.
    pub(crate) fn keep_last(&mut self) {
        match &mut self.kind {
            NodeKind::Mapping(entries, _) => {
                let mut last = BTreeMap::new();
                for (place, entry) in entries.iter().enumerate() {
                    last.insert(entry.key.clone(), place);
                }
                let mut place = 0..;
                entries.retain(|entry| last.get(&entry.key).copied() == place.next());
                for entry in entries {
                    entry.value.keep_last();
                }
            }
            NodeKind::Sequence(items, _) => items.iter_mut().for_each(Self::keep_last),
            _ => {}
        }
    }

    /// What a person calls it.
    #[must_use]
    pub fn noun(&self) -> &'static str {
        match &self.kind {
            NodeKind::Null => "nothing",
            NodeKind::Bool(_) => "a boolean",
            NodeKind::Number(number) if number.is_f64() => "a number with a fraction",
            NodeKind::Number(_) => "an integer",
            NodeKind::Text(..) => "a string",
            NodeKind::Sequence(..) => "a list",
            NodeKind::Mapping(..) => "a mapping",
        }
    }
}
