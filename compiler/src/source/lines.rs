//! From a line, or the name of a resource, to a place.
//!
//! Never guesses: where no document is, there is no place.

use mesh_bundle::Kri;

use super::{Document, Identity, Sources, Span};
use crate::diag::Location;

impl Sources {
    /// What stands on a line, counted from 1: the outermost value that begins there. `None` where no document is.
    #[must_use]
    pub fn on_line(&self, file: &str, line: u32) -> Option<Location> {
        let source = self.file(file)?;
        let start = |line: u32| source.lines.get(line as usize).map(|at| *at as usize);
        let end = start(line).unwrap_or(source.text.len());
        let span = Span {
            start: start(line.checked_sub(1)?)?,
            end,
        };
        let mut documents = source.documents.iter().rev();
        let begun = |document: &&Document| {
            let (of, outline) = (document.span, document.outline.is_some());
            outline && of.start < span.end && of.end > span.start
        };
        let document = documents.find(begun)?;
        let mut at = Location::of_file(file);
        at.document = document.index;
        at.pointer = document.outline.as_ref()?.on(&source.text, span);
        Some(at)
    }

    /// Where a resource is written.
    pub(crate) fn written(&self, wanted: &Kri) -> Option<Location> {
        self.files.iter().find_map(|(path, file)| {
            let mut documents = file.documents.iter();
            let is_wanted = |document: &&Document| {
                matches!(&document.identity, Identity::Resource { kri, .. } if kri == wanted)
            };
            let mut at = Location::of_file(path);
            at.document = documents.find(is_wanted)?.index;
            Some(at)
        })
    }
}
