//! Invariants of the repository itself, as tests.
//!
//! Never mends anything. Every rule is a function from texts to complaints, and is shown to complain about a bad text
//! before it is shown the repository: a rule that cannot fail holds nothing.

mod codes;
mod commands;
mod edges;
mod knowledge;
mod links;
mod network;
mod shape;
pub(crate) mod tree;

/// Fails with every complaint at once, one a line.
fn assert_tidy(complaints: &[String]) {
    assert!(
        complaints.is_empty(),
        "{} complaints\n{}",
        complaints.len(),
        complaints.join("\n")
    );
}
