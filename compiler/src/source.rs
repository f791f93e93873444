//! The texts of a repository and what stands in them: files to documents, with a span for every key and value.
//!
//! Never interprets a document; that is for the envelope. Never fails: what cannot be read is a finding, and costs one
//! document or one file, never the run. Time and memory are bounded for every input (`limit`).

mod build;
mod bytes;
mod key;
mod limit;
mod lines;
mod node;
mod outline;
pub(crate) mod parse;
mod plain;
mod scalar;
mod texts;
mod toml;
mod words;

use std::borrow::Cow;
use std::path::Path;
use std::sync::Arc;

pub(crate) use limit::{FileLimits, Limits, REPOSITORY_BYTES, Refusal, unreadable};
pub use node::{Entry as MappingEntry, Layout, Node, NodeKind, Style};
pub use outline::Outline;
pub use scalar::ambiguous_number;
pub(crate) use texts::{alone, broken, is_whole, text, trees};

use mesh_bundle::Kri;

use crate::diag::{Code, Diagnostic, Location, Pointer, Step};
use crate::world::{Entry, EntryKind};

/// A range of bytes of one file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Span {
    /// First byte.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
}

/// Where a span lies, as people count: lines and columns from 1, columns in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Of the first character.
    pub line: u32,
    /// Of the first character.
    pub column: u32,
    /// Of the character after the last.
    pub end_line: u32,
    /// Of the character after the last.
    pub end_column: u32,
}

/// One document of a file.
#[derive(Debug, Clone, PartialEq)]
pub struct Document {
    /// Counted from 0 over all documents of the file, empty ones included.
    pub index: usize,
    /// Where things stand in it. `None` where it is empty, or broken.
    pub outline: Option<Outline>,
    /// From its first to its last content; of a broken document, the place that broke it.
    pub span: Span,
    /// Comments of the document, `#` included.
    pub comments: Vec<Span>,
    /// What the envelope says that it is.
    pub identity: Identity,
}

/// One document while it is read.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Parsed {
    /// See [`Document::index`].
    pub(crate) index: usize,
    /// What stands in it. `None` where it is empty, or broken (then `findings` says why).
    pub(crate) root: Option<Node>,
    /// See [`Document::span`].
    pub(crate) span: Span,
    /// What is wrong with it as YAML. Judged by the envelope: documents of other tools may be as they like.
    pub(crate) findings: Vec<Diagnostic>,
    /// Comments of the document, `#` included.
    pub(crate) comments: Vec<Span>,
}

impl Parsed {
    /// Lets a document pass that is no good YAML but can be read all the same: of a key that is written twice, the last
    /// counts.
    pub(crate) fn forgive(&mut self) {
        if let Some(root) = self.root.as_mut().filter(|_| !self.findings.is_empty()) {
            root.keep_last();
            self.findings.clear();
        }
    }
}

/// What a document is, as far as its envelope tells.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Identity {
    /// Not known: it is empty, broken, or without a kind.
    #[default]
    Unknown,
    /// Of another tool: skipped.
    Foreign,
    /// Of another tool, and read as documents that are counted behind the last one of the file.
    Converted,
    /// A resource.
    Resource {
        /// The name of its kind.
        kind: &'static str,
        /// Its own.
        kri: Kri,
    },
}

/// One file that was read.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SourceFile {
    text: String,
    /// Where each line begins.
    lines: Box<[u32]>,
    /// In the order of the text.
    pub documents: Vec<Document>,
    /// Something in it could be a comment for us.
    pub(crate) is_addressed: bool,
}

/// Every file that was read.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Sources {
    /// In the order of paths; a copy costs nothing.
    files: Arc<Vec<(Arc<str>, Arc<SourceFile>)>>,
    /// Documents that seemed to be of other tools, and are not.
    claimed: usize,
}

impl Sources {
    /// Of files in the order of their paths.
    pub(crate) fn of(files: Vec<(Arc<str>, Arc<SourceFile>)>) -> Self {
        Self {
            files: Arc::new(files),
            claimed: 0,
        }
    }

