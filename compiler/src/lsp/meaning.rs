//! What some texts mean: findings, and what questions are answered from.
//!
//! Never changes: new texts have a new one.

use crate::analysis::Analysis;

/// What the texts of a repository mean.
#[derive(Debug)]
pub(super) struct Meaning {
    pub(super) analysis: Analysis,
}
