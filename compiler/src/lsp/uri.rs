//! Names of files as editors write them, `file:///mesh/a%20b.yaml`, and as the file system has them.
//!
//! Never asks whether a file is there.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// The path that a URI names; `None` for what is not in the file system, such as a buffer without a name.
pub(super) fn path(uri: &str) -> Option<PathBuf> {
    let rest = uri.strip_prefix("file://")?;
    let rest = rest.split(['?', '#']).next().unwrap_or_default();
    let slash = rest.find('/')?;
    let (host, path) = rest.split_at(slash);
    if !matches!(host, "" | "localhost") {
        return None;
    }
    let path = decoded(path)?;
    let drive = path.strip_prefix('/').filter(|rest| has_drive(rest));
    Some(PathBuf::from(drive.unwrap_or(&path)))
}

/// The URI of a path.
pub(super) fn of(path: &Path) -> String {
    let text = path.to_string_lossy().replace('\\', "/");
    let mut uri = String::from("file://");
    if has_drive(&text) {
        uri.push('/');
    }
    for byte in text.bytes() {
        match byte {
            b'/' | b'-' | b'.' | b'_' | b'~' => uri.push(char::from(byte)),
            byte if byte.is_ascii_alphanumeric() => uri.push(char::from(byte)),
            // Writing into a string cannot fail.
            byte => drop(write!(uri, "%{byte:02X}")),
        }
    }
    uri
}

/// `C:`, as paths begin on Windows.
fn has_drive(path: &str) -> bool {
    let mut bytes = path.bytes();
    bytes.next().is_some_and(|b| b.is_ascii_alphabetic()) && bytes.next() == Some(b':')
}

fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let mut digit = || char::from(rest.next()?).to_digit(16);
        let value = digit()? * 16 + digit()?;
        bytes.push(u8::try_from(value).ok()?);
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_and_uris_name_the_same() {
        let table = [
            ("file:///mesh/api.yaml", "/mesh/api.yaml"),
            ("file:///mesh/a%20b%C3%A9.yaml", "/mesh/a b\u{e9}.yaml"),
            ("file:///100%25/%23a.yaml", "/100%/#a.yaml"),
        ];
        for (uri, path_text) in table {
            assert_eq!(path(uri), Some(PathBuf::from(path_text)), "{uri}");
            assert_eq!(of(Path::new(path_text)), uri);
        }
    }

    #[test]
    fn what_editors_write_otherwise_is_understood() {
        let table = [
            ("file://localhost/a.yaml", Some("/a.yaml")),
            ("file:///c%3A/mesh/a.yaml", Some("c:/mesh/a.yaml")),
            ("file:///a.yaml#L3", Some("/a.yaml")),
            ("file://server/share/a.yaml", None),
            ("untitled:Untitled-1", None),
            ("file:///a%2", None),
            ("file:///a%ff", None),
            ("", None),
        ];
        for (uri, expected) in table {
            assert_eq!(path(uri), expected.map(PathBuf::from), "{uri}");
        }
    }
}
