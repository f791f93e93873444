//! How large the files of the last commit were: of ten thousand files a commit changes a few, and to ask git for the size of
//! each costs more than everything else about reading a directory.
//!
//! Never wrong: an object is named by what it holds. Never more than one commit.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use git2::Oid;

/// Remembers sizes from one commit to the next.
#[derive(Debug, Default)]
pub struct Sizes(Mutex<BTreeMap<Oid, u64>>);

impl Sizes {
    /// Takes what is known; it comes back with [`Sizes::put`].
    pub(super) fn take(&self) -> BTreeMap<Oid, u64> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut known)
    }

    pub(super) fn put(&self, sizes: BTreeMap<Oid, u64>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = sizes;
    }

    /// How many there are.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}
