//! How much the compiler takes: beyond it, a finding and not a long wait.
//!
//! Never reads the clock: what bounds the time is how much there is to do.

use crate::diag::{Code, Diagnostic, Location};
use crate::world::{Entry, EntryKind};

/// A document that people write is some kilobytes; a file of generated ones some hundred.
const FILE_BYTES: u64 = 1024 * 1024;
/// Opening one costs more than reading it.
const FILES: u64 = 100_000;
/// More is not read.
pub(crate) const REPOSITORY_BYTES: u64 = 64 * 1024 * 1024;
/// While a file is read, about 100 bytes of memory each; 28 after that.
const FILE_NODES: u64 = 100_000;
const REPOSITORY_NODES: u64 = 4_000_000;
/// The language needs 14.
pub(super) const DEPTH: usize = 64;
pub(super) const DOCUMENTS: usize = 1000;
const REPOSITORY_DOCUMENTS: usize = 100_000;
/// What aliases of one file may add, in nodes and in bytes of text.
const ALIAS_NODES: u64 = 1000;
const ALIAS_BYTES: u64 = FILE_BYTES;
/// Comments in a row.
pub(super) const COMMENTS: usize = 50_000;

/// What a repository has used up of its limits.
#[derive(Debug, Clone, Default)]
pub(crate) struct Limits {
    files: u64,
    bytes: u64,
    nodes: u64,
    documents: usize,
}

/// What one file has used up of its limits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct FileLimits {
    pub(super) documents: usize,
    nodes: u64,
    alias_nodes: u64,
    alias_bytes: u64,
}

/// Why a file is not read.
#[derive(Debug, Clone)]
pub(crate) struct Refusal {
    code: Code,
    message: String,
    help: Option<String>,
    warning: bool,
    /// Nothing after it is read either.
    pub(crate) last: bool,
}

impl Refusal {
    fn new(code: Code, message: String) -> Self {
        Self {
            code,
            message,
            help: None,
            warning: false,
            last: false,
        }
    }

    pub(crate) fn diagnostic(self, at: Location) -> Diagnostic {
        let mut diagnostic = Diagnostic::new(self.code, at, self.message);
        diagnostic.help = self.help;
        if self.warning {
            diagnostic.severity = crate::diag::Severity::Warning;
        }
        diagnostic
    }
}

impl Limits {
    /// May this be read?
    pub(crate) fn admit(&mut self, entry: &Entry) -> Result<u64, Refusal> {
        let size = match &entry.kind {
            EntryKind::File { size, .. } => *size,
            EntryKind::Symlink => return Err(link(&entry.path)),
            EntryKind::Submodule => return Err(submodule()),
            EntryKind::Unlisted { reason } => {
                return Err(Refusal::new(
                    Code::UNREADABLE_FILE,
                    format!("this directory cannot be listed: {reason}"),
                ));
            }
            EntryKind::Other { what } => {
                return Err(Refusal::new(
                    Code::NOT_A_FILE,
                    format!("this is a {what}, not a regular file"),
                ));
            }
        };
        if size > FILE_BYTES {
            return Err(Refusal {
                help: Some("spread its documents over several files".to_owned()),
                ..Refusal::new(
                    Code::EXCEEDS_LIMIT,
                    format!(
                        "this file of {size} bytes exceeds the limit of {FILE_BYTES} bytes (1 MiB)"
                    ),
                )
            });
        }
        self.files += 1;
        self.bytes = self.bytes.saturating_add(size);
        let exceeded = if self.files > FILES {
            format!("{FILES} files")
        } else if self.bytes > REPOSITORY_BYTES {
            format!("{REPOSITORY_BYTES} bytes (64 MiB)")
        } else {
            return Ok(size);
        };
        Err(too_large(&exceeded))
    }

    /// Is there room for one more file, after those that were counted?
    pub(crate) fn room(&self) -> Result<(), Refusal> {
        let exceeded = if self.documents > REPOSITORY_DOCUMENTS {
            format!("{REPOSITORY_DOCUMENTS} documents")
        } else if self.nodes > REPOSITORY_NODES {
            format!("{REPOSITORY_NODES} keys and values")
        } else {
            return Ok(());
        };
        Err(too_large(&exceeded))
    }

    /// Counts what stands in a file.
    pub(crate) fn count(&mut self, file: FileLimits) {
        self.documents += file.documents;
        self.nodes += file.nodes;
    }
}

impl FileLimits {
    /// Counts one node. The words say which limit it exceeds.
    pub(super) fn node(&mut self) -> Result<(), String> {
        self.nodes += 1;
        if self.nodes > FILE_NODES {
            return Err(format!(
                "this file exceeds the limit of {FILE_NODES} keys and values"
            ));
        }
        Ok(())
    }

    /// Counts one node that an alias adds.
    pub(super) fn alias_node(&mut self, bytes: usize) -> Result<(), String> {
        self.alias_nodes += 1;
        self.alias_bytes = self
            .alias_bytes
            .saturating_add(u64::try_from(bytes).unwrap_or(u64::MAX));
        if self.alias_nodes > ALIAS_NODES {
            return Err(format!(
                "what the aliases of this file stand for exceeds the limit of {ALIAS_NODES} values"
            ));
        }
        if self.alias_bytes > ALIAS_BYTES {
            return Err(format!(
                "what the aliases of this file stand for exceeds the limit of {ALIAS_BYTES} bytes"
            ));
        }
        Ok(())
    }
}

fn too_large(exceeded: &str) -> Refusal {
    Refusal {
        last: true,
        help: Some("neither this file nor those after it are read; point meshc at the directory that holds the mesh documents".to_owned()),
        ..Refusal::new(
            Code::EXCEEDS_LIMIT,
            format!("with this file the repository exceeds the limit of {exceeded}"),
        )
    }
}

fn link(path: &str) -> Refusal {
    let named_as_document = path
        .rsplit('/')
        .next()
        .is_some_and(|name| name.contains('.'));
    Refusal {
        warning: !named_as_document,
        help: Some("put the file itself into the repository".to_owned()),
        ..Refusal::new(
            Code::NOT_A_FILE,
            "this is a symbolic link: links are never followed, so nothing behind it is read"
                .to_owned(),
        )
    }
}

fn submodule() -> Refusal {
    let message = "this is a submodule or another git repository: a commit holds nothing of what is in it, so that is not read";
    Refusal {
        warning: true,
        help: Some("put its documents into the repository, or check it by itself".to_owned()),
        ..Refusal::new(Code::NOT_A_FILE, message.to_owned())
    }
}

pub(crate) fn unreadable(reason: &str) -> Refusal {
    Refusal::new(
        Code::UNREADABLE_FILE,
        format!("this file cannot be read: {reason}"),
    )
}
