//! `meshc lsp`: what editors ask while somebody writes, answered by the compiler itself (Language Server Protocol 3.17).
//!
//! Never writes to a file: what an answer would change is for the editor to write. Never says another thing of a text than
//! `meshc check` does.
//!
//! One thread reads messages, one does all else: what comes in while it compiles waits in a queue that has a bound, and
//! only the newest text of a document is compiled.

mod action;
mod buffer;
mod callers;
mod client;
mod completion;
mod cursor;
mod definition;
mod diagnostics;
mod disk;
mod documents;
mod folder;
mod frame;
mod hover;
mod lens;
mod meaning;
mod page;
mod position;
mod question;
mod queue;
mod reference;
mod schema;
mod server;
mod uri;

use std::path::{Path, PathBuf};

use crate::config::Said;

pub use server::serve;

/// What a server is started with.
#[derive(Debug)]
pub struct Options {
    /// Where the documents are in each folder of the editor.
    pub directory: PathBuf,
    /// Settings that count more than those of `meshc.toml`.
    pub said: Vec<Said>,
    /// Seconds since 1970.
    pub now: fn() -> i64,
    /// The top of the work tree that a path is in.
    pub top: fn(&Path) -> Option<PathBuf>,
    /// Where what goes wrong is told.
    pub log: fn(&str),
}

/// How it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// As the protocol has it: `shutdown`, then `exit`.
    Orderly,
    /// The client went away, or said `exit` without `shutdown`.
    Abrupt,
}
