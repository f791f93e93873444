//! What is checked before any parser sees a file: that it is text.
//!
//! Never repairs: a byte that does not belong is a finding with its place. A byte order mark is the one thing removed.

use super::Span;

/// Why a file is not text.
#[derive(Debug)]
pub(super) struct Flaw {
    pub(super) span: Span,
    pub(super) message: String,
    pub(super) help: String,
}

/// The text of a file, and what is wrong with it first.
pub(super) fn text(bytes: Vec<u8>) -> (String, Option<Flaw>) {
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        let flaw = Flaw {
            span: Span::default(),
            message: "this file is UTF-16, not UTF-8".to_owned(),
            help: "save it as UTF-8".to_owned(),
        };
        return (String::new(), Some(flaw));
    }
    match String::from_utf8(bytes) {
        Ok(text) => {
            let text = match text.strip_prefix('\u{feff}') {
                Some(rest) => rest.to_owned(),
                None => text,
            };
            let flaw = control(&text);
            (text, flaw)
        }
        Err(error) => {
            let start = error.utf8_error().valid_up_to();
            let byte = error.as_bytes().get(start).copied().unwrap_or_default();
            let text = String::from_utf8_lossy(error.as_bytes()).into_owned();
            // An earlier control character tells more: the file is no text at all.
            let earlier = text.get(..start).and_then(control);
            let flaw = earlier.unwrap_or_else(|| Flaw {
                span: Span {
                    start,
                    end: start + char::REPLACEMENT_CHARACTER.len_utf8(),
                },
                message: format!("this file is not UTF-8: byte 0x{byte:02x} at offset {start}"),
                help: "save it as UTF-8".to_owned(),
            });
            (text, Some(flaw))
        }
    }
}

fn control(text: &str) -> Option<Flaw> {
    let (start, found) = text.char_indices().find(|(_, c)| forbidden(*c))?;
    let name = match found {
        '\0' => "the NUL character".to_owned(),
        other => format!("the control character U+{:04X}", u32::from(other)),
    };
    Some(Flaw {
        span: Span {
            start,
            end: start + found.len_utf8(),
        },
        message: format!("{name} cannot stand in a document"),
        help: "remove it; in a double-quoted text it can be written as an escape".to_owned(),
    })
}

/// What YAML calls not printable, of what people could meet.
fn forbidden(c: char) -> bool {
    match c {
        '\t' | '\n' | '\r' | '\u{85}' => false,
        other => other.is_control(),
    }
}
