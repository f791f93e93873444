//! One state file: a line that says what follows and its digest, then JSON.
//!
//! Never writes in place: a file is whole, or it is the one before. Never believes what it reads until the digest is right.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use mesh_bundle::Digest;
use serde::Serialize;
use serde::de::DeserializeOwned;
use zeroize::Zeroizing;

/// The first word of every file; the number changes with the meaning of what follows.
const FORMAT: &str = "mesh-proxy-state-1";

/// More than any configuration that meshd delivers; what is larger was not written by us.
const MOST_BYTES: u64 = 512 * 1024 * 1024;

/// Why a file is not used.
#[derive(Debug, thiserror::Error)]
pub(super) enum Damaged {
    #[error("it cannot be read: {0}")]
    Unreadable(#[from] io::Error),
    #[error("it is not a regular file")]
    NotAFile,
    #[error("it is larger than {MOST_BYTES} bytes")]
    TooLarge,
    #[error("it was written by another version, or is no state file")]
    Format,
    #[error("its content does not have the digest that its first line says")]
    Digest,
    #[error("its content has another shape: {0}")]
    Shape(#[from] serde_json::Error),
}

/// Reads a file; `None` when there is none.
pub(super) fn read<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, Damaged> {
    // Asked before opening: a FIFO would wait for a writer.
    let metadata = match fs::symlink_metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    if !metadata.is_file() {
        return Err(Damaged::NotAFile);
    }
    if metadata.len() > MOST_BYTES {
        return Err(Damaged::TooLarge);
    }
    if metadata.mode() & 0o077 != 0 {
        let closed = fs::set_permissions(path, fs::Permissions::from_mode(0o600));
        tracing::warn!(path = %path.display(), closed = closed.is_ok(), "a state file could be read by others");
    }
    let size = usize::try_from(metadata.len()).map_err(|_| Damaged::TooLarge)?;
    let mut bytes = Zeroizing::new(Vec::with_capacity(size + 1));
    File::open(path)?.take(MOST_BYTES).read_to_end(&mut bytes)?;
    decode(&bytes).map(Some)
}

fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Damaged> {
    let mut parts = bytes.splitn(2, |byte| *byte == b'\n');
    let (head, body) = (parts.next().unwrap_or_default(), parts.next());
    let head = std::str::from_utf8(head).map_err(|_| Damaged::Format)?;
    let (format, digest) = head.split_once(' ').ok_or(Damaged::Format)?;
    let body = body.ok_or(Damaged::Format)?;
    if format != FORMAT {
        return Err(Damaged::Format);
    }
    if digest != Digest::of(body).to_string() {
        return Err(Damaged::Digest);
    }
    Ok(serde_json::from_slice(body)?)
}

fn encode<T: Serialize>(content: &T) -> io::Result<Zeroizing<Vec<u8>>> {
    let mut body = Zeroizing::new(Vec::with_capacity(64 * 1024));
    serde_json::to_writer(&mut *body, content)?;
    let mut bytes = Zeroizing::new(Vec::with_capacity(body.len() + 128));
    writeln!(&mut *bytes, "{FORMAT} {}", Digest::of(&body))?;
    bytes.extend_from_slice(&body);
    Ok(bytes)
}

/// Puts `content` in the place of what `name` in `directory` was: after a crash it is one or the other.
pub(super) fn write<T: Serialize>(directory: &Path, name: &str, content: &T) -> io::Result<()> {
    let bytes = encode(content)?;
    let temporary = directory.join(format!("{name}.new"));
    let written = write_new(&temporary, &bytes)
        .and_then(|()| fs::rename(&temporary, directory.join(name)))
        .and_then(|()| File::open(directory)?.sync_all());
    if written.is_err() {
        // What is left over is of no use; that it cannot be removed either changes nothing.
        drop(fs::remove_file(&temporary));
    }
    written
}

fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::{Damaged, encode, read, write};
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_file_comes_back() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a");
        assert!(read::<Vec<u8>>(&path).unwrap().is_none());
        write(directory.path(), "a", &vec![1, 2, 3]).unwrap();
        write(directory.path(), "a", &vec![4]).unwrap();
        assert_eq!(read::<Vec<u8>>(&path).unwrap(), Some(vec![4]));
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_file_cut_anywhere_is_damaged() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a");
        let whole = encode(&"some content").unwrap();
        for length in 0..whole.len() {
            fs::write(&path, &whole[..length]).unwrap();
            assert!(read::<String>(&path).is_err(), "cut at {length}");
        }
        for at in 0..whole.len() {
            let mut bytes = whole.to_vec();
            bytes[at] ^= 1;
            fs::write(&path, &bytes).unwrap();
            assert!(read::<String>(&path).is_err(), "changed at {at}");
        }
    }

    #[test]
    fn what_is_no_file_is_not_opened() {
        let directory = tempfile::tempdir().unwrap();
        let found = read::<String>(directory.path());
        assert!(matches!(found, Err(Damaged::NotAFile)));
    }

    #[test]
    fn a_file_open_to_others_is_closed() {
        let directory = tempfile::tempdir().unwrap();
        write(directory.path(), "a", &1).unwrap();
        let path = directory.path().join("a");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        assert_eq!(read::<u8>(&path).unwrap(), Some(1));
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}
