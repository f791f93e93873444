//! A directory, or some files, as a world. The only file of the compiler that reads the file system.
//!
//! Never follows a symbolic link and never opens anything but a regular file: what a repository holds must not make a check
//! read other places, or wait.

#![expect(
    clippy::disallowed_methods,
    reason = "this is the place where the compiler may touch files"
)]

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::{File, FileType, Metadata};
use std::io::Read;
use std::path::{Component, Path, PathBuf};

use super::{ConfigFile, Entry, EntryKind, World};
use crate::config::FILE;
use crate::source::has_extension;

/// More than this of one file is never read; the compiler refuses larger ones by their size.
pub(crate) const MOST_BYTES: u64 = 2 * 1024 * 1024;

/// More documents than this are not listed: the compiler refuses a tenth of it.
const MOST_ENTRIES: usize = 200_000;

const NO_DOCUMENT: &str = "a document is in a file that ends in .yaml, .yml or .json";

const HIDDEN: &str = "what is hidden, as a name that begins with a dot is, holds no documents";

/// A directory.
#[derive(Debug, Clone)]
pub struct DirWorld {
    root: PathBuf,
}

/// Some files, whatever stands beside them.
#[derive(Debug, Clone)]
pub struct FilesWorld {
    /// By the name to show: where it is, and its size.
    files: BTreeMap<String, (PathBuf, u64)>,
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

impl DirWorld {
    /// Where a file is.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// What a document would be called that may not be there yet.
    ///
    /// # Errors
    /// It is not in this directory, or no document; in words.
    pub(crate) fn name(&self, path: &Path) -> Result<String, String> {
        let root = self.root.canonicalize().map_err(|error| words(&error))?;
        let path = std::path::absolute(path).map_err(|error| words(&error))?;
        let mut above = path.ancestors();
        let real = above.find_map(|above| Some((above, above.canonicalize().ok()?)));
        let (there, real) = real.ok_or("no such file or directory")?;
        let rest = path.strip_prefix(there).unwrap_or(Path::new(""));
        let whole = real.join(rest);
        let inside = whole
            .strip_prefix(&root)
            .map_err(|_| format!("it is not in {}", self.root.display()))?;
        let parts: Option<Vec<&str>> = inside.iter().map(OsStr::to_str).collect();
        let parts = parts.ok_or("its name is not UTF-8")?;
        if !has_extension(inside) {
            return Err(NO_DOCUMENT.to_owned());
        }
        if parts.iter().any(|part| part.starts_with('.')) {
            return Err(HIDDEN.to_owned());
        }
        Ok(parts.join("/"))
    }
}

impl FilesWorld {
    /// What the files are called.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.files.keys().map(String::as_str)
    }

    /// Where a file is.
    pub(crate) fn path(&self, name: &str) -> Option<PathBuf> {
        self.files.get(name).map(|(path, _)| path.clone())
    }

    /// The files at some paths.
    ///
    /// # Errors
    /// The first that is not there, is no regular file, or has a name that no document has; in words.
    pub fn open(paths: &[PathBuf]) -> Result<Self, (PathBuf, String)> {
        let mut files = BTreeMap::new();
        for path in paths {
            let (name, size) = document(path).map_err(|reason| (path.clone(), reason))?;
            let known = files.insert(name, (path.clone(), size));
            if known.is_some_and(|(other, _)| other != *path) {
                let reason = "another file has the same name; give them one by one".to_owned();
                return Err((path.clone(), reason));
            }
        }
        Ok(Self { files })
    }
}

/// The name to show for a file, and its size.
fn document(path: &Path) -> Result<(String, u64), String> {
    let metadata = std::fs::metadata(path).map_err(|error| words(&error))?;
    if !metadata.is_file() {
        return Err(format!("it is a {}", noun(metadata.file_type())));
    }
    let hidden = |part: &OsStr| part.as_encoded_bytes().starts_with(b".");
    if !has_extension(path) {
        return Err(NO_DOCUMENT.to_owned());
    }
    if path.file_name().is_none_or(hidden) {
        return Err(HIDDEN.to_owned());
    }
    // As it was given, but for what would hide it: the compiler skips hidden directories, and whoever names a file in one
    // means it.
    let parts: Vec<_> = path.components().map(Component::as_os_str).collect();
    let shown = parts.rsplit(|part| hidden(part)).next().unwrap_or_default();
    let shown: PathBuf = shown.iter().collect();
    let name = shown.to_str().ok_or("its name is not UTF-8")?;
    Ok((name.to_owned(), metadata.len()))
}

