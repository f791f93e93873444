//! Which documents hold what must not be shown.
//!
//! Never trusts that a document can be read: one that is broken counts by what its lines say.

use super::Location;
use crate::source::{Node, Sources, trees};

const NAMES: [&str; 2] = ["Secret", "GlobalSecret"];

/// Does a file hold a Secret?
pub(crate) fn holds_secret(sources: &Sources, path: &str) -> bool {
    let documents = sources.file(path).map(|file| file.documents.as_slice());
    documents.unwrap_or_default().iter().any(|document| {
        let at = Location {
            document: document.index,
            ..Location::of_file(path)
        };
        is_secret(sources, &at)
    })
}

/// Is the place in a document that is a Secret, or says so in a line before it broke?
pub(crate) fn is_secret(sources: &Sources, at: &Location) -> bool {
    let says = |key: &&str| {
        let kind = sources.word(at, key);
        kind.is_some_and(|kind| NAMES.contains(&kind.as_ref()))
    };
    if ["type", "kind"].iter().any(says) {
        return true;
    }
    let text = sources.text(&at.file).unwrap_or_default();
    let here = sources.span(at).unwrap_or_default().start;
    let before = text.get(..here.min(text.len())).unwrap_or_default();
    let start = before.rfind("\n---").unwrap_or(0);
    let own = text.get(start..).unwrap_or_default();
    let rest = own.get(1..).and_then(|own| own.find("\n---"));
    let own = own.get(..rest.map_or(own.len(), |end| end + 1));
    says_so(own.unwrap_or_default())
}

/// Does a text hold a Secret?
pub(crate) fn is_secret_text(text: &str) -> bool {
    let is_secret = |root: &Node| {
        let kinds = ["type", "kind"].into_iter();
        let mut kinds = kinds.filter_map(|key| root.get(key).and_then(Node::as_str));
        kinds.any(|kind| NAMES.contains(&kind))
    };
    says_so(text) || trees(text).iter().flatten().any(is_secret)
}

fn says_so(text: &str) -> bool {
    text.lines().any(|line| {
        let kind = line.strip_prefix("type:").or(line.strip_prefix("kind:"));
        let kind = kind.map(|kind| kind.trim().trim_matches(['\'', '"']));
        kind.is_some_and(|kind| NAMES.contains(&kind))
    })
}
