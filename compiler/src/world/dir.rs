//! A directory, or one file, as a world. The only file of the compiler that reads the file system.
//!
//! Never follows a symbolic link and never opens anything but a regular file: what a repository holds must not make a check
//! read other places, or wait.

#![expect(
    clippy::disallowed_methods,
    reason = "this is the place where the compiler may touch files"
)]

use std::fs::{File, FileType, Metadata};
use std::io::Read;
use std::path::{Path, PathBuf};

use super::{Entry, EntryKind, World};

/// More than this of one file is never read; the compiler refuses larger ones by their size.
const MOST_BYTES: u64 = 2 * 1024 * 1024;

/// More documents than this are not listed: the compiler refuses a tenth of it.
const MOST_ENTRIES: usize = 200_000;

/// A directory.
#[derive(Debug, Clone)]
pub struct DirWorld {
    root: PathBuf,
}

/// One file, whatever stands beside it.
#[derive(Debug, Clone)]
pub struct FileWorld {
    path: PathBuf,
    name: String,
    size: u64,
}

impl DirWorld {
    /// The directory at a path.
    ///
    /// # Errors
    /// It is not there, cannot be listed, or is no directory; in words.
    pub fn open(root: &Path) -> Result<Self, String> {
        std::fs::read_dir(root).map_err(|error| words(&error))?;
        Ok(Self {
            root: root.to_path_buf(),
        })
    }
}

impl FileWorld {
    /// The file at a path.
    ///
    /// # Errors
    /// It is not there, is no regular file, or has a name that no document has; in words.
    pub fn open(path: &Path) -> Result<Self, String> {
        let metadata = std::fs::metadata(path).map_err(|error| words(&error))?;
        if !metadata.is_file() {
            return Err(format!("it is a {}", noun(metadata.file_type())));
        }
        let name = path.file_name().and_then(|name| name.to_str());
        let document = |name: &&str| is_document(Path::new(name)) && !name.starts_with('.');
        let name = name
            .filter(document)
            .ok_or("a document is in a file that ends in .yaml, .yml or .json")?;
        Ok(Self {
            path: path.to_path_buf(),
            name: name.to_owned(),
            size: metadata.len(),
        })
    }
}

impl World for FileWorld {
    fn entries(&self) -> Vec<Entry> {
        vec![Entry {
            path: self.name.clone(),
            kind: EntryKind::File { size: self.size },
        }]
    }

    fn read(&self, _: &str) -> Result<Vec<u8>, String> {
        // Who names a link means the file behind it.
        let metadata = std::fs::metadata(&self.path).map_err(|error| words(&error))?;
        bytes(&self.path, &metadata)
    }
}

impl World for DirWorld {
    fn entries(&self) -> Vec<Entry> {
        let mut found = Vec::new();
        let mut open = vec![(self.root.clone(), String::new())];
        while let Some((directory, prefix)) = open.pop() {
            let listed = match std::fs::read_dir(&directory) {
                Ok(listed) => listed,
                Err(error) => {
                    let kind = EntryKind::Unlisted {
                        reason: words(&error),
                    };
                    found.push(entry(prefix.trim_end_matches('/'), kind));
                    continue;
                }
            };
            for item in listed.flatten() {
                let name = item.file_name();
                if found.len() >= MOST_ENTRIES {
                    return found;
                }
                if name.as_encoded_bytes().starts_with(b".") {
                    continue;
                }
                let kind = item.file_type();
                if kind.as_ref().is_ok_and(FileType::is_file) && !is_document(Path::new(&name)) {
                    continue;
                }
                let path = format!("{prefix}{}", name.to_string_lossy());
                match (kind, name.to_str()) {
                    (Ok(kind), Some(_)) if kind.is_dir() => {
                        open.push((item.path(), format!("{path}/")));
                    }
                    (Ok(kind), _) if kind.is_symlink() => {
                        found.push(entry(&path, EntryKind::Symlink));
                    }
                    (_, None) => found.push(other(&path, "file whose name is not UTF-8")),
                    (Ok(kind), Some(_)) if kind.is_file() => {
                        // A file that is gone by now is reported when it is read.
                        let size = item.metadata().map_or(0, |metadata| metadata.len());
                        found.push(entry(&path, EntryKind::File { size }));
                    }
                    (Ok(kind), Some(_)) => found.push(other(&path, noun(kind))),
                    (Err(_), Some(_)) => found.push(other(&path, "file of unknown type")),
                }
            }
        }
        found
    }

    fn read(&self, path: &str) -> Result<Vec<u8>, String> {
        let path = self.root.join(path);
        let metadata = std::fs::symlink_metadata(&path).map_err(|error| words(&error))?;
        bytes(&path, &metadata)
    }
}

fn is_document(name: &Path) -> bool {
    let extension = name.extension().and_then(|extension| extension.to_str());
    matches!(extension, Some("json" | "yaml" | "yml"))
}

fn entry(path: &str, kind: EntryKind) -> Entry {
    Entry {
        path: path.to_owned(),
        kind,
    }
}

fn other(path: &str, what: &str) -> Entry {
    let what = what.to_owned();
    entry(path, EntryKind::Other { what })
}

/// Opening a pipe waits for a writer, so what it is has to be known before.
fn bytes(path: &Path, metadata: &Metadata) -> Result<Vec<u8>, String> {
    if !metadata.is_file() {
        return Err(format!("it is a {}", noun(metadata.file_type())));
    }
    let file = File::open(path).map_err(|error| words(&error))?;
    let mut bytes = Vec::new();
    file.take(MOST_BYTES)
        .read_to_end(&mut bytes)
        .map_err(|error| words(&error))?;
    if u64::try_from(bytes.len()).is_ok_and(|read| read == metadata.len()) {
        Ok(bytes)
    } else {
        Err("it changed while it was read".to_owned())
    }
}

#[cfg(unix)]
fn noun(kind: FileType) -> &'static str {
    use std::os::unix::fs::FileTypeExt;
    match kind {
        kind if kind.is_dir() => "directory",
        kind if kind.is_symlink() => "symbolic link",
        kind if kind.is_fifo() => "named pipe",
        kind if kind.is_socket() => "socket",
        kind if kind.is_file() => "file",
        _ => "device",
    }
}

#[cfg(not(unix))]
fn noun(kind: FileType) -> &'static str {
    match kind {
        kind if kind.is_dir() => "directory",
        kind if kind.is_symlink() => "symbolic link",
        kind if kind.is_file() => "file",
        _ => "device",
    }
}

/// Without the number of the operating system.
fn words(error: &std::io::Error) -> String {
    use std::io::ErrorKind as K;
    match error.kind() {
        K::NotFound => "no such file or directory".to_owned(),
        K::PermissionDenied => "permission denied".to_owned(),
        K::NotADirectory => "it is not a directory".to_owned(),
        _ => {
            let text = error.to_string();
            match text.split_once(" (os error") {
                Some((text, _)) => text.to_lowercase(),
                None => text,
            }
        }
    }
}
