//! What is no document of the mesh, though it has the name of one.
//!
//! Never leaves out what could be meant for the mesh: a mistake in its first lines would be passed over in silence.

use super::kubernetes;
use crate::similar;
use crate::source::{Node, NodeKind};

/// What stands at the top of every document, in one format or the other.
const MARKS: [&str; 7] = [
    "type",
    "apiVersion",
    "kind",
    "name",
    "mesh",
    "metadata",
    "spec",
];

/// Whether a document belongs to another tool: by its `apiVersion`, or because it is JSON that has nothing of a document.
/// Bundles and reports that meshc writes into a repository are of the second sort.
pub(super) fn is_foreign(root: &Node, file: &str) -> bool {
    kubernetes::is_foreign(root) || (file.ends_with(".json") && is_data(root))
}

fn is_data(root: &Node) -> bool {
    match &root.kind {
        NodeKind::Sequence(items, ..) => items.iter().all(|item| !has_mark(item)),
        NodeKind::Mapping(..) => !has_mark(root),
        _ => false,
    }
}

fn has_mark(node: &Node) -> bool {
    node.entries().iter().any(|entry| {
        MARKS.contains(&entry.key.as_str()) || similar::nearest(&entry.key, MARKS).is_some()
    })
}
