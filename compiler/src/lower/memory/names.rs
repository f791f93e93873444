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
    pub(crate) fn are_clear(&self, files: &[(String, Arc<FileRead>)]) -> bool {
        let mut pairs = self.files.iter().zip(files);
        !files.is_empty()
            && self.files.len() == files.len()
            && pairs.all(|(old, (_, new))| Arc::ptr_eq(old, new) || same(old, new))
    }

    /// Remembers these.
    pub(crate) fn keep(&mut self, files: &[(String, Arc<FileRead>)], clear: bool) {
        self.files = match clear {
            true => files.iter().map(|(_, file)| Arc::clone(file)).collect(),
            false => Vec::new(),
        };
    }
}

fn same(old: &FileRead, new: &FileRead) -> bool {
    let name = |document: &Judged| (document.sound, document.meta().kri.clone());
    let (old, new) = (old.judged.iter(), new.judged.iter());
    old.map(name).eq(new.map(name))
}
