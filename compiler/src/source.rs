//! The texts of a repository and what stands in them: files to documents, with a span for every key and value.
//!
//! Never interprets a document; that is for the envelope. Never fails: what cannot be read is a finding, and costs one
//! document or one file, never the run. Time and memory are bounded for every input (`limit`).

mod build;
mod bytes;
mod key;
mod limit;
mod node;
mod parse;
mod scalar;
mod words;

use std::collections::BTreeMap;

pub use limit::Limits;
pub use node::{Entry as MappingEntry, Node, NodeKind, Style};
pub use scalar::ambiguous_number;

use mesh_bundle::Kri;

use crate::diag::{Code, Diagnostic, Diagnostics, Location, Pointer, Step};
use crate::world::{Entry, EntryKind, World};

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
    /// What stands in it. `None` where it is empty, or broken (then `findings` says why).
    pub root: Option<Node>,
    /// From its first to its last content; of a broken document, the place that broke it.
    pub span: Span,
    /// What is wrong with it as YAML. Judged by the envelope: documents of other tools may be as they like.
    pub findings: Vec<Diagnostic>,
    /// Comments of the document, `#` included.
    pub comments: Vec<Span>,
    /// What the envelope says that it is.
    pub identity: Identity,
}

/// What a document is, as far as its envelope tells.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Identity {
    /// Not known: it is empty, broken, or without a kind.
    #[default]
    Unknown,
    /// Of another tool: skipped.
    Foreign,
    /// A resource.
    Resource(Kri),
}

/// One file that was read.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SourceFile {
    text: String,
    /// Where each line begins.
    lines: Vec<usize>,
    /// In the order of the text.
    pub documents: Vec<Document>,
}

/// Every file that was read.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Sources {
    files: BTreeMap<String, SourceFile>,
    /// The repository is too large, so some of it was not read.
    pub(crate) cut: bool,
}

impl Sources {
    /// Reads what could be a document, in the order of paths.
    pub(crate) fn load(world: &dyn World, diagnostics: &mut Diagnostics) -> Self {
        let mut sources = Self::default();
        let mut limits = Limits::default();
        let mut entries = world.entries();
        entries.sort();
        entries.retain(could_be_document);
        for entry in entries {
            let at = Location::of_file(&entry.path);
            let bytes = match limits.admit(&entry).and_then(|()| {
                world
                    .read(&entry.path)
                    .map_err(|reason| limit::unreadable(&reason))
            }) {
                Ok(bytes) => bytes,
                Err(refusal) => {
                    let last = refusal.last;
                    diagnostics.push(refusal.diagnostic(at));
                    if last {
                        sources.cut = true;
                        break;
                    }
                    continue;
                }
            };
            let (file, findings) = read(&entry.path, bytes, &mut limits);
            diagnostics.list.extend(findings);
            sources.files.insert(entry.path, file);
        }
        sources
    }

    /// Lets documents pass that are no good YAML but can be read all the same: of a key that is written twice, the last
    /// counts.
    pub(crate) fn forgive(&mut self) {
        let documents = self.files.values_mut().flat_map(|file| &mut file.documents);
        for document in documents.filter(|document| !document.findings.is_empty()) {
            if let Some(root) = &mut document.root {
                root.keep_last();
                document.findings.clear();
            }
        }
    }

    /// Notes what a document is.
    pub(crate) fn identify(&mut self, at: &Location, identity: Identity) {
        let file = self.files.get_mut(&at.file);
        if let Some(document) = file.and_then(|file| file.documents.get_mut(at.document)) {
            document.identity = identity;
        }
    }

    /// The resource that a location is in.
    #[must_use]
    pub fn resource(&self, at: &Location) -> Option<&Kri> {
        match &self
            .files
            .get(&at.file)?
            .documents
            .get(at.document)?
            .identity
        {
            Identity::Resource(kri) => Some(kri),
            Identity::Unknown | Identity::Foreign => None,
        }
    }

    /// How many documents there are, without empty ones and those of other tools.
    #[must_use]
    pub fn documents(&self) -> usize {
        let documents = self.files.values().flat_map(|file| &file.documents);
        let ours = |document: &&Document| {
            let empty = document.root.is_none() && document.span == Span::default();
            !empty && document.identity != Identity::Foreign
        };
        documents.filter(ours).count()
    }

