//! A text without what stands at one of its lines.
//!
//! Never moves a line: what is taken out is blank, so that every other place keeps its number.

use std::ops::Range;

use crate::source::{Layout, Node, NodeKind, Span, trees};

/// What an alias leads to, for whoever stays where it stands.
const NOTHING: Node = Node {
    kind: NodeKind::Null,
    span: Span { start: 0, end: 0 },
};

/// The texts that are left when something is taken out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Without {
    /// Something that begins at the line, the smallest such thing first.
    pub there: Vec<String>,
    /// What is around it and holds nothing else, the smallest first, and at last the document: an empty list is often no
    /// list, and a rule without it no rule.
    pub around: Vec<String>,
}

/// Takes out what begins at a line, counted from 1. Comments in it go as well.
#[must_use]
pub fn without(text: &str, line: u32) -> Without {
    let lines = line.checked_sub(1).and_then(|before| {
        let mut lines = text.split_inclusive('\n');
        let skipped = lines.by_ref().take(usize::try_from(before).ok()?);
        let start = skipped.map(str::len).sum();
        Some(start..start + lines.next()?.len())
    });
    let Some(lines) = lines else {
        return Without::default();
    };
    let mut search = Search {
        text,
        line: &lines,
        around: Vec::new(),
        found: None,
    };
    for tree in trees(text).iter().flatten() {
        let whole = tree.span.start..tree.content_end();
        search.element(tree, tree.span.start, whole, false);
    }
    let Some(Found {
        mut there,
        mut around,
    }) = search.found
    else {
        return Without::default();
    };
    there.reverse();
    around.reverse();
    let texts =
        |gone: Vec<Range<usize>>| gone.into_iter().map(|gone| blanked(text, gone)).collect();
    Without {
        there: texts(there),
        around: texts(around),
    }
}

/// Looks for what begins at a line.
struct Search<'a> {
    text: &'a str,
    /// Its bytes.
    line: &'a Range<usize>,
    /// What is looked into at the moment, from the document inwards, and whether it is all that its surroundings hold.
    around: Vec<(Range<usize>, bool)>,
    found: Option<Found>,
}

/// What could go, the largest first.
struct Found {
    there: Vec<Range<usize>>,
    /// See [`Without::around`].
    around: Vec<Range<usize>>,
}

impl Search<'_> {
    /// `gone` is what has to go where `node` goes.
    fn element(&mut self, node: &Node, begins: usize, gone: Range<usize>, alone: bool) {
        if self.line.contains(&begins) {
            let around = &self.around;
            let found = self.found.get_or_insert_with(|| {
                let mut only = alone;
                let holders = around.iter().rev();
                let holders = holders.take_while(|(_, alone)| std::mem::replace(&mut only, *alone));
                let mut holders: Vec<_> = holders.map(|(gone, _)| gone.clone()).collect();
                let document = around.first().map(|(gone, _)| gone);
                holders.extend(
                    document
                        .filter(|gone| holders.last() != Some(gone))
                        .cloned(),
                );
                holders.reverse();
                Found {
                    there: Vec::new(),
                    around: holders,
                }
            });
            found.there.push(gone.clone());
        }
        self.around.push((gone, alone));
        self.within(node);
        self.around.pop();
    }

    fn within(&mut self, node: &Node) {
        match &node.kind {
            NodeKind::Mapping(entries, layout) => {
                for entry in entries {
                    let start = entry.key_span.start;
                    // What an alias stands for is somewhere else.
                    let own = node.span.start <= start
                        && entry.key_span.end <= entry.value.span.start
                        && entry.value.span.end <= node.span.end;
                    let end = match own {
                        true => entry.value.content_end(),
                        false => self.end_of_line(entry.key_span.end),
                    };
                    let gone = self.with_comma(start..end, *layout);
                    let alone = entries.len() == 1;
                    match own {
                        true => self.element(&entry.value, start, gone, alone),
                        false => self.element(&NOTHING, start, gone, alone),
                    }
                }
            }
            NodeKind::Sequence(items, layout) => {
                let mut before = node.span.start;
                for item in items {
                    if item.span.start < before || item.span.end > node.span.end {
                        continue;
                    }
                    let start = match layout {
                        Layout::Block => self.dash(before, item.span.start),
                        Layout::Flow => item.span.start,
                    };
                    let end = item.content_end();
                    let gone = self.with_comma(start..end, *layout);
                    self.element(item, item.span.start, gone, items.len() == 1);
                    before = end;
                }
            }
            _ => {}
        }
    }

    fn end_of_line(&self, at: usize) -> usize {
        let after = self.text.get(at..).unwrap_or_default();
        at + after.find('\n').unwrap_or(after.len())
    }

    /// Where the dash of an item stands.
    fn dash(&self, from: usize, to: usize) -> usize {
        let mut at = from;
        let between = self.text.get(from..to).unwrap_or_default();
        for line in between.split_inclusive('\n') {
            if line.trim_start().starts_with('-') {
                return at + (line.len() - line.trim_start().len());
            }
            at += line.len();
        }
        to
    }

    /// An element of a list in brackets goes with one comma.
    fn with_comma(&self, element: Range<usize>, layout: Layout) -> Range<usize> {
        if layout == Layout::Block {
            return element;
        }
        let Range { start, end } = element;
        let after = self.text.get(end..).unwrap_or_default();
        let spaces = after.len() - after.trim_start().len();
        if after.trim_start().starts_with(',') {
            return start..end + spaces + 1;
        }
        let before = self.text.get(..start).unwrap_or_default().trim_end();
        match before.ends_with(',') {
            true => before.len() - 1..end,
            false => start..end,
        }
    }
}

