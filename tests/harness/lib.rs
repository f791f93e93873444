//! A mesh of real processes, told as a story: start it, commit to it, speak through it, break it.
//!
//! Never sleeps: it waits for lines that a process prints, for acknowledgements, for connections that end, and every wait has a
//! deadline. Everything it starts ends when its owner is dropped.

mod binary;

pub use binary::binary;
