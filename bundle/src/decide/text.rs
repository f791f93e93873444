//! Patterns over header values, query parameters and paths, compiled once.
//!
//! Never backtracks and never grows without bound: a pattern that needs more than [`SIZE_LIMIT`] is refused.

use std::borrow::Cow;

use regex::{Regex, RegexBuilder};

use crate::resource::TextMatch;

/// One compiled expression may take this many bytes; a route of a person needs a few hundred.
const SIZE_LIMIT: usize = 1 << 20;

/// A compiled [`TextMatch`].
#[derive(Debug, Clone)]
pub(super) enum Text {
    Exact(String),
    Prefix(String),
    Regex(Regex),
    Present,
    Absent,
}

impl Text {
    pub(super) fn compile(value: &TextMatch) -> Result<Self, String> {
        Ok(match value {
            TextMatch::Exact(text) => Self::Exact(text.clone()),
            TextMatch::Prefix(text) => Self::Prefix(text.clone()),
            TextMatch::Regex(pattern) => Self::Regex(full_match(pattern)?),
            TextMatch::Present => Self::Present,
            TextMatch::Absent => Self::Absent,
        })
    }

    /// Bytes that are not UTF-8 are compared as U+FFFD, so that `.*` or `[^x]*` cannot be escaped by one such byte.
    pub(super) fn matches(&self, value: Option<&[u8]>) -> bool {
        match (self, value) {
            (Self::Absent, value) => value.is_none(),
            (_, None) => false,
            (Self::Present, Some(_)) => true,
            (Self::Exact(text), Some(value)) => text.as_bytes() == value,
            (Self::Prefix(text), Some(value)) => value.starts_with(text.as_bytes()),
            (Self::Regex(regex), Some(value)) => regex.is_match(&String::from_utf8_lossy(value)),
        }
    }
}

/// Would a table with this expression compile? The compiler asks before it makes one.
///
/// # Errors
/// Why not, in words.
pub fn check_pattern(pattern: &str) -> Result<(), String> {
    full_match(pattern).map(|_| ())
}

/// Compiles an expression that must match the whole text.
pub(super) fn full_match(pattern: &str) -> Result<Regex, String> {
    let compile = |pattern: &str| RegexBuilder::new(pattern).size_limit(SIZE_LIMIT).build();
    // First alone: `a)|(b` is no expression, but between our parentheses it would become one.
    compile(pattern)
        .and_then(|_| compile(&format!(r"\A(?:{pattern})\z")))
        .map_err(|error| reason(&error))
}

fn reason(error: &regex::Error) -> String {
    match error {
        regex::Error::CompiledTooBig(_) => {
            format!("it needs more than {SIZE_LIMIT} bytes when compiled")
        }
        // Several lines that draw the place, the last of which says what is wrong.
        error => {
            let text = error.to_string();
            let last = text.lines().last().unwrap_or_default();
            last.strip_prefix("error: ").unwrap_or(last).to_owned()
        }
    }
}

/// The first value of a query parameter, with its escapes undone; a parameter without `=` is empty.
#[must_use]
pub fn parameter<'a>(query: &'a str, name: &str) -> Option<Cow<'a, [u8]>> {
    let pair = |pair: &'a str| pair.split_once('=').unwrap_or((pair, ""));
    let (_, value) = query
        .split('&')
        .map(pair)
        .find(|(key, _)| *decoded(key) == *name.as_bytes())?;
    Some(decoded(value))
}

/// `%41` is `A`; what is no escape stays, and so does `+`, which is a space to some servers only.
fn decoded(text: &str) -> Cow<'_, [u8]> {
    if !text.contains('%') {
        return Cow::Borrowed(text.as_bytes());
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        let escaped = if byte == b'%' {
            super::path::unescape(after)
        } else {
            None
        };
        bytes.push(escaped.unwrap_or(byte));
        rest = match escaped {
            Some(_) => after.get(2..).unwrap_or_default(),
            None => after,
        };
    }
    Cow::Owned(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values() {
        let check = |value: TextMatch, text: Option<&[u8]>, expected: bool| {
            let compiled = Text::compile(&value).unwrap();
            assert_eq!(compiled.matches(text), expected, "{value:?} on {text:?}");
        };
        let exact = || TextMatch::Exact("admin".to_owned());
        let prefix = |text: &str| TextMatch::Prefix(text.to_owned());
        let regex = |text: &str| TextMatch::Regex(text.to_owned());
        check(exact(), Some(b"admin"), true);
        check(exact(), Some(b"Admin"), false);
        check(exact(), Some(b"admin\xff"), false);
        check(exact(), Some(b"x,admin"), false);
        check(exact(), None, false);
        check(prefix("ad"), Some(b"admin"), true);
        check(prefix(""), Some(b""), true);
        check(prefix(""), None, false);
        check(regex("a.*n"), Some(b"admin"), true);
        check(regex("dmi"), Some(b"admin"), false);
        check(regex("a|admin"), Some(b"admin"), true);
        check(regex("admin.*"), Some(b"admin\xff"), true);
        check(regex("[^x]+"), Some(b"admin\xff"), true);
        check(regex(".*"), None, false);
        check(TextMatch::Present, Some(b""), true);
        check(TextMatch::Present, None, false);
        check(TextMatch::Absent, Some(b""), false);
        check(TextMatch::Absent, None, true);
    }

    #[test]
    fn refused_expressions_say_why() {
        for (pattern, expected) in [
            ("(", "unclosed group"),
            ("a)|(b", "unopened group"),
            ("(?=a)", "look-around"),
            (r"(a)\1", "backreferences are not supported"),
            (
                "(?:a{1000}){1000}",
                "it needs more than 1048576 bytes when compiled",
            ),
        ] {
            let reason = full_match(pattern).unwrap_err();
            assert!(
                reason.contains(expected) && !reason.contains('\n'),
                "{pattern}: {reason}"
            );
        }
    }

    #[test]
    fn the_first_parameter_counts() {
        let query = "a=1&b&a=2&c=%41%zz&%64=4&e=1+1";
        for (name, expected) in [
            ("a", Some("1")),
            ("b", Some("")),
            ("c", Some("A%zz")),
            ("d", Some("4")),
            ("e", Some("1+1")),
            ("A", None),
            ("", None),
        ] {
            assert_eq!(
                parameter(query, name).as_deref(),
                expected.map(str::as_bytes),
                "{name}"
            );
        }
    }
}
