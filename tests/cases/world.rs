//! A repository in memory that can also hold what no text is.
//!
//! Never reads what is declared too large: like a directory, it knows the size before.

use std::borrow::Cow;
use std::collections::BTreeMap;

use mesh_compiler::World;
use mesh_compiler::config::FILE;
use mesh_compiler::world::{ConfigFile, Entry, EntryKind};

/// The files of one case.
#[derive(Debug, Default)]
pub(super) struct CaseWorld {
    pub(super) files: BTreeMap<String, CaseFile>,
}

/// One file of it.
#[derive(Debug, Default, Clone)]
pub(super) struct CaseFile {
    pub(super) text: String,
    /// A size that is declared; reading it would be an error of the compiler.
    pub(super) size: Option<u64>,
    /// `\xNN` in the text is a byte.
    pub(super) escaped: bool,
    /// `symlink`, `pipe` or `unreadable`.
    pub(super) special: Option<String>,
}

impl CaseFile {
    fn bytes(&self) -> Vec<u8> {
        if !self.escaped {
            return self.text.as_bytes().to_vec();
        }
        let mut parts = self.text.split("\\x");
        let mut bytes = parts.next().unwrap_or_default().as_bytes().to_vec();
        for part in parts {
            let (digits, rest) = part.split_at(2);
            bytes.push(u8::from_str_radix(digits, 16).expect("two hexadecimal digits"));
            bytes.extend_from_slice(rest.as_bytes());
        }
        bytes
    }
}

impl World for CaseWorld {
    fn entries(&self) -> Cow<'_, [Entry]> {
        let kind = |file: &CaseFile| match file.special.as_deref() {
            Some("symlink") => EntryKind::Symlink,
            Some("pipe") => EntryKind::Other {
                what: "named pipe".to_owned(),
            },
            _ => EntryKind::File {
                size: file.size.unwrap_or(file.bytes().len() as u64),
                version: None,
            },
        };
        let entry = |(path, file): (&String, &CaseFile)| Entry {
            path: path.clone(),
            kind: kind(file),
        };
        self.files.iter().map(entry).collect()
    }

    fn config(&self) -> Result<Option<ConfigFile>, String> {
        let file = self.files.get(FILE);
        Ok(file.map(|file| ConfigFile {
            path: FILE.to_owned(),
            bytes: file.bytes(),
        }))
    }

    fn read(&self, path: &str) -> Result<Vec<u8>, String> {
        let file = &self.files[path];
        assert!(file.size.is_none(), "{path} must not be read");
        match file.special.as_deref() {
            None => Ok(file.bytes()),
            Some(_) => Err("permission denied".to_owned()),
        }
    }
}
