//! The last good commit, as files: what meshd starts with when git is away.
//!
//! Never holds a compiled bundle: the documents are compiled again, by whatever version reads them.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use mesh_bundle::Digest;
use serde::{Deserialize, Serialize};

use crate::candidate::Files;
use crate::state::{StateDir, StateFailure};

/// The last commit that everybody was given.
pub(crate) const GOOD: &str = "published.json";
/// The commit that is being rolled out.
pub(crate) const NEXT: &str = "next.json";
const FORMAT: u32 = 1;

/// One commit that was published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Snapshot {
    pub(crate) revision: String,
    /// Of the bundle that these files were compiled to when they were published.
    pub(crate) digest: Digest,
    /// What the compiler read.
    pub(crate) files: Files,
}

#[derive(Serialize, Deserialize)]
struct Text {
    format: u32,
    revision: String,
    digest: Digest,
    /// Over paths and contents: a disk may lie.
    checksum: Digest,
    /// Base64: exact, whatever the bytes are.
    files: BTreeMap<String, String>,
}

impl Snapshot {
    pub(crate) fn write(&self, state: &StateDir, file: &str) -> Result<(), StateFailure> {
        let files = self.files.iter();
        let files: BTreeMap<String, String> = files
            .map(|(path, bytes)| (path.to_owned(), STANDARD.encode(bytes)))
            .collect();
        let text = Text {
            format: FORMAT,
            revision: self.revision.clone(),
            digest: self.digest,
            checksum: checksum(&files),
            files,
        };
        // Texts and digests: this cannot fail.
        state.write(file, &serde_json::to_vec(&text).unwrap_or_default())
    }

    /// What was published last; `None` where nothing was. A damaged file is an error in words, for the log: git still has
    /// everything.
    pub(crate) fn read(state: &StateDir, file: &str) -> Result<Option<Self>, String> {
        let Some(bytes) = state.read(file).map_err(|error| error.to_string())? else {
            return Ok(None);
        };
        let damaged = |why: &dyn std::fmt::Display| format!("`{file}` is damaged: {why}");
        let text: Text = serde_json::from_slice(&bytes).map_err(|error| damaged(&error))?;
        if text.format != FORMAT {
            return Err(format!("`{file}` has format {}", text.format));
        }
        if checksum(&text.files) != text.checksum {
            return Err(damaged(&"its checksum does not match"));
        }
        let decode = |(path, encoded): (String, String)| Ok((path, STANDARD.decode(encoded)?));
        let files: Result<Files, base64::DecodeError> =
            text.files.into_iter().map(decode).collect();
        Ok(Some(Self {
            revision: text.revision,
            digest: text.digest,
            files: files.map_err(|error| damaged(&error))?,
        }))
    }
}

fn checksum(files: &BTreeMap<String, String>) -> Digest {
    let mut bytes = Vec::new();
    for (path, encoded) in files {
        bytes.extend_from_slice(path.as_bytes());
        bytes.push(0);
        bytes.extend_from_slice(encoded.as_bytes());
        bytes.push(0);
    }
    Digest::of(&bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_kept_comes_back_and_damage_is_noticed() {
        let directory = tempfile::tempdir().unwrap();
        let state = StateDir::open(directory.path()).unwrap();
        assert_eq!(Snapshot::read(&state, GOOD), Ok(None));
        let file = ("a/b.yaml".to_owned(), b"type: Mesh\xff\n".to_vec());
        let snapshot = Snapshot {
            revision: "c3d1".to_owned(),
            digest: Digest::of(b"bundle"),
            files: std::iter::once(file).collect(),
        };
        snapshot.write(&state, GOOD).unwrap();
        assert_eq!(Snapshot::read(&state, GOOD), Ok(Some(snapshot)));
        let text = String::from_utf8(state.read(GOOD).unwrap().unwrap().to_vec()).unwrap();
        for (damaged, expected) in [
            (text.replace("a/b.yaml", "a/c.yaml"), "checksum"),
            (text.replace("\"format\":1", "\"format\":2"), "has format 2"),
            (text.chars().take(40).collect(), "is damaged"),
            (String::new(), "is damaged"),
        ] {
            state.write(GOOD, damaged.as_bytes()).unwrap();
            let why = Snapshot::read(&state, GOOD).unwrap_err();
            assert!(why.contains(expected), "{why}");
        }
    }
}