    /// Adds a file that others have too, where they have it.
    pub(crate) fn share(&mut self, others: &Self, path: &str) {
        let found = others
            .find(path)
            .ok()
            .and_then(|place| others.files.get(place));
        if let (Some(shared), Err(place)) = (found, self.find(path)) {
            Arc::make_mut(&mut self.files).insert(place, shared.clone());
        }
    }

    fn find(&self, path: &str) -> Result<usize, usize> {
        let files = &self.files;
        files.binary_search_by(|(known, _)| (**known).cmp(path))
    }

    /// Counts a document that seemed to be of another tool.
    pub(crate) fn claim(&mut self) {
        self.claimed += 1;
    }

    /// The resource that a location is in.
    #[must_use]
    pub fn resource(&self, at: &Location) -> Option<&Kri> {
        match &self.file(&at.file)?.documents.get(at.document)?.identity {
            Identity::Resource { kri, .. } => Some(kri),
            Identity::Unknown | Identity::Foreign | Identity::Converted => None,
        }
    }

    /// How many documents there are, without empty ones and those of other tools.
    #[must_use]
    pub fn documents(&self) -> usize {
        let documents = self.files.iter().flat_map(|(_, file)| &file.documents);
        let ours = |document: &&Document| {
            let empty = document.outline.is_none() && document.span == Span::default();
            !empty && !matches!(document.identity, Identity::Foreign | Identity::Converted)
        };
        documents.filter(ours).count() + self.claimed
    }

    /// A file that was read.
    pub(crate) fn file(&self, path: &str) -> Option<&SourceFile> {
        let (_, file) = self.files.get(self.find(path).ok()?)?;
        Some(file)
    }

    /// The paths of the files that were read, sorted.
    pub fn files(&self) -> impl Iterator<Item = (&str, &SourceFile)> {
        let files = self.files.iter();
        files.map(|(path, file)| (&**path, &**file))
    }

    /// The text of a file; bytes that are not UTF-8 are replaced.
    #[must_use]
    pub fn text(&self, file: &str) -> Option<&str> {
        self.file(file).map(|file| file.text.as_str())
    }

    /// The trees of the documents of a file, read again: they are not kept.
    #[must_use]
    pub fn trees(&self, file: &str) -> Vec<Option<Node>> {
        trees(self.text(file).unwrap_or_default())
    }

    /// The text that a key at the top of a document is set to.
    pub(crate) fn word(&self, document: &Location, key: &str) -> Option<Cow<'_, str>> {
        let file = self.file(&document.file)?;
        let outline = file.documents.get(document.document)?.outline.as_ref()?;
        let span = outline.value(&file.text, key)?;
        let raw = file.text.get(span.start..span.end)?;
        if raw.starts_with(|first: char| first.is_ascii_alphanumeric()) {
            return Some(Cow::Borrowed(raw));
        }
        // Written with quotes, an alias or a tag.
        let tree = trees(&file.text).into_iter().nth(document.document)??;
        Some(Cow::Owned(tree.get(key)?.as_str()?.to_owned()))
    }

    /// What to show for a location: the key of a block, the whole of anything else. A place that does not exist is shown
    /// as the nearest thing around it that does.
    #[must_use]
    pub fn span(&self, at: &Location) -> Option<Span> {
        let file = self.file(&at.file)?;
        let document = file.documents.get(at.document)?;
        let span = match &document.outline {
            _ if let [Step::Comment(index)] = at.pointer.steps.as_slice() => {
                document.comments.get(*index).copied().unwrap_or_default()
            }
            Some(outline) => outline.shown(&file.text, &at.pointer, at.key),
            None => document.span,
        };
        Some(span)
    }

    /// The line of a location, counted from 1; 1 where nothing is known of it.
    #[must_use]
    pub fn line(&self, at: &Location) -> u32 {
        let span = self.span(at).unwrap_or_default();
        let file = self.file(&at.file);
        file.map_or(1, |file| file.line(span.start).0)
    }

    /// Lines and columns of a location; the first character of the file where nothing is known of it.
    #[must_use]
    pub fn place(&self, at: &Location) -> Place {
        let span = self.span(at).unwrap_or_default();
        match self.file(&at.file) {
            Some(file) => file.place(span),
            None => SourceFile::default().place(span),
        }
    }
}

