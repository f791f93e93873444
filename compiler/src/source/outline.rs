//! Where everything in a document stands, without what it says: what is kept of a document for findings and origins.
//!
//! Never holds a value: the text has them. A tree of a document is ten times as large, and is dropped once it is read.

use std::collections::BTreeMap;

use super::Span;
use super::node::{Layout, Node, NodeKind, Style};
use crate::diag::{Pointer, Step};

/// The places of one document, the root first, each before what is inside of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outline {
    points: Box<[Point]>,
    /// Keys that are not written as they are read: in quotes, or through an alias.
    keys: BTreeMap<u32, Box<str>>,
    /// The entries of large mappings in the order of their keys, equal ones in the order of the text.
    sorted: BTreeMap<u32, Box<[u32]>>,
}

/// Looking through more entries than this for each of as many findings takes long.
const LARGE: usize = 64;

/// One value, with its key where it has one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Point {
    key: Option<Brief>,
    value: Brief,
    /// The place after the last one inside.
    end: u32,
    shape: Shape,
}

/// A span of a file that was read, and so is smaller than 4 GiB.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Brief {
    start: u32,
    end: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    Null,
    Scalar,
    /// A text after `|` or `>`.
    Text,
    Sequence(Layout),
    Mapping(Layout),
}

impl Outline {
    /// Of a tree that was made of `text`.
    pub(crate) fn of(root: &Node, text: &str) -> Self {
        let mut growing = Growing {
            text,
            points: Vec::new(),
            keys: BTreeMap::new(),
            sorted: BTreeMap::new(),
        };
        growing.add(root, None);
        Self {
            points: growing.points.into_boxed_slice(),
            keys: growing.keys,
            sorted: growing.sorted,
        }
    }

    /// The span to show for a place, see [`super::Sources::span`].
    pub(super) fn shown(&self, text: &str, pointer: &Pointer, key: bool) -> Span {
        let (mut at, mut key_span, mut whole_way) = (0, None, true);
        for step in &pointer.steps {
            // The language leaves `default` out of the paths of permissions: `rules[0].allow[0]`.
            let inside = || {
                let conf = self.field(text, at, "default", 0)?;
                let set = self.points.get(conf)?.shape != Shape::Null;
                set.then(|| self.step(text, conf, step))?
            };
            let Some(next) = self.step(text, at, step).or_else(inside) else {
                whole_way = false;
                break;
            };
            at = next;
            key_span = self.points.get(at).and_then(|point| point.key);
        }
        let Some(point) = self.points.get(at) else {
            return Span::default();
        };
        match key_span {
            Some(span) if key && whole_way => span.into(),
            Some(span) if point.is_block() || point.shape == Shape::Null => span.into(),
            // A missing part of a flow collection: its opening says where.
            _ if !whole_way && !point.is_block() => point.value.into(),
            _ => self.first(at),
        }
    }

    /// Where the value of a key at the top stands.
    pub(super) fn value(&self, text: &str, key: &str) -> Option<Span> {
        let at = self.field(text, 0, key, 0)?;
        Some(self.points.get(at)?.value.into())
    }

    /// What stands on a line: the outermost value that begins there, or that the line is in.
    pub(super) fn on(&self, text: &str, line: Span) -> Pointer {
        let start = |at: usize| {
            let point = self.points.get(at);
            let span = point.map(|point| Span::from(point.key.unwrap_or(point.value)));
            span.unwrap_or_default().start
        };
        let mut pointer = Pointer::default();
        let mut at = 0;
        while start(at) < line.start {
            let mut next = None;
            for (index, inner) in self.inside(at).enumerate() {
                if start(inner) >= line.end {
                    break;
                }
                next = Some((index, inner));
                if start(inner) >= line.start {
                    break;
                }
            }
            let Some((index, inner)) = next else {
                break;
            };
            pointer = match self.key(text, inner) {
                Some(key) => pointer.field(key),
                None => pointer.index(index),
            };
            at = inner;
        }
        pointer
    }

    fn step(&self, text: &str, at: usize, step: &Step) -> Option<usize> {
        match (self.points.get(at)?.shape, step) {
            (Shape::Sequence(_), Step::Index(index)) => self.inside(at).nth(*index),
            (Shape::Mapping(_), Step::Field(name)) => self.field(text, at, name, 0),
            (Shape::Mapping(_), Step::Again(name)) => self.field(text, at, name, 1),
            _ => None,
        }
    }

