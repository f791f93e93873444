//! The plain part of YAML, which is most of what people write: block mappings and lists of short texts on one line each.
//! Read here, it costs a fifth of what the whole language costs.
//!
//! Never guesses: of a text that has anything else in it, nothing is told, and the parser of the whole language reads it. What
//! is told is what that parser says of the same text.

use std::borrow::Cow;

use granit_parser::{Event, Placement, ScalarStyle, StructureStyle};

use super::Span;

/// Mappings and lists inside of each other. People write half of it; more may be told by whoever knows the limit.
const DEPTH: usize = 32;

/// A text that is not plain.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NotPlain;

type Told = Result<(), NotPlain>;

/// Tells the events of the one document in a text. After `NotPlain` none of them counts.
pub(super) fn read<'t>(text: &'t str, tell: impl FnMut(Event<'t>, Span) -> Told) -> Told {
    // Tabs, carriage returns and what is not ASCII have rules of their own.
    let known = |byte: u8| byte == b'\n' || (b' '..=b'~').contains(&byte);
    if !text.bytes().all(known) {
        return Err(NotPlain);
    }
    let mut reader = Reader {
        text,
        tell,
        open: Vec::new(),
        empty: None,
        begun: false,
    };
    let mut start = 0;
    for line in text.split('\n') {
        reader.line(start, line)?;
        start += line.len() + 1;
    }
    reader.end()
}

struct Reader<'t, F> {
    text: &'t str,
    tell: F,
    open: Vec<Open>,
    /// Where a value belongs that may stand on the next line.
    empty: Option<Empty>,
    begun: bool,
}

/// A mapping or list that goes on.
#[derive(Clone, Copy)]
struct Open {
    column: usize,
    list: bool,
}

/// A key or a dash with nothing after it.
#[derive(Clone, Copy)]
struct Empty {
    /// Where nothing stands.
    at: usize,
    /// Of the mapping or list.
    column: usize,
    list: bool,
}