    /// The paths of the files that were read, sorted.
    pub fn files(&self) -> impl Iterator<Item = (&str, &SourceFile)> {
        self.files.iter().map(|(path, file)| (path.as_str(), file))
    }

    /// The text of a file; bytes that are not UTF-8 are replaced.
    #[must_use]
    pub fn text(&self, file: &str) -> Option<&str> {
        self.files.get(file).map(|file| file.text.as_str())
    }

    /// The node at a location, where there is exactly one.
    #[must_use]
    pub fn node(&self, at: &Location) -> Option<&Node> {
        let document = self.files.get(&at.file)?.documents.get(at.document)?;
        document.root.as_ref()?.find(&at.pointer)
    }

    /// What to show for a location: the key of a block, the whole of anything else. A place that does not exist is shown
    /// as the nearest thing around it that does.
    #[must_use]
    pub fn span(&self, at: &Location) -> Option<Span> {
        let file = self.files.get(&at.file)?;
        let document = file.documents.get(at.document)?;
        let span = match &document.root {
            _ if let [Step::Comment(index)] = at.pointer.steps.as_slice() => {
                document.comments.get(*index).copied().unwrap_or_default()
            }
            Some(root) => root.shown(&at.pointer, at.key),
            None => document.span,
        };
        Some(span)
    }

    /// The line of a location, counted from 1; 1 where nothing is known of it.
    #[must_use]
    pub fn line(&self, at: &Location) -> u32 {
        self.place(at).line
    }

    /// Lines and columns of a location; the first character of the file where nothing is known of it.
    #[must_use]
    pub fn place(&self, at: &Location) -> Place {
        let span = self.span(at).unwrap_or_default();
        match self.files.get(&at.file) {
            Some(file) => file.place(span),
            None => SourceFile::default().place(span),
        }
    }
}

impl SourceFile {
    fn new(text: String) -> Self {
        let breaks = text.bytes().enumerate().filter(|(_, b)| *b == b'\n');
        let lines = std::iter::once(0)
            .chain(breaks.map(|(at, _)| at + 1))
            .collect();
        Self {
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

    fn position(&self, at: usize) -> (u32, u32) {
        let line = self.lines.partition_point(|start| *start <= at).max(1);
        let start = self.lines.get(line - 1).copied().unwrap_or(0);
        let before = self.text.get(start..at).unwrap_or_default();
        let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        (count(line), count(before.chars().count() + 1))
    }
}

/// Extension of a document, and no hidden directory or file on the way.
fn could_be_document(entry: &Entry) -> bool {
    let hidden = entry.path.split('/').any(|part| part.starts_with('.'));
    let name = entry.path.rsplit('/').next().unwrap_or_default();
    let extension = name.rsplit_once('.').map(|(_, extension)| extension);
    match extension {
        _ if hidden => false,
        _ if matches!(entry.kind, EntryKind::Unlisted { .. }) => true,
        Some(extension) => ["json", "yaml", "yml"].contains(&extension),
        // Documents could stand behind what looks like a directory.
        None => matches!(entry.kind, EntryKind::Symlink | EntryKind::Unlisted { .. }),
    }
}

fn read(path: &str, bytes: Vec<u8>, limits: &mut Limits) -> (SourceFile, Vec<Diagnostic>) {
    let (text, flaw) = bytes::text(bytes);
    let mut file = SourceFile::new(text);
    let mut findings = Vec::new();
    if let Some(bytes::Flaw {
        span,
        message,
        help,
    }) = flaw
    {
        let mut finding = Diagnostic::new(Code::NOT_TEXT, Location::of_file(path), message);
        finding.help = Some(help);
        findings.push(finding);
        file.documents.push(Document {
            index: 0,
            root: None,
            span,
            findings: Vec::new(),
            comments: Vec::new(),
            identity: Identity::Unknown,
        });
    } else {
        file.documents = parse::documents(path, &file.text, limits);
        limits.documents(file.documents.len());
    }
    (file, findings)
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