fn blanked(text: &str, gone: Range<usize>) -> String {
    let (before, rest) = text.split_at_checked(gone.start).unwrap_or((text, ""));
    let (gone, after) = rest
        .split_at_checked(gone.end.saturating_sub(gone.start))
        .unwrap_or(("", rest));
    let blank = gone.chars().map(|c| if c == '\n' { '\n' } else { ' ' });
    let blank: String = blank.collect();
    format!("{before}{blank}{after}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_smallest_is_taken_out_first_and_no_line_moves() {
        let text = "a:\n  - b: 1\n    c: {d: 2, e: 3}\n  - f\n---\ng: |\n  text\nh: 1\n";
        let table: [(u32, &[&str]); 6] = [
            (
                2,
                &[
                    "a:\n  -     \n    c: {d: 2, e: 3}\n  - f\n---\ng: |\n  text\nh: 1\n",
                    "a:\n        \n                   \n  - f\n---\ng: |\n  text\nh: 1\n",
                ],
            ),
            (
                3,
                &[
                    "a:\n  - b: 1\n    c: {d: 2      }\n  - f\n---\ng: |\n  text\nh: 1\n",
                    "a:\n  - b: 1\n    c: {      e: 3}\n  - f\n---\ng: |\n  text\nh: 1\n",
                    "a:\n  - b: 1\n                   \n  - f\n---\ng: |\n  text\nh: 1\n",
                ],
            ),
            (
                4,
                &["a:\n  - b: 1\n    c: {d: 2, e: 3}\n     \n---\ng: |\n  text\nh: 1\n"],
            ),
            (
                6,
                &[
                    "a:\n  - b: 1\n    c: {d: 2, e: 3}\n  - f\n---\n    \n      \nh: 1\n",
                    "a:\n  - b: 1\n    c: {d: 2, e: 3}\n  - f\n---\n    \n      \n    \n",
                ],
            ),
            (
                8,
                &["a:\n  - b: 1\n    c: {d: 2, e: 3}\n  - f\n---\ng: |\n  text\n    \n"],
            ),
            (9, &[]),
        ];
        for (line, expected) in table {
            assert_eq!(without(text, line).there, expected, "line {line}");
        }
    }

    #[test]
    fn what_holds_nothing_else_can_go_with_it() {
        let text = "a:\n  b:\n    - c\n  d: 1\n";
        let expected = Without {
            there: vec!["a:\n  b:\n       \n  d: 1\n".to_owned()],
            around: vec![
                "a:\n    \n       \n  d: 1\n".to_owned(),
                "  \n    \n       \n      \n".to_owned(),
            ],
        };
        assert_eq!(without(text, 3), expected);
        assert_eq!(without(text, 4).around.len(), 1);
    }
}
