//! The names of all documents, where nothing was wrong with them.
//!
//! Never looks at what else documents say.

use std::sync::Arc;

use crate::reading::{FileRead, Judged};

/// See above.
#[derive(Debug, Default)]
pub(crate) struct Names {
    /// Empty where something was wrong.
    files: Vec<Arc<FileRead>>,
}

impl Names {
    /// Do these files name what the last ones did, with which nothing was wrong?
    pub(crate) fn are_clear(&self, files: &[(Arc<str>, Arc<FileRead>)]) -> bool {
        let mut pairs = self.files.iter().zip(files);
        !files.is_empty()
            && self.files.len() == files.len()
            && pairs.all(|(old, (_, new))| Arc::ptr_eq(old, new) || same(old, new))
    }

    /// Remembers these.
    pub(crate) fn keep(&mut self, files: &[(Arc<str>, Arc<FileRead>)], clear: bool) {
        let now = files.iter().map(|(_, file)| file);
        if !clear || self.files.len() != files.len() {
            self.files = now.filter(|_| clear).cloned().collect();
            return;
        }
        for (held, now) in self.files.iter_mut().zip(now) {
            if !Arc::ptr_eq(held, now) {
                held.clone_from(now);
            }
        }
    }
}

fn same(old: &FileRead, new: &FileRead) -> bool {
    let name = |document: &Judged| (document.sound, document.meta().kri.clone());
    let (old, new) = (old.judged.iter(), new.judged.iter());
    old.map(name).eq(new.map(name))
}
