//! What a cursor is about to write: a document is read with a word in the place of the cursor, and that word is looked for.
//!
//! Never needs a document that can be read as it stands: what follows is left out where it is in the way.

use crate::diag::Pointer;
use crate::source::{Node, NodeKind, Span, trees};

/// A word that nobody writes.
const WORD: &str = "meshc0cursor";

/// A place where something can be written.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Gap {
    /// The document, with a word of its own in the place of the cursor.
    pub(super) root: Node,
    /// Of a key, the mapping that it is in; of a value, its own place.
    pub(super) pointer: Pointer,
    /// A key is written; else a value.
    pub(super) is_key: bool,
    /// What is written there now, which is replaced.
    pub(super) span: Span,
    /// A colon stands behind it.
    pub(super) has_colon: bool,
    /// In braces or brackets.
    pub(super) in_flow: bool,
}

/// What can be written at an offset of a text: a key, a value, or, at the beginning of an item, either.
pub(super) fn gaps(text: &str, offset: usize) -> Vec<Gap> {
    let Some((before, after)) = text.split_at_checked(offset) else {
        return Vec::new();
    };
    let (start, end) = document(text, offset);
    let before = before.get(start..).unwrap_or_default();
    let after = after.get(..end.saturating_sub(offset)).unwrap_or_default();
    if in_comment(before) {
        return Vec::new();
    }
    let head = before.trim_end_matches(is_word);
    let tail = after.trim_start_matches(is_word);
    // `key:` is one word with its colon.
    let tail = match after
        .strip_suffix(tail)
        .is_some_and(|word| word.ends_with(':'))
    {
        true => after.get(after.len() - tail.len() - 1..).unwrap_or(tail),
        false => tail,
    };
    let has_colon = tail.starts_with(':');
    let span = Span {
        start: start + head.len(),
        end: offset + (after.len() - tail.len()),
    };
    let forms: &[&str] = match has_colon {
        true => &[""],
        false => &[":", ""],
    };
    let rest_of_line = tail
        .find('\n')
        .map_or(tail, |at| tail.get(..at).unwrap_or(tail));
    let next_lines = tail.get(rest_of_line.len()..).unwrap_or_default();
    let closing = closing(head);
    let tails = [
        tail.to_owned(),
        format!("{closing}{next_lines}"),
        format!("{closing}\n"),
    ];
    let mut found: Vec<Gap> = Vec::new();
    for form in forms {
        let gap = tails.iter().find_map(|tail| {
            let attempt = format!(
                "{head}{WORD}{form}{}{tail}",
                if form.is_empty() { "" } else { " " }
            );
            let root = trees(&attempt).into_iter().flatten().next()?;
            let (pointer, is_key) = find(&root, &Pointer::default())?;
            // A word with a colon is a key, and without one a value.
            (is_key == (has_colon || *form == ":")).then_some(Gap {
                root,
                pointer,
                is_key,
                span,
                has_colon,
                in_flow: !closing.is_empty(),
            })
        });
        found.extend(gap);
    }
    found
}

/// Where the document that an offset is in begins and ends.
fn document(text: &str, offset: usize) -> (usize, usize) {
    let (mut start, mut at) = (0, 0);
    for line in text.split_inclusive('\n') {
        let next = at + line.len();
        if line.starts_with("---") {
            if at > offset || (at == offset && at > 0) {
                return (start, at);
            }
            start = next;
        }
        at = next;
    }
    (start.min(offset), text.len())
}

fn is_word(letter: char) -> bool {
    !letter.is_whitespace() && !"{}[],\"'#".contains(letter)
}

/// Is the line a comment by now?
fn in_comment(before: &str) -> bool {
    let line = before.rsplit('\n').next().unwrap_or_default();
    line.trim_start().starts_with('#') || line.contains(" #")
}

/// What closes the braces and brackets that are open at the end of a text.
fn closing(text: &str) -> String {
    let mut open = Vec::new();
    let mut quote = None;
    for letter in text.chars() {
        match (quote, letter) {
            (Some(own), letter) if own == letter => quote = None,
            (Some(_), _) => {}
            (None, '"' | '\'') if !open.is_empty() => quote = Some(letter),
            (None, '{') => open.push('}'),
            (None, '[') => open.push(']'),
            (None, '}' | ']') => drop(open.pop()),
            _ => {}
        }
    }
    open.iter().rev().collect()
}

/// Where the word is.
fn find(node: &Node, at: &Pointer) -> Option<(Pointer, bool)> {
    match &node.kind {
        NodeKind::Text(text, _) => (text == WORD).then(|| (at.clone(), false)),
        NodeKind::Sequence(items, _) => {
            let mut items = items.iter().enumerate();
            items.find_map(|(index, item)| find(item, &at.index(index)))
        }
        NodeKind::Mapping(entries, _) => entries.iter().find_map(|entry| {
            if entry.key == WORD {
                return Some((at.clone(), true));
            }
            find(&entry.value, &at.field(&entry.key))
        }),
        _ => None,
    }
}

/// Is it the word in the place of the cursor?
pub(super) fn is_cursor(key: &str) -> bool {
    key == WORD
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<String> {
        let offset = text.find('▮').unwrap();
        let text = text.replace('▮', "");
        let shown = |gap: &Gap| {
            let kind = if gap.is_key { "key" } else { "value" };
            let word = text.get(gap.span.start..gap.span.end).unwrap();
            format!("{kind} {} <{word}>", gap.pointer)
        };
        gaps(&text, offset).iter().map(shown).collect()
    }

    #[test]
    fn what_is_written_is_a_key_or_a_value() {
        let table: &[(&str, &[&str])] = &[
            ("▮", &["key  <>", "value  <>"]),
            ("type: ▮", &["value /type <>"]),
            ("type: Me▮sh\nname: a", &["value /type <Mesh>"]),
            ("type: Mesh\nna▮", &["key  <na>"]),
            ("type: Mesh\nna▮me: a", &["key  <name>"]),
            ("spec:\n  to:\n  ▮\n", &["key /spec <>"]),
            (
                "spec:\n  to:\n    - ▮\n",
                &["key /spec/to/0 <>", "value /spec/to/0 <>"],
            ),
            ("spec:\n  a: 1\n  ▮\n  b: 2\n", &["key /spec <>"]),
            ("a: {▮}", &["key /a <>"]),
            ("a: {b: c, ▮", &["key /a <>"]),
            ("a: {b: {c: ▮\nd: e\n", &["value /a/b/c <>"]),
            ("a: {b: c▮}\nd: [\n", &["value /a/b <c>"]),
            ("a: b\n---\nc: d▮\n---\ne: f\n", &["value /c <d>"]),
            ("labels: {kuma.io/dis▮}", &["key /labels <kuma.io/dis>"]),
            ("a: \"▮\"", &["value /a <>"]),
            ("# a▮", &[]),
            ("a: b # c▮", &[]),
        ];
        for (text, expected) in table {
            assert_eq!(found(text), *expected, "{text}");
        }
    }
}
