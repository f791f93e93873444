//! A question about a place of an open document.
//!
//! Never answered from the disk: the newest text in the editor counts.

use gen_lsp_types::{Location, Position, Range};

use super::buffer::Buffer;
use super::client::Client;
use super::cursor::{Spot, spot};
use super::diagnostics::Ranges;
use super::folder::Folder;
use super::meaning::Meaning;
use crate::diag;
use crate::kinds::Resource;
use crate::model::{Format, Meta};

/// What a question is asked of.
#[derive(Debug, Clone, Copy)]
pub(super) struct Question<'a> {
    pub(super) folder: &'a Folder,
    /// What the document is called in the repository.
    pub(super) name: &'a str,
    pub(super) buffer: &'a Buffer,
    pub(super) client: &'a Client,
}

impl<'a> Question<'a> {
    /// Where a position of the document is.
    pub(super) fn spot(&self, position: Position) -> Option<Spot> {
        spot(self.buffer.text(), self.offset(position))
    }

    pub(super) fn offset(&self, position: Position) -> usize {
        self.buffer.offset(position, self.client.encoding)
    }

    pub(super) fn range(&self, span: crate::source::Span) -> Range {
        self.buffer.range(span, self.client.encoding)
    }

    /// What the repository means.
    pub(super) fn meaning(&self) -> Option<&'a Meaning> {
        self.folder.meaning()
    }

    /// The document that a place is in, as it was when it could be read last.
    pub(super) fn resource(&self, spot: &Spot) -> Option<&'a Resource> {
        self.meaning()?.resource(self.name, spot.document)
    }

    /// The line in a document that says its name.
    pub(super) fn definition(&self, meta: &Meta) -> Location {
        let at = named(meta);
        Location {
            uri: self.folder.uri(&at.file).into(),
            range: self.range_of(&at),
        }
    }

    /// Where a place is.
    pub(super) fn range_of(&self, at: &diag::Location) -> Range {
        let Some(meaning) = self.meaning() else {
            return Range::default();
        };
        let sources = &meaning.analysis.compiled.sources;
        Ranges::new(sources, self.client.encoding).of(at)
    }
}

/// Where a document says its name.
pub(super) fn named(meta: &Meta) -> diag::Location {
    let mut at = meta.at.clone();
    at.pointer = match meta.format {
        Format::Universal => at.pointer.field("name"),
        Format::Kubernetes => at.pointer.field("metadata").field("name"),
    };
    at
}
