//! Places as editors count them: lines from 0, and in a line the units of the encoding that was agreed upon.
//!
//! Never points into the middle of a character or past the end of a line: what a client says is moved to the nearest place
//! before it.

use gen_lsp_types::{Position, PositionEncodingKind, Range};

use crate::source::Span;

/// What a line is counted in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Encoding {
    /// Bytes.
    Utf8,
    /// What every client understands.
    #[default]
    Utf16,
    /// Characters.
    Utf32,
}

/// Where the lines of a text begin. A line ends with `\n`, `\r\n` or `\r`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Lines {
    starts: Vec<usize>,
}

impl Encoding {
    /// The first that both sides know, in the order of what costs us least.
    pub(super) fn agreed(offered: &[&str]) -> Self {
        match offered {
            offered if offered.contains(&"utf-8") => Self::Utf8,
            offered if offered.contains(&"utf-16") => Self::Utf16,
            offered if offered.contains(&"utf-32") => Self::Utf32,
            _ => Self::default(),
        }
    }

    /// As the protocol calls it.
    pub(super) fn kind(self) -> PositionEncodingKind {
        match self {
            Self::Utf8 => PositionEncodingKind::UTF8,
            Self::Utf16 => PositionEncodingKind::UTF16,
            Self::Utf32 => PositionEncodingKind::UTF32,
        }
    }

    fn width(self, letter: char) -> usize {
        match self {
            Self::Utf8 => letter.len_utf8(),
            Self::Utf16 => letter.len_utf16(),
            Self::Utf32 => 1,
        }
    }
}

impl Lines {
    /// Of a text.
    pub(super) fn of(text: &str) -> Self {
        let mut starts = vec![0];
        let bytes = text.as_bytes();
        for (at, byte) in bytes.iter().enumerate() {
            let ends = match byte {
                b'\n' => true,
                b'\r' => bytes.get(at + 1) != Some(&b'\n'),
                _ => false,
            };
            if ends {
                starts.push(at + 1);
            }
        }
        Self { starts }
    }

    /// Where a byte is.
    pub(super) fn position(&self, text: &str, at: usize, encoding: Encoding) -> Position {
        let line = self.starts.partition_point(|start| *start <= at).max(1) - 1;
        let start = self.starts.get(line).copied().unwrap_or_default();
        let before = text.get(start..at.min(text.len())).unwrap_or_default();
        let units: usize = before.chars().map(|letter| encoding.width(letter)).sum();
        Position {
            line: brief(line),
            character: brief(units),
        }
    }

    /// Where a span is.
    pub(super) fn range(&self, text: &str, span: Span, encoding: Encoding) -> Range {
        Range {
            start: self.position(text, span.start, encoding),
            end: self.position(text, span.end.max(span.start), encoding),
        }
    }

    /// Which byte is meant.
    pub(super) fn offset(&self, text: &str, position: Position, encoding: Encoding) -> usize {
        let Some((start, line)) = self.line(text, position.line as usize) else {
            return text.len();
        };
        let mut left = position.character as usize;
        let mut at = start;
        for letter in line.chars() {
            let width = encoding.width(letter);
            if width > left {
                break;
            }
            left -= width;
            at += letter.len_utf8();
        }
        at
    }

    /// Which bytes are meant; none between what is the wrong way round.
    pub(super) fn span(&self, text: &str, range: Range, encoding: Encoding) -> Span {
        let start = self.offset(text, range.start, encoding);
        let end = self.offset(text, range.end, encoding).max(start);
        Span { start, end }
    }

    /// Where a line begins, and what stands in it, without its end.
    pub(super) fn line<'t>(&self, text: &'t str, line: usize) -> Option<(usize, &'t str)> {
        let start = *self.starts.get(line)?;
        let end = self.starts.get(line + 1).copied().unwrap_or(text.len());
        let line = text.get(start..end)?;
        Some((start, line.trim_end_matches(['\n', '\r'])))
    }
}

/// Texts of four billion lines are not read.
fn brief(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ALL: [Encoding; 3] = [Encoding::Utf8, Encoding::Utf16, Encoding::Utf32];

    fn at(line: u32, character: u32) -> Position {
        Position { line, character }
    }

    #[test]
    fn a_line_is_counted_as_agreed() {
        let text = "a\u{e9}\u{1f980}z\r\nb\rc\n";
        let lines = Lines::of(text);
        let z = text.find('z').unwrap();
        let found = ALL.map(|encoding| lines.position(text, z, encoding).character);
        assert_eq!(found, [7, 4, 3]);
        let b = text.find('b').unwrap();
        assert_eq!(lines.position(text, b, Encoding::Utf16), at(1, 0));
        assert_eq!(lines.position(text, b + 2, Encoding::Utf16), at(2, 0));
        let end = lines.position(text, text.len(), Encoding::Utf16);
        assert_eq!(end, at(3, 0));
    }

    #[test]
    fn what_is_not_there_is_the_nearest_place_before() {
        let text = "a\u{1f980}z\r\nb";
        let lines = Lines::of(text);
        let table = [
            (at(0, 2), 1),
            (at(0, 3), 5),
            (at(0, 99), 6),
            (at(1, 99), 9),
            (at(9, 0), 9),
        ];
        for (position, expected) in table {
            let found = lines.offset(text, position, Encoding::Utf16);
            assert_eq!(found, expected, "{position:?}");
        }
    }

    proptest! {
        #[test]
        fn there_and_back_is_the_same_place(text in "[ab\u{e9}\u{1f980}\r\n]{0,20}", which: prop::sample::Index) {
            let lines = Lines::of(&text);
            // Between `\r` and `\n` there is no place.
            let inside = |at: usize| at > 0 && text.get(at - 1..=at) == Some("\r\n");
            let places: Vec<usize> = (0..=text.len())
                .filter(|at| text.is_char_boundary(*at) && !inside(*at))
                .collect();
            let place = *which.get(&places);
            for encoding in ALL {
                let position = lines.position(&text, place, encoding);
                prop_assert_eq!(lines.offset(&text, position, encoding), place);
            }
        }
    }
}
