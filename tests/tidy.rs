//! Invariants of the repository itself, as tests.
