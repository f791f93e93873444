//! Git to compile to roll out to deliver.

pub mod git;
