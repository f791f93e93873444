//! One file on its own: text to documents to typed resources, and all that can be said about each without the others.
//!
//! Never looks at a second file, so files are read on all processors; what comes out is a function of the path, the bytes
//! and the settings.

mod again;
mod judged;

use std::sync::Arc;

use mesh_bundle::Digest;

use crate::diag::{Diagnostic, Diagnostics, ENOUGH, Location, Severity};
use crate::envelope::{self, Outcome};
use crate::gateway;
use crate::kinds::legacy::gateway_api;
use crate::model::{Compat, Settings};
use crate::source::{
    Document, FileLimits, Identity, Limits, Node, Outline, Parsed, Refusal, SourceFile, Sources,
    Span, could_be_document, unreadable,
};
use crate::world::{Entry, World};

pub(crate) use again::{Known, Seen};
pub(crate) use judged::Judged;

use again::{Wanted, files, known_of};

/// Files that are read before anybody looks whether to go on: enough for all processors, little enough to be thrown away.
const BATCH: usize = 512;
/// Bytes of such files, at most a file more.
const BATCH_BYTES: u64 = 4 << 20;

/// What stands in one file.
#[derive(Debug)]
pub(crate) struct FileRead {
    pub(crate) source: Arc<SourceFile>,
    /// About the file, its YAML and its envelopes.
    pub(crate) findings: Vec<Diagnostic>,
    /// Something is in it that nobody knows what it is.
    pub(crate) unread: bool,
    /// Documents of the Gateway API, which may be of another tool or not.
    pub(crate) gateways: Vec<(Location, Node)>,
    pub(crate) judged: Vec<Judged>,
    limits: FileLimits,
    depth: Depth,
}

/// What a repository holds, file by file.
#[derive(Debug, Default)]
pub(crate) struct Readings {
    /// In the order of paths.
    pub(crate) files: Vec<(Arc<str>, Arc<FileRead>)>,
    /// Of their bytes, where there is somebody to remember them.
    digests: Vec<Digest>,
    /// About files that were not read.
    pub(crate) findings: Vec<Diagnostic>,
    /// The repository is too large, so some of it was not read.
    pub(crate) cut: bool,
}

/// How far documents are looked into.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Depth {
    Text,
    Envelope,
    Body,
}

impl Readings {
    /// Reads what could be a document, but for what is known; `None`: nobody will ask again.
    pub(crate) fn of(world: &dyn World, settings: &Settings, known: Option<&Known>) -> Self {
        let remembers = known.is_some();
        let mut beside = known.into_iter().flatten().peekable();
        let mut readings = Self::default();
        let mut limits = Limits::default();
        let mut told = Told::default();
        let entries = world.entries();
        let mut entries: Vec<&Entry> = entries.iter().filter(|e| could_be_document(e)).collect();
        entries.sort();
        let mut entries = entries.into_iter().peekable();
        while entries.peek().is_some() && !readings.cut {
            let (paths, refused) = batch(&mut entries, &mut limits);
            let depth = told.depth();
            let wanted = paths.into_iter().map(|entry| Wanted {
                before: known_of(&entry.path, &mut beside).filter(|_| depth == Depth::Body),
                version: entry.version().filter(|_| remembers),
                path: &entry.path,
            });
            let wanted: Vec<_> = wanted.collect();
            let read = files(world, &wanted, remembers, |path, bytes| {
                FileRead::of(path, bytes, settings, depth)
            });
            for (Wanted { path, before, .. }, read) in wanted.into_iter().zip(read) {
                if let Err(refusal) = limits.room() {
                    readings.refuse(refusal, path);
                    break;
                }
                match read {
                    Ok((digest, file)) => {
                        limits.count(file.limits);
                        told.add(&file);
                        let known = before.map(|before| Arc::clone(&before.path));
                        let path = known.unwrap_or_else(|| path.into());
                        readings.files.push((path, file));
                        readings.digests.extend(digest);
                    }
                    Err(reason) => readings.refuse(unreadable(&reason), path),
                }
            }
            for (path, refusal) in refused {
                // Of what cuts the repository off only the first is told.
                if !(readings.cut && refusal.last) {
                    readings.refuse(refusal, path);
                }
            }
        }
        readings
    }

    fn refuse(&mut self, refusal: Refusal, path: &str) {
        self.cut |= refusal.last;
        let finding = refusal.diagnostic(Location::of_file(path));
        self.findings.push(finding);
    }

    /// What to remember for the next time.
    pub(crate) fn known(self) -> Known {
        let files = self.files.into_iter().zip(self.digests);
        files
            .filter(|((_, file), _)| file.depth == Depth::Body)
            .map(|((path, file), digest)| Seen { path, digest, file })
            .collect()
    }

    /// The texts, and where things stand in them.
    pub(crate) fn sources(&self) -> Sources {
        let files = self.files.iter();
        let files = files.map(|(path, file)| (Arc::clone(path), Arc::clone(&file.source)));
        Sources::of(files.collect())
    }
}