impl World for FilesWorld {
    fn entries(&self) -> Cow<'_, [Entry]> {
        let files = self.files.iter();
        files
            .map(|(name, (_, size))| entry(name, file(*size)))
            .collect()
    }

    fn read(&self, name: &str) -> Result<Vec<u8>, String> {
        let (path, _) = self.files.get(name).ok_or("no such file")?;
        // Who names a link means the file behind it.
        let metadata = std::fs::metadata(path).map_err(|error| words(&error))?;
        bytes(path, &metadata)
    }

    /// That of the first file: pre-commit names those of one repository.
    fn config(&self) -> Result<Option<ConfigFile>, String> {
        let first = self.files.values().next();
        let directory = first.and_then(|(path, _)| path.parent());
        match directory {
            Some(directory) if directory.as_os_str().is_empty() => config(Path::new(".")),
            Some(directory) => config(directory),
            // What is read from a pipe is as good as here.
            None => config(Path::new(".")),
        }
    }
}

impl World for DirWorld {
    fn entries(&self) -> Cow<'_, [Entry]> {
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
            let is_top = prefix.is_empty();
            if !is_top && std::fs::symlink_metadata(directory.join(".git")).is_ok() {
                let path = prefix.trim_end_matches('/');
                found.push(entry(path, EntryKind::Submodule));
                continue;
            }
            for item in listed.flatten() {
                let name = item.file_name();
                if found.len() >= MOST_ENTRIES {
                    return found.into();
                }
                if name.as_encoded_bytes().starts_with(b".") {
                    continue;
                }
                let kind = item.file_type();
                if kind.as_ref().is_ok_and(FileType::is_file) && !has_extension(Path::new(&name)) {
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
                    (Ok(kind), None) if kind.is_dir() => {
                        found.push(entry(&path, EntryKind::unnamed()));
                    }
                    (_, None) => found.push(other(&path, "file whose name is not UTF-8")),
                    (Ok(kind), Some(_)) if kind.is_file() => {
                        // A file that is gone by now is reported when it is read.
                        let size = item.metadata().map_or(0, |metadata| metadata.len());
                        found.push(entry(&path, file(size)));
                    }
                    (Ok(kind), Some(_)) => found.push(other(&path, noun(kind))),
                    (Err(_), Some(_)) => found.push(other(&path, "file of unknown type")),
                }
            }
        }
        found.into()
    }

    fn read(&self, path: &str) -> Result<Vec<u8>, String> {
        let path = self.root.join(path);
        let metadata = std::fs::symlink_metadata(&path).map_err(|error| words(&error))?;
        bytes(&path, &metadata)
    }

    fn config(&self) -> Result<Option<ConfigFile>, String> {
        config(&self.root)
    }

    fn shared(&self) -> Option<&(dyn World + Sync)> {
        Some(self)
    }
}

/// The nearest settings from a directory up to the top of its work tree; outside of one, of the directory alone.
fn config(directory: &Path) -> Result<Option<ConfigFile>, String> {
    let directory = directory.canonicalize().map_err(|error| words(&error))?;
    let top = directory
        .ancestors()
        .find(|above| above.join(".git").exists());
    let top = top.unwrap_or(&directory);
    let upwards = directory
        .ancestors()
        .take_while(|above| above.starts_with(top));
    for above in upwards {
        let file = above.join(FILE);
        let metadata = match std::fs::symlink_metadata(&file) {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            Err(error) => return Err(words(&error)),
        };
        let inside = file.strip_prefix(top).unwrap_or(&file);
        let parts: Option<Vec<&str>> = inside.iter().map(|part| part.to_str()).collect();
        let path = parts
            .ok_or("the name of its directory is not UTF-8")?
            .join("/");
        let bytes = bytes(&file, &metadata)?;
        return Ok(Some(ConfigFile { path, bytes }));
    }
    Ok(None)
}

fn entry(path: &str, kind: EntryKind) -> Entry {
    Entry {
        path: path.to_owned(),
        kind,
    }
}

/// Only reading tells what is in it.
fn file(size: u64) -> EntryKind {
    EntryKind::File {
        size,
        version: None,
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