    /// The value of the `nth` entry with this key.
    fn field(&self, text: &str, at: usize, name: &str, nth: usize) -> Option<usize> {
        let is_named = |entry: &usize| self.key(text, *entry) == Some(name);
        let Some(sorted) = self.sorted.get(&brief(at)) else {
            return self.inside(at).filter(is_named).nth(nth);
        };
        let less = |entry: &u32| self.key(text, *entry as usize) < Some(name);
        let entry = *sorted.get(sorted.partition_point(less) + nth)? as usize;
        Some(entry).filter(is_named)
    }

    fn key<'a>(&'a self, text: &'a str, at: usize) -> Option<&'a str> {
        let span = Span::from(self.points.get(at)?.key?);
        match self.keys.get(&brief(at)) {
            Some(key) => Some(key),
            None => text.get(span.start..span.end),
        }
    }

    /// The values directly inside of one.
    fn inside(&self, at: usize) -> impl Iterator<Item = usize> {
        let end = |at: usize| self.points.get(at).map_or(0, |point| point.end as usize);
        let last = end(at);
        let first = Some(at + 1).filter(|first| *first < last);
        std::iter::successors(first, move |at| Some(end(*at)).filter(|next| *next < last))
    }

    /// The whole of a scalar or a flow collection, the first entry of a block.
    fn first(&self, at: usize) -> Span {
        let mut at = at;
        loop {
            let Some(point) = self.points.get(at) else {
                return Span::default();
            };
            let Some(inner) = self.inside(at).next() else {
                return point.value.into();
            };
            let entry = self.points.get(inner).copied();
            match (point.shape, entry) {
                (Shape::Sequence(Layout::Block), _) => at = inner,
                (Shape::Mapping(Layout::Block), Some(entry)) => {
                    return match entry.key {
                        Some(key) if !entry.is_block() && entry.shape != Shape::Null => Span {
                            start: key.start as usize,
                            end: entry.value.end.max(key.end) as usize,
                        },
                        key => key.unwrap_or(entry.value).into(),
                    };
                }
                _ => return point.value.into(),
            }
        }
    }
}

impl Point {
    fn is_block(&self) -> bool {
        matches!(
            self.shape,
            Shape::Text | Shape::Sequence(Layout::Block) | Shape::Mapping(Layout::Block)
        )
    }
}

/// An outline on its way.
struct Growing<'a> {
    text: &'a str,
    points: Vec<Point>,
    keys: BTreeMap<u32, Box<str>>,
    sorted: BTreeMap<u32, Box<[u32]>>,
}

impl Growing<'_> {
    /// Recursion ends with the depth that documents may have.
    fn add(&mut self, node: &Node, key: Option<(&str, Span)>) {
        let at = self.points.len();
        let shape = match &node.kind {
            NodeKind::Null => Shape::Null,
            NodeKind::Text(_, Style::Block) => Shape::Text,
            NodeKind::Bool(_) | NodeKind::Number(_) | NodeKind::Text(..) => Shape::Scalar,
            NodeKind::Sequence(_, layout) => Shape::Sequence(*layout),
            NodeKind::Mapping(_, layout) => Shape::Mapping(*layout),
        };
        if let Some((key, span)) = key
            && self.text.get(span.start..span.end) != Some(key)
        {
            self.keys.insert(brief(at), key.into());
        }
        self.points.push(Point {
            key: key.map(|(_, span)| span.into()),
            value: node.span.into(),
            end: 0,
            shape,
        });
        match &node.kind {
            NodeKind::Sequence(items, _) => items.iter().for_each(|item| self.add(item, None)),
            NodeKind::Mapping(entries, _) => {
                let mut places = Vec::new();
                for entry in entries {
                    places.push((entry.key.as_str(), brief(self.points.len())));
                    self.add(&entry.value, Some((&entry.key, entry.key_span)));
                }
                if places.len() > LARGE {
                    places.sort();
                    let places = places.into_iter().map(|(_, place)| place);
                    self.sorted.insert(brief(at), places.collect());
                }
            }
            _ => {}
        }
        let end = brief(self.points.len());
        if let Some(point) = self.points.get_mut(at) {
            point.end = end;
        }
    }
}

fn brief(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

impl From<Span> for Brief {
    fn from(span: Span) -> Self {
        Self {
            start: brief(span.start),
            end: brief(span.end),
        }
    }
}

impl From<Brief> for Span {
    fn from(span: Brief) -> Self {
        Self {
            start: span.start as usize,
            end: span.end as usize,
        }
    }
}
