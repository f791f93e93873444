//! What a proxy tells of a request that it does not serve: the value of the header `x-mesh-refusal`.
//!
//! Never holds what a client wrote: codes and revisions are ours, resources and files are those of the repository.

use std::fmt;
use std::fmt::Write as _;
use std::str::FromStr;

use crate::origin::Origin;

/// The header of a response that a proxy gave instead of whoever was asked.
pub const REFUSAL_HEADER: &str = "x-mesh-refusal";

/// Why a request was not served. Written as an item of RFC 8941 with parameters:
/// `permission;inbound="http";policy="kri_mtp_default___api_";origin="api/permission.yaml:12";revision="c3d1"`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RefusalNote {
    /// The row of the table of refusals, such as `permission`.
    pub code: String,
    /// The inbound at which it was refused.
    pub inbound: Option<String>,
    /// The service that it was refused on the way to.
    pub destination: Option<String>,
    /// The KRI of the resource that said so.
    pub policy: Option<String>,
    /// The place in the repository that said so: `file:line`, or a name where there is no line.
    pub origin: Option<String>,
    /// The commit that was obeyed.
    pub revision: Option<String>,
}

/// Why a text is no such value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected `CODE;name=\"value\";…`, as a response has it in `{REFUSAL_HEADER}`")]
pub struct MalformedNote;

impl RefusalNote {
    /// A note that names nothing but the code.
    #[must_use]
    pub fn of(code: &str) -> Self {
        Self {
            code: code.to_owned(),
            ..Self::default()
        }
    }

    /// With what caused it.
    #[must_use]
    pub fn caused_by(self, origin: &Origin) -> Self {
        Self {
            policy: Some(origin.resource.to_string()),
            origin: Some(origin.to_string()),
            ..self
        }
    }

    /// The file and the line; `None` where nothing is named, or what has no line.
    #[must_use]
    pub fn line(&self) -> Option<(&str, u32)> {
        let (file, line) = self.origin.as_deref()?.rsplit_once(':')?;
        Some((file, line.parse().ok().filter(|line| *line > 0)?))
    }

    fn parameters(&self) -> [(&'static str, &Option<String>); 5] {
        [
            ("inbound", &self.inbound),
            ("destination", &self.destination),
            ("policy", &self.policy),
            ("origin", &self.origin),
            ("revision", &self.revision),
        ]
    }

    fn parameter(&mut self, name: &str) -> Option<&mut Option<String>> {
        match name {
            "inbound" => Some(&mut self.inbound),
            "destination" => Some(&mut self.destination),
            "policy" => Some(&mut self.policy),
            "origin" => Some(&mut self.origin),
            "revision" => Some(&mut self.revision),
            _ => None,
        }
    }
}

impl fmt::Display for RefusalNote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.code)?;
        for (name, value) in self.parameters() {
            if let Some(value) = value {
                write!(f, ";{name}=\"")?;
                value.chars().try_for_each(|char| escape(char, f))?;
                f.write_char('"')?;
            }
        }
        Ok(())
    }
}

/// A header has visible ASCII only; names of files have more.
fn escape(char: char, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match char {
        '"' | '\\' => write!(f, "\\{char}"),
        '%' => f.write_str("%25"),
        ' '..='~' => f.write_char(char),
        _ => {
            let mut bytes = [0; 4];
            let mut encoded = char.encode_utf8(&mut bytes).bytes();
            encoded.try_for_each(|byte| write!(f, "%{byte:02X}"))
        }
    }
}

impl FromStr for RefusalNote {
    type Err = MalformedNote;

    /// Reads what a response says; the name of the header before it is allowed, as it is copied with it. Parameters that
    /// are not known, of a newer proxy, are passed over.
    fn from_str(text: &str) -> Result<Self, MalformedNote> {
        let text = text.trim().trim_start_matches("< ");
        let value = match text.split_once(':') {
            Some((name, value)) if name.trim().eq_ignore_ascii_case(REFUSAL_HEADER) => value.trim(),
            _ => text,
        };
        let (code, mut rest) = value.split_once(';').unwrap_or((value, ""));
        let is_code = |char: char| char.is_ascii_lowercase() || char == '-';
        if code.is_empty() || !code.chars().all(is_code) {
            return Err(MalformedNote);
        }
        let mut note = Self::of(code);
        while !rest.is_empty() {
            let (name, after) = rest.split_once("=\"").ok_or(MalformedNote)?;
            let (value, after) = unquote(after).ok_or(MalformedNote)?;
            if let Some(place) = note.parameter(name.trim()) {
                *place = Some(value);
            }
            let after = after.trim_start();
            rest = match after.strip_prefix(';') {
                Some(more) => more,
                None if after.is_empty() => "",
                None => return Err(MalformedNote),
            };
        }
        Ok(note)
    }
}

/// What stands before the closing quote, and what comes after it.
fn unquote(text: &str) -> Option<(String, &str)> {
    let mut bytes = Vec::new();
    let mut chars = text.char_indices();
    while let Some((at, char)) = chars.next() {
        match char {
            '"' => return Some((String::from_utf8(bytes).ok()?, text.get(at + 1..)?)),
            '\\' => bytes.push(u8::try_from(chars.next()?.1).ok()?),
            '%' => {
                let code = text.get(at + 1..at + 3)?;
                bytes.push(u8::from_str_radix(code, 16).ok()?);
                chars.nth(1)?;
            }
            ' '..='~' => bytes.push(u8::try_from(char).ok()?),
            _ => return None,
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_note_is_read_as_it_is_pasted() {
        let text = "permission;inbound=\"http\";policy=\"kri_mtp_default___api_\";origin=\"api/permission.yaml:12\"";
        for pasted in [
            text.to_owned(),
            format!("x-mesh-refusal: {text}"),
            format!("X-Mesh-Refusal:{text}\r\n"),
            // As `curl -v` shows it.
            format!("< x-mesh-refusal: {text}"),
            format!("{text};next=\"of a newer proxy\""),
        ] {
            let note: RefusalNote = pasted.parse().unwrap();
            assert_eq!(note.code, "permission");
            assert_eq!(note.line(), Some(("api/permission.yaml", 12)));
            assert_eq!(note.to_string(), text);
        }
    }

    #[test]
    fn what_is_no_note_is_refused() {
        for text in [
            "",
            "GET /",
            "permission;",
            "permission;origin",
            "permission;origin=\"a",
            "permission;origin=\"a\"b",
            "permission;origin=\"%4\"",
            "permission;origin=\"é\"",
        ] {
            let read = text.parse::<RefusalNote>();
            let complete = text == "permission;";
            assert_eq!(read.is_ok(), complete, "{text}");
        }
    }

    #[test]
    fn what_has_no_line_names_none() {
        for (origin, expected) in [
            (Some("a:b.yaml:3"), Some(("a:b.yaml", 3))),
            (Some("a.yaml:0"), None),
            (Some("default policy"), None),
            (None, None),
        ] {
            let note = RefusalNote {
                origin: origin.map(str::to_owned),
                ..RefusalNote::of("permission")
            };
            assert_eq!(note.line(), expected);
        }
    }

    proptest! {
        #[test]
        fn every_name_of_a_file_comes_back_over_a_header(origin in "\\PC{0,20}|[ -~]{0,20}", code in "[a-z-]{1,10}") {
            let note = RefusalNote { origin: Some(origin), revision: Some("c3".to_owned()), ..RefusalNote::of(&code) };
            let written = note.to_string();
            prop_assert!(written.bytes().all(|byte| (b' '..=b'~').contains(&byte)));
            prop_assert_eq!(written.parse(), Ok(note));
        }
    }
}