/// The next files, and what is not read.
fn batch<'e>(
    entries: &mut impl Iterator<Item = &'e Entry>,
    limits: &mut Limits,
) -> (Vec<&'e Entry>, Vec<(&'e str, Refusal)>) {
    let (mut paths, mut refused) = (Vec::new(), Vec::new());
    let mut bytes = 0;
    while paths.len() < BATCH && bytes < BATCH_BYTES {
        let Some(entry) = entries.next() else { break };
        match limits.admit(entry) {
            Ok(size) => {
                bytes += size;
                paths.push(entry);
            }
            Err(refusal) => {
                let last = refusal.last;
                refused.push((entry.path.as_str(), refusal));
                if last {
                    break;
                }
            }
        }
    }
    (paths, refused)
}

/// How much was found so far, which may be more than anybody mends.
#[derive(Default)]
struct Told {
    envelopes: usize,
    bodies: usize,
    errors: bool,
}

impl Told {
    fn add(&mut self, file: &FileRead) {
        let bodies = file.judged.iter().flat_map(|judged| &judged.findings);
        self.envelopes += file.findings.len();
        self.bodies += bodies.clone().count();
        let is_error = |finding: &Diagnostic| finding.severity == Severity::Error;
        self.errors |= file.findings.iter().chain(bodies).any(is_error);
    }

    fn depth(&self) -> Depth {
        match self.errors {
            true if self.envelopes > ENOUGH => Depth::Text,
            true if self.envelopes + self.bodies > ENOUGH => Depth::Envelope,
            _ => Depth::Body,
        }
    }
}

/// The first error in a text, as one file of which nothing else is known.
pub(crate) fn first_error(text: &str, settings: &Settings) -> Option<String> {
    let read = FileRead::of("", text.as_bytes().to_vec(), settings, Depth::Body);
    let judged = read.judged.iter().flat_map(|judged| &judged.findings);
    let mut findings = read.findings.iter().chain(judged);
    let error = findings.find(|finding| finding.severity == Severity::Error)?;
    Some(error.message.clone())
}

impl FileRead {
    fn of(path: &str, bytes: Vec<u8>, settings: &Settings, depth: Depth) -> Self {
        let mut limits = FileLimits::default();
        let (source, parsed, flaw) = SourceFile::read(path, bytes, &mut limits);
        let mut findings = Diagnostics::default();
        findings.list.extend(flaw);
        let mut growing = Growing {
            path,
            settings,
            depth,
            source,
            findings,
            unread: false,
            gateways: Vec::new(),
            // Most files hold one document, and a list that grows by itself has room for four.
            judged: Vec::with_capacity(parsed.len()),
            made: Vec::new(),
        };
        growing.source.documents.reserve_exact(parsed.len());
        for parsed in parsed {
            growing.add(parsed, &[]);
        }
        // What routes of the Gateway API become has no place of its own in the text.
        for (made, span) in std::mem::take(&mut growing.made) {
            let parsed = Parsed {
                index: growing.source.documents.len(),
                root: Some(made.root),
                span,
                findings: Vec::new(),
                comments: Vec::new(),
            };
            growing.add(parsed, &made.ports);
        }
        Self {
            source: Arc::new(growing.source),
            findings: growing.findings.list,
            unread: growing.unread,
            gateways: growing.gateways,
            judged: growing.judged,
            limits,
            depth,
        }
    }
}

/// A file that is being read, document by document.
struct Growing<'a> {
    path: &'a str,
    settings: &'a Settings,
    depth: Depth,
    source: SourceFile,
    findings: Diagnostics,
    unread: bool,
    gateways: Vec<(Location, Node)>,
    judged: Vec<Judged>,
    /// To be read after all that stands in the file, each at the place of what it was made of.
    made: Vec<(gateway::Made, Span)>,
}

impl Growing<'_> {
    /// `ports`: see [`gateway::Made::ports`].
    fn add(&mut self, mut parsed: Parsed, ports: &[Option<u32>]) {
        let (settings, depth) = (self.settings, self.depth);
        if settings.compat == Compat::Kuma {
            parsed.forgive();
        }
        let deep = depth > Depth::Text && !self.findings.are_enough();
        let at = Location {
            document: parsed.index,
            ..Location::of_file(self.path)
        };
        let text = self.source.text();
        let outcome = match deep {
            true => envelope::read(&parsed, text, &at, settings, &mut self.findings),
            false => Outcome::Empty,
        };
        let mut identity = match outcome {
            Outcome::Draft(draft) => {
                let kind = draft.kind.name;
                let document = Judged::of(*draft, settings, depth).about(ports);
                let kri = document.meta().kri.clone();
                self.judged.push(document);
                Identity::Resource { kind, kri }
            }
            Outcome::Foreign => Identity::Foreign,
            Outcome::Unread => {
                self.unread = true;
                Identity::Unknown
            }
            Outcome::Empty => Identity::Unknown,
        };
        let root = parsed.root.as_ref();
        let outline = root.map(|root| Outline::of(root, text));
        let gateway = parsed.root.filter(gateway_api::is_one);
        if let Some(root) = gateway.filter(|_| identity == Identity::Foreign) {
            if gateway::is_route(&root) && depth == Depth::Body {
                let made = gateway::routes(&root, &at, &mut self.findings);
                self.made
                    .extend(made.into_iter().map(|made| (made, parsed.span)));
                identity = Identity::Converted;
            }
            self.gateways.push((at, root));
        }
        self.source.documents.push(Document {
            index: parsed.index,
            outline,
            span: parsed.span,
            comments: parsed.comments,
            identity,
        });
    }
}

#[cfg(test)]
mod tests;
