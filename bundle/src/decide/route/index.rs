//! Which of many routes can be about a path, found without looking at each of them.
//!
//! Never decides: what it passes over could not match, and of the others the first in their order counts.

use std::collections::BTreeMap;

use super::Path;

/// Up to so many, looking at each is as quick.
const FEW: usize = 16;

/// The places of routes, by their paths; each list is in order.
#[derive(Debug, Clone, Default)]
pub(super) struct Index {
    exact: BTreeMap<String, Vec<usize>>,
    prefix: BTreeMap<String, Vec<usize>>,
    /// Of the longest prefix.
    longest: usize,
    /// About any path, or with a pattern.
    others: Vec<usize>,
}

impl Index {
    /// `None` where it would save nothing.
    pub(super) fn of<'p>(paths: impl ExactSizeIterator<Item = &'p Path>) -> Option<Self> {
        if paths.len() <= FEW {
            return None;
        }
        let mut index = Self::default();
        for (place, path) in paths.enumerate() {
            let list = match path {
                Path::Exact(text) => index.exact.entry(text.clone()).or_default(),
                Path::Prefix(text) => {
                    index.longest = index.longest.max(text.len());
                    index.prefix.entry(text.clone()).or_default()
                }
                Path::Any | Path::Regex(_) => &mut index.others,
            };
            list.push(place);
        }
        Some(index)
    }

    /// The first of those that `matches` holds for.
    pub(super) fn first(&self, path: &str, matches: impl Fn(usize) -> bool) -> Option<usize> {
        let mut first: Option<usize> = None;
        let mut look = |list: &[usize]| {
            let before = |place: &usize| first.is_none_or(|first| *place < first);
            let mut better = list.iter().copied().take_while(before);
            if let Some(found) = better.find(|place| matches(*place)) {
                first = Some(found);
            }
        };
        if let Some(list) = self.exact.get(path) {
            look(list);
        }
        // A prefix ends where a segment does, or with the path itself.
        let ends = path.match_indices('/').map(|(end, _)| end);
        let ends = ends.take_while(|end| *end <= self.longest);
        for end in ends.chain([path.len()]) {
            let list = path.get(..end).and_then(|prefix| self.prefix.get(prefix));
            if let Some(list) = list {
                look(list);
            }
        }
        look(&self.others);
        first
    }
}
