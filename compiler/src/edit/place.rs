//! A node with the entry that it is the value of, and the entries beside that.
//!
//! Never leads into what an alias stands for.

use crate::diag::{Pointer, Step};
use crate::source::{Layout, MappingEntry, Node, NodeKind, Span};

/// Where a pointer leads.
pub(super) struct Place<'a> {
    pub(super) node: &'a Node,
    /// The entries of the mapping that it is in; none in a sequence.
    pub(super) siblings: &'a [MappingEntry],
    pub(super) layout: Layout,
    /// Which of them it is.
    pub(super) index: usize,
}

impl<'a> Place<'a> {
    /// Follows a pointer from the root of a document.
    pub(super) fn find(root: &'a Node, pointer: &Pointer) -> Option<Self> {
        let mut place = Self {
            node: root,
            siblings: &[],
            layout: Layout::Block,
            index: 0,
        };
        for step in &pointer.steps {
            // As places are shown: `default` is left out of the paths of permissions.
            let conf = || {
                place
                    .step(&Step::Field("default".to_owned()))
                    .and_then(|conf| conf.step(step))
            };
            place = place.step(step).or_else(conf)?;
        }
        Some(place)
    }

    /// An entry of a mapping.
    pub(super) fn of(siblings: &'a [MappingEntry], layout: Layout, index: usize) -> Option<Self> {
        let entry = siblings.get(index)?;
        Some(Self {
            node: &entry.value,
            siblings,
            layout,
            index,
        })
    }

    /// The entry beside it.
    pub(super) fn sibling(&self, index: usize) -> Option<Self> {
        Self::of(self.siblings, self.layout, index)
    }

    pub(super) fn entry(&self) -> Option<&'a MappingEntry> {
        self.siblings.get(self.index)
    }

    fn step(&self, step: &Step) -> Option<Self> {
        let around = self.node.span;
        let inside = |span: Span| around.start <= span.start && span.end <= around.end;
        match (&self.node.kind, step) {
            (NodeKind::Sequence(items, layout), Step::Index(index)) => {
                let node = items.get(*index).filter(|item| inside(item.span))?;
                Some(Self {
                    node,
                    siblings: &[],
                    layout: *layout,
                    index: 0,
                })
            }
            (NodeKind::Mapping(entries, layout), Step::Field(name)) => {
                let mut named = entries.iter().enumerate();
                let (index, entry) = named.find(|(_, entry)| entry.key == *name)?;
                // Of a key that is written twice nobody knows which one is meant.
                if named.any(|(_, entry)| entry.key == *name) {
                    return None;
                }
                let whole =
                    inside(entry.key_span) && (entry.value.is_null() || inside(entry.value.span));
                whole.then(|| Self::of(entries, *layout, index)).flatten()
            }
            _ => None,
        }
    }
}
