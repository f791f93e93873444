//! Repository of mesh YAML to bundle and diagnostics.
//!
//! Never fails and never panics: any bytes give a bundle or diagnostics (`compile` is total). Never reads a file, a
//! clock or the environment: everything comes through a [`World`] and [`model::Settings`], so equal files give equal bytes.
//!
//! The stages, in the order of the modules: `source` text to documents with spans, `envelope` to names and labels,
//! `schema` and `kinds` to typed specs, `policy` selects, orders and merges, `lower` makes the bundle.

mod analysis;
pub mod blame;
pub mod cli;
mod compile;
mod compose;
pub mod config;
mod defaults;
pub mod diag;
pub mod diff;
pub mod edit;
mod envelope;
pub mod fix;
pub mod fleet;
pub mod flow;
pub mod format;
mod gateway;
pub mod graph;
mod hostname;
mod identity;
mod incremental;
mod index;
pub mod inspect;
pub mod intent;
mod json;
mod kinds;
mod lints;
mod lookup;
mod lower;
pub mod lsp;
pub mod model;
mod parallel;
mod policy;
mod provenance;
mod reading;
pub mod reference;
mod repository;
mod resolve;
mod schema;
mod service;
mod similar;
pub mod source;
mod suppress;
mod telemetry;
mod template;
mod vip;
pub mod world;
mod yaml;

pub use analysis::Analysis;
pub use compile::{Checked, Compiled, Labels, Secrets, analyse, check, compile};
pub use diag::{Code, Diagnostic, Diagnostics, Location, Pointer, Severity};
pub use incremental::Compiler;
pub use provenance::Provenance;
pub use reference::{reference, schemas, union};
pub use source::Sources;
pub use world::{MemoryWorld, World};