impl<'t, F: FnMut(Event<'t>, Span) -> Told> Reader<'t, F> {
    fn line(&mut self, start: usize, line: &'t str) -> Told {
        let content = line.trim_start_matches(' ');
        let column = line.len() - content.len();
        let at = start + column;
        if content.is_empty() {
            return Ok(());
        }
        if content.starts_with('#') {
            return self.comment(at, content);
        }
        let marker = column == 0 && ["---", "...", "%"].iter().any(|m| content.starts_with(m));
        if marker {
            return Err(NotPlain);
        }
        if !self.begun {
            self.begun = true;
            self.say(Event::DocumentStart(false, None), at..at)?;
        }
        let dash = dash(content).is_some();
        let opens = match self.empty.take() {
            // A list may stand in the column of its key.
            Some(empty)
                if column > empty.column || (column == empty.column && dash && !empty.list) =>
            {
                true
            }
            Some(empty) => {
                self.null(empty)?;
                self.close(column, dash)?;
                false
            }
            None if self.open.is_empty() => true,
            None => {
                self.close(column, dash)?;
                false
            }
        };
        self.content(at, column, content, opens)
    }

    /// Ends what does not go on in a line, which then has to be a line of what does.
    fn close(&mut self, column: usize, dash: bool) -> Told {
        while let Some(open) = self.open.last().copied() {
            // A list in the column of its key ends where the next key stands.
            let goes_on = open.column < column || (open.column == column && (dash || !open.list));
            if goes_on {
                break;
            }
            self.pop(open)?;
        }
        let open = self.open.last();
        match open.is_some_and(|open| open.column == column && open.list == dash) {
            true => Ok(()),
            false => Err(NotPlain),
        }
    }

    fn pop(&mut self, open: Open) -> Told {
        self.open.pop();
        let end = self.text.len();
        let event = match open.list {
            true => Event::SequenceEnd,
            false => Event::MappingEnd,
        };
        self.say(event, end..end)
    }

    /// The rest of a line. `opens`: it begins something that is not open yet, or is a value.
    fn content(&mut self, at: usize, column: usize, content: &'t str, opens: bool) -> Told {
        let (mut at, mut column, mut content, mut opens) = (at, column, content, opens);
        while let Some(item) = dash(content) {
            let inside = content.len() - item.len();
            if opens {
                let parent = self.open.last();
                let beside = parent.is_some_and(|open| open.column == column && !open.list);
                if beside && (item.is_empty() || item.starts_with('#')) {
                    return Err(NotPlain);
                }
                // The parser says that such a list begins with its first item.
                let start = if beside { at + inside } else { at };
                self.push(Open { column, list: true })?;
                let event = Event::SequenceStart(StructureStyle::Block, 0, None);
                self.say(event, start..start)?;
            }
            if item.is_empty() || item.starts_with('#') {
                self.empty = Some(Empty {
                    at: at + 1,
                    column,
                    list: true,
                });
                return self.trailing(at + 1, content.get(1..).unwrap_or_default());
            }
            (at, column, content, opens) = (at + inside, column + inside, item, true);
        }
        let Some(key) = key(content) else {
            // Only a value can be without a key.
            return match opens
                && self
                    .open
                    .last()
                    .is_some_and(|open| open.list && open.column < column)
            {
                true => self.value(at, content),
                false => Err(NotPlain),
            };
        };
        if opens {
            self.push(Open {
                column,
                list: false,
            })?;
            let event = Event::MappingStart(StructureStyle::Block, 0, None);
            self.say(event, at..at)?;
        }
        let end = at + key.len();
        self.scalar(key, ScalarStyle::Plain, at..end)?;
        let rest = content.get(key.len() + 1..).unwrap_or_default();
        let value = rest.trim_start_matches(' ');
        if value.is_empty() || value.starts_with('#') {
            self.empty = Some(Empty {
                at: end,
                column,
                list: false,
            });
            return self.trailing(end + 1, rest);
        }
        self.value(end + 1 + (rest.len() - value.len()), value)
    }

    fn push(&mut self, open: Open) -> Told {
        // Deeper is further to the right, but for a list in the column of its key.
        let deeper = self.open.last().is_none_or(|last| {
            last.column < open.column || (last.column == open.column && open.list && !last.list)
        });
        self.open.push(open);
        match deeper && self.open.len() <= DEPTH {
            true => Ok(()),
            false => Err(NotPlain),
        }
    }

    /// A value on the line of its key or dash.
    fn value(&mut self, at: usize, value: &'t str) -> Told {
        let first = value.bytes().next().unwrap_or_default();
        if let quote @ (b'"' | b'\'') = first {
            return self.quoted(at, value, char::from(quote));
        }
        for (open, list) in [("{}", false), ("[]", true)] {
            if let Some(rest) = value.strip_prefix(open) {
                let (begin, end) = match list {
                    true => (
                        Event::SequenceStart(StructureStyle::Flow, 0, None),
                        Event::SequenceEnd,
                    ),
                    false => (
                        Event::MappingStart(StructureStyle::Flow, 0, None),
                        Event::MappingEnd,
                    ),
                };
                self.say(begin, at..at + 1)?;
                self.say(end, at + 1..at + 2)?;
                return self.trailing(at + 2, rest);
            }
        }
        if !(first.is_ascii_alphanumeric() || b"/_.$~".contains(&first)) {
            return Err(NotPlain);
        }
        let comment = value.find(" #").unwrap_or(value.len());
        let (plain, rest) = value.split_at_checked(comment).ok_or(NotPlain)?;
        let plain = plain.trim_end_matches(' ');
        if plain.contains(": ") || plain.ends_with(':') {
            return Err(NotPlain);
        }
        self.scalar(plain, ScalarStyle::Plain, at..at + plain.len())?;
        self.trailing(at + comment, rest)
    }

    /// A text in quotes with nothing special in it.
    fn quoted(&mut self, at: usize, value: &'t str, quote: char) -> Told {
        let (inside, rest) = value
            .get(1..)
            .and_then(|rest| rest.split_once(quote))
            .ok_or(NotPlain)?;
        let style = match quote {
            '"' => ScalarStyle::DoubleQuoted,
            _ => ScalarStyle::SingleQuoted,
        };
        if inside.contains('\\') {
            return Err(NotPlain);
        }
        let end = at + inside.len() + 2;
        self.scalar(inside, style, at..end)?;
        self.trailing(end, rest)
    }

    /// What follows a value: nothing, or a comment.
    fn trailing(&mut self, at: usize, rest: &'t str) -> Told {
        let comment = rest.trim_start_matches(' ');
        match comment.starts_with('#') && rest.starts_with(' ') {
            true => self.comment(at + (rest.len() - comment.len()), comment),
            false if comment.is_empty() => Ok(()),
            false => Err(NotPlain),
        }
    }

    fn comment(&mut self, at: usize, comment: &'t str) -> Told {
        let payload = Cow::Borrowed(comment.get(1..).unwrap_or_default());
        let event = Event::Comment(payload, Placement::Above);
        self.say(event, at..at + comment.len())
    }

    fn null(&mut self, empty: Empty) -> Told {
        // Where an item stands that is not there depends on what follows.
        match empty.list {
            true => Err(NotPlain),
            false => self.scalar("~", ScalarStyle::Plain, empty.at..empty.at),
        }
    }

    fn scalar(&mut self, text: &'t str, style: ScalarStyle, at: std::ops::Range<usize>) -> Told {
        self.say(Event::Scalar(Cow::Borrowed(text), style, 0, None), at)
    }

    fn say(&mut self, event: Event<'t>, at: std::ops::Range<usize>) -> Told {
        let span = Span {
            start: at.start,
            end: at.end,
        };
        (self.tell)(event, span)
    }

    fn end(mut self) -> Told {
        if !self.begun {
            return Err(NotPlain);
        }
        if let Some(empty) = self.empty.take() {
            self.null(empty)?;
        }
        while let Some(open) = self.open.last().copied() {
            self.pop(open)?;
        }
        Ok(())
    }
}

/// What follows a dash that begins an item.
fn dash(content: &str) -> Option<&str> {
    let rest = content.strip_prefix('-')?;
    (rest.is_empty() || rest.starts_with(' ')).then(|| rest.trim_start_matches(' '))
}

/// A key of letters and what names have, with a colon after it.
fn key(content: &str) -> Option<&str> {
    let in_name = |c: char| c.is_ascii_alphanumeric() || "_./-".contains(c);
    let end = content.find(|c: char| !in_name(c))?;
    let (key, rest) = content.split_at_checked(end)?;
    let after = rest.strip_prefix(':')?;
    let begins = key.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_' || c == '/');
    (begins && (after.is_empty() || after.starts_with(' '))).then_some(key)
}

#[cfg(test)]
mod tests;
