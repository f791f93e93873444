//! Files that were read before: what is known of the same bytes is not found out again.
//!
//! Never takes what is known for anything but the path and the bytes that it is about.

use std::cmp::Ordering;
use std::iter::Peekable;
use std::sync::Arc;

use mesh_bundle::Digest;

use crate::parallel::{self, SMALL};
use crate::world::World;

use super::FileRead;

/// What was found in files that were read before, in the order of paths.
pub(crate) type Known = Vec<Seen>;

/// A file that was read, with what names its bytes.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) path: Arc<str>,
    pub(super) digest: Digest,
    pub(crate) file: Arc<FileRead>,
}

/// A file that is to be had.
pub(super) struct Wanted<'k> {
    pub(super) path: &'k str,
    /// What names its bytes, where that is known before they are read.
    pub(super) version: Option<Digest>,
    /// What stood in it the last time.
    pub(super) before: Option<&'k Seen>,
}

/// What is known of a path, by going on in what is known as far as the path is: both are sorted.
pub(super) fn known_of<'k>(
    path: &str,
    beside: &mut Peekable<impl Iterator<Item = &'k Seen>>,
) -> Option<&'k Seen> {
    while let Some(seen) = beside.peek() {
        match (*seen.path).cmp(path) {
            Ordering::Less => drop(beside.next()),
            Ordering::Equal => return beside.next(),
            Ordering::Greater => break,
        }
    }
    None
}

/// A file with what names its bytes, where that is asked for.
pub(super) type Versioned = (Option<Digest>, Arc<FileRead>);

impl Wanted<'_> {
    fn known(&self, version: Option<Digest>) -> Option<Versioned> {
        let before = self.before?;
        (version == Some(before.digest)).then(|| (version, Arc::clone(&before.file)))
    }
}

/// What stands in files: what is known of the same bytes is taken as it is, the others are read, each on any processor;
/// their bytes too, where the world can be asked from several.
pub(super) fn files(
    world: &dyn World,
    wanted: &[Wanted<'_>],
    remembers: bool,
    read: impl Fn(&str, Vec<u8>) -> FileRead + Sync,
) -> Vec<Result<Versioned, String>> {
    let known: Vec<Option<Versioned>> =
        wanted.iter().map(|file| file.known(file.version)).collect();
    let missing = wanted.iter().zip(&known);
    let missing: Vec<&Wanted<'_>> = missing
        .filter_map(|(file, known)| known.is_none().then_some(file))
        .collect();
    let judge = |file: &Wanted<'_>, bytes: Vec<u8>| {
        let itself = || remembers.then(|| Digest::of(&bytes));
        let version = file.version.or_else(itself);
        let known = file.known(version);
        known.unwrap_or_else(|| (version, Arc::new(read(file.path, bytes))))
    };
    let found = match world.shared() {
        Some(shared) => parallel::map(&missing, SMALL, |file| {
            Ok(judge(file, shared.read(file.path)?))
        }),
        None => {
            let bytes = missing.iter().map(|file| (*file, world.read(file.path)));
            let bytes: Vec<_> = bytes.collect();
            parallel::map(&bytes, SMALL, |(file, bytes)| {
                Ok(judge(file, bytes.clone()?))
            })
        }
    };
    let mut found = found.into_iter();
    let known = known.into_iter();
    known
        .filter_map(|known| known.map(Ok).or_else(|| found.next()))
        .collect()
}
