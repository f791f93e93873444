//! The Dataplane document that a proxy registers: a text with placeholders, filled in from the environment.
//!
//! Never parsed here: a proxy reads no YAML. meshd judges what is sent.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// What the protocol carries.
const MOST_BYTES: usize = 64 << 10;

/// Why the document cannot be sent.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoDocument {
    #[error("dataplane file `{0}` cannot be read: {1}")]
    Unreadable(PathBuf, io::Error),
    #[error("dataplane file `{0}`: {1}")]
    Unfilled(PathBuf, Unfilled),
}

/// Why the placeholders cannot be filled in.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unfilled {
    #[error("it is larger than {MOST_BYTES} bytes")]
    TooLarge,
    #[error("line {0}: `${{` begins no placeholder; write `${{NAME}}`, letters, digits and `_`")]
    Malformed(usize),
    #[error("line {line}: the environment has no variable `{name}`")]
    Unset { line: usize, name: String },
    #[error(
        "line {line}: variable `{name}` holds a control character, which could change the meaning of the document"
    )]
    Control { line: usize, name: String },
}

/// Reads the file and fills it in.
pub(crate) fn read(
    path: &Path,
    variable: impl Fn(&str) -> Option<String>,
) -> Result<Vec<u8>, NoDocument> {
    let unreadable = |error| NoDocument::Unreadable(path.to_owned(), error);
    let mut text = String::new();
    File::open(path)
        .map_err(unreadable)?
        .take(MOST_BYTES as u64 + 1)
        .read_to_string(&mut text)
        .map_err(unreadable)?;
    let filled =
        fill(&text, variable).map_err(|error| NoDocument::Unfilled(path.to_owned(), error))?;
    Ok(filled.into_bytes())
}

fn fill(text: &str, variable: impl Fn(&str) -> Option<String>) -> Result<String, Unfilled> {
    let mut filled = String::with_capacity(text.len());
    let mut line = 1;
    let mut parts = text.split("${");
    let first = parts.next().unwrap_or_default();
    line += first.matches('\n').count();
    filled.push_str(first);
    for part in parts {
        let (name, rest) = part.split_once('}').ok_or(Unfilled::Malformed(line))?;
        if !is_name(name) {
            return Err(Unfilled::Malformed(line));
        }
        let name = name.to_owned();
        let Some(value) = variable(&name) else {
            return Err(Unfilled::Unset { line, name });
        };
        if value.chars().any(char::is_control) {
            return Err(Unfilled::Control { line, name });
        }
        filled.push_str(&value);
        filled.push_str(rest);
        line += rest.matches('\n').count();
        if filled.len() > MOST_BYTES {
            break;
        }
    }
    if filled.len() > MOST_BYTES {
        return Err(Unfilled::TooLarge);
    }
    Ok(filled)
}

fn is_name(text: &str) -> bool {
    let word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    text.bytes().all(word) && !text.is_empty() && !text.starts_with(|c: char| c.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::{MOST_BYTES, Unfilled, fill};

    fn variable(name: &str) -> Option<String> {
        match name {
            "IP" => Some("10.0.0.7".to_owned()),
            "EMPTY" => Some(String::new()),
            "LINES" => Some("a\nb: c".to_owned()),
            "LONG" => Some("x".repeat(MOST_BYTES)),
            _ => None,
        }
    }

    #[test]
    fn placeholders_are_filled_in() {
        let filled = |text| fill(text, variable);
        assert_eq!(
            filled("a: ${IP}\nb: $5 {x}\n").unwrap(),
            "a: 10.0.0.7\nb: $5 {x}\n"
        );
        assert_eq!(filled("${IP}${IP}${EMPTY}").unwrap(), "10.0.0.710.0.0.7");
        assert_eq!(filled("").unwrap(), "");
    }

    #[test]
    fn what_cannot_be_filled_in_is_named() {
        let wrong = |text: &str| fill(text, variable).unwrap_err();
        let unset = |line, name: &str| Unfilled::Unset {
            line,
            name: name.to_owned(),
        };
        assert_eq!(wrong("a\nb: ${GONE}"), unset(2, "GONE"));
        assert_eq!(wrong("a: ${IP}\n\n${GONE}\n"), unset(3, "GONE"));
        for text in [
            "${", "${}", "${a-b}", "${1A}", "${IP", "${ IP }", "${${IP}}",
        ] {
            assert_eq!(wrong(text), Unfilled::Malformed(1), "{text}");
        }
        assert!(matches!(wrong("${LINES}"), Unfilled::Control { .. }));
        assert_eq!(wrong("x${LONG}"), Unfilled::TooLarge);
        assert_eq!(wrong(&"x".repeat(MOST_BYTES + 1)), Unfilled::TooLarge);
    }
}