impl SourceFile {
    /// The text of a file, with the documents in it as they are read, and what is wrong with the file as a whole.
    pub(crate) fn read(
        path: &str,
        bytes: Vec<u8>,
        limits: &mut FileLimits,
    ) -> (Self, Vec<Parsed>, Option<Diagnostic>) {
        let (text, flaw) = bytes::text(bytes);
        let file = Self::new(text);
        let Some(flaw) = flaw else {
            let documents = parse::documents(path, &file.text, limits);
            limits.documents = documents.len();
            return (file, documents, None);
        };
        let mut finding = Diagnostic::new(Code::NOT_TEXT, Location::of_file(path), flaw.message);
        finding.help = Some(flaw.help);
        let document = Parsed {
            index: 0,
            root: None,
            span: flaw.span,
            findings: Vec::new(),
            comments: Vec::new(),
        };
        (file, vec![document], Some(finding))
    }

    fn new(text: String) -> Self {
        // A file is smaller than 4 GiB by far.
        let brief = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
        let breaks = text.bytes().enumerate().filter(|(_, b)| *b == b'\n');
        let lines = std::iter::once(0).chain(breaks.map(|(at, _)| brief(at + 1)));
        let lines = lines.collect();
        Self {
            is_addressed: text.contains("meshc:"),
            text,
            lines,
            documents: Vec::new(),
        }
    }

    /// The text; bytes that were not UTF-8 are replaced.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Lines and columns of a span.
    #[must_use]
    pub fn place(&self, span: Span) -> Place {
        let (line, column) = self.position(span.start);
        let (end_line, end_column) = self.position(span.end);
        Place {
            line,
            column,
            end_line,
            end_column,
        }
    }

    /// The line that a byte is in, counted from 1, and where it begins.
    fn line(&self, at: usize) -> (u32, usize) {
        let before = |start: &u32| *start as usize <= at;
        let line = self.lines.partition_point(before).max(1);
        let start = self.lines.get(line - 1).map_or(0, |start| *start as usize);
        (u32::try_from(line).unwrap_or(u32::MAX), start)
    }

    fn position(&self, at: usize) -> (u32, u32) {
        let (line, start) = self.line(at);
        let before = self.text.get(start..at).unwrap_or_default();
        let column = u32::try_from(before.chars().count() + 1);
        (line, column.unwrap_or(u32::MAX))
    }
}

/// Is it called like a document?
pub(crate) fn has_extension(name: &Path) -> bool {
    let extension = name.extension().and_then(|extension| extension.to_str());
    matches!(extension, Some("json" | "yaml" | "yml"))
}

/// Extension of a document, and no hidden directory or file on the way.
pub(crate) fn could_be_document(entry: &Entry) -> bool {
    let hidden = entry.path.split('/').any(|part| part.starts_with('.'));
    let name = entry.path.rsplit('/').next().unwrap_or_default();
    let extension = name.rsplit_once('.').map(|(_, extension)| extension);
    match extension {
        _ if hidden => false,
        _ if matches!(
            entry.kind,
            EntryKind::Unlisted { .. } | EntryKind::Submodule
        ) =>
        {
            true
        }
        Some(extension) => ["json", "yaml", "yml"].contains(&extension),
        // Documents could stand behind what looks like a directory.
        None => matches!(entry.kind, EntryKind::Symlink),
    }
}

impl Location {
    /// A file as a whole.
    #[must_use]
    pub fn of_file(path: &str) -> Self {
        Self {
            file: path.to_owned(),
            document: 0,
            pointer: Pointer::default(),
            key: false,
        }
    }
}

#[cfg(test)]
mod tests;
