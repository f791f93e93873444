//! One line of a journal: a commit, as what it changed of the one before it.
//!
//! Never believed without its checksum: a disk may lie, and a kill may have come in the middle of it.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use mesh_bundle::Digest;
use serde::{Deserialize, Serialize};

use super::Snapshot;
use crate::candidate::Files;

const FORMAT: u32 = 2;

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Record {
    format: u32,
    revision: String,
    digest: Digest,
    /// Nothing of what stands before it counts.
    whole: bool,
    /// Base64: exact, whatever the bytes are. `null`: gone.
    files: BTreeMap<String, Option<String>>,
}

impl Record {
    /// A commit by itself.
    pub(super) fn whole(snapshot: &Snapshot) -> Self {
        Self {
            whole: true,
            ..Self::change(&Files::default(), snapshot)
        }
    }

    /// A commit after one with these files.
    pub(super) fn change(before: &Files, snapshot: &Snapshot) -> Self {
        let changes = snapshot.files.since(before);
        let text = |bytes: &[u8]| STANDARD.encode(bytes);
        let files = changes.map(|(path, bytes)| (path.to_owned(), bytes.map(text)));
        Self {
            format: FORMAT,
            revision: snapshot.revision.clone(),
            digest: snapshot.digest,
            whole: false,
            files: files.collect(),
        }
    }

    /// Its checksum, a space, JSON.
    pub(super) fn line(&self) -> Vec<u8> {
        // Texts and digests: this cannot fail.
        let json = serde_json::to_vec(self).unwrap_or_default();
        let mut line = format!("{} ", Digest::of(&json)).into_bytes();
        line.extend_from_slice(&json);
        line.push(b'\n');
        line
    }
}

/// What one line says.
#[derive(Debug)]
pub(super) struct Change {
    pub(super) revision: String,
    pub(super) digest: Digest,
    /// Nothing of what stands before it counts.
    pub(super) whole: bool,
    /// New bytes, or none where a file is gone.
    pub(super) files: Vec<(String, Option<Vec<u8>>)>,
}

impl Change {
    /// Of a line, which ends with its line break.
    ///
    /// # Errors
    /// It is not as it was written; in words.
    pub(super) fn read(line: &[u8]) -> Result<Self, String> {
        let line = line.strip_suffix(b"\n").ok_or("it is cut off")?;
        let text = std::str::from_utf8(line).map_err(|error| error.to_string())?;
        let (checksum, json) = text.split_once(' ').ok_or("it has no checksum")?;
        if checksum != Digest::of(json.as_bytes()).to_string() {
            return Err("its checksum does not match".to_owned());
        }
        let record: Record = serde_json::from_str(json).map_err(|error| error.to_string())?;
        if record.format != FORMAT {
            return Err(format!("it has format {}", record.format));
        }
        let decode = |(path, encoded): (String, Option<String>)| {
            let bytes = encoded.map(|encoded| STANDARD.decode(encoded));
            Ok((path, bytes.transpose()?))
        };
        let files: Result<_, base64::DecodeError> = record.files.into_iter().map(decode).collect();
        Ok(Self {
            revision: record.revision,
            digest: record.digest,
            whole: record.whole,
            files: files.map_err(|error| error.to_string())?,
        })
    }
}
