//! Settings: what `meshc.toml`, the environment and the command line say, and which of them counts.
//!
//! Never reads a file or the environment itself: the file comes from the [`World`](crate::World), the same for meshc and meshd, so that
//! both make the same bundle of a commit; the rest is given.

mod effective;
mod file;
mod flags;
mod gates;
mod key;
mod lint;
pub mod rollout;
mod schema;

use std::fmt;

pub use effective::{Effective, Origin, Said, settle};
pub use flags::Flags;
pub use gates::{Gates, Names, Owner, TRAILER, Told};
pub(crate) use key::is_label;
pub use key::{KEYS, Key, Values, key};
pub use lint::{Level, Lint};
pub use schema::schema;

/// What the file is called.
pub const FILE: &str = "meshc.toml";

/// A larger file is refused: nobody writes one.
pub const MOST_BYTES: u64 = 256 * 1024;

/// What is wrong with a file of settings.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct Flaws {
    /// In the order of the file.
    pub list: Vec<Flaw>,
}

/// One thing that is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flaw {
    /// Of the file.
    pub path: String,
    /// Line and column from 1; `None` where the file could not be read.
    pub place: Option<(u32, u32)>,
    /// As a diagnostic: one line, lower case, no full stop.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
}

impl fmt::Display for Flaws {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, flaw) in self.list.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{flaw}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.path)?;
        if let Some((line, column)) = self.place {
            write!(f, ":{line}:{column}")?;
        }
        write!(f, ": {}", self.message)?;
        match &self.help {
            Some(help) => write!(f, "\n  help: {help}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
