//! Secrets that an operator keeps in files: read when they are needed, so that a new one needs no restart.
//!
//! Never kept longer than they are used, and never shown.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use zeroize::Zeroizing;

/// A larger file holds no secret that anybody types or makes.
const MOST_BYTES: u64 = 64 * 1024;

/// What stands in the file, without the white space at its ends.
///
/// # Errors
/// In words: it cannot be read, is empty, too large, or no text.
pub(crate) fn read(path: &Path) -> Result<Zeroizing<String>, String> {
    let refused = |why: &dyn std::fmt::Display| format!("the file `{}` {why}", path.display());
    let file = File::open(path).map_err(|error| refused(&format!("cannot be read: {error}")))?;
    // Of this size from the beginning: a text that grows leaves copies behind.
    let room = usize::try_from(MOST_BYTES).unwrap_or_default() + 1;
    let mut text = Zeroizing::new(String::with_capacity(room));
    let read = file.take(MOST_BYTES + 1).read_to_string(&mut text);
    read.map_err(|error| refused(&format!("cannot be read: {error}")))?;
    if text.len() as u64 > MOST_BYTES {
        return Err(refused(&format!("is larger than {MOST_BYTES} bytes")));
    }
    let trimmed = Zeroizing::new(text.trim().to_owned());
    if trimmed.is_empty() {
        return Err(refused(&"is empty"));
    }
    if trimmed.chars().any(char::is_control) {
        return Err(refused(&"holds more than one line"));
    }
    Ok(trimmed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_single_line_is_a_secret() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("secret");
        for (text, expected) in [
            ("word", Ok("word")),
            ("  a word \r\n", Ok("a word")),
            ("", Err("is empty")),
            (" \n", Err("is empty")),
            ("a\nb", Err("more than one line")),
            (&"x".repeat(70_000), Err("larger than")),
        ] {
            std::fs::write(&file, text).unwrap();
            match (read(&file), expected) {
                (Ok(found), Ok(expected)) => assert_eq!(found.as_str(), expected),
                (Err(why), Err(part)) => assert!(why.contains(part), "{why}"),
                other => panic!("{other:?}"),
            }
        }
        assert!(
            read(&directory.path().join("none"))
                .unwrap_err()
                .contains("cannot be read")
        );
    }
}
