//! The corpus of documents and answers that nobody here wrote, and how far we agree with it.
//!
//! Never part of the repository: it lies at `../shared/corpus`, or where `MESH_CORPUS` says. Without it these tests skip
//! loudly. What is excused stands in `conformance/waivers.md`, and nowhere else.

pub(crate) mod cases;
mod documents;
mod figures;
mod hostile;
mod inspect;
mod labels;
mod mending;
mod waivers;
