//! Where an effective value or a decision comes from: the resource, the file and the line.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::kri::Kri;

/// The place in the repository that caused something. Shown as `policies/orders.yaml:9`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Origin {
    /// The resource that holds the line.
    pub resource: Kri,
    /// Path from the root of the repository, with `/`.
    pub file: String,
    /// Counted from 1. 0 for a virtual document (a default policy, a generated service), which has no line.
    pub line: u32,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => f.write_str(&self.file),
            line => write!(f, "{}:{line}", self.file),
        }
    }
}

/// A value, and what set it. `origin: None` means the value built into the language (language 4.13).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Sourced<T> {
    /// The effective value.
    pub value: T,
    /// What set it last; the documents that it beat are shown by `meshc inspect`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<Origin>,
}

impl<T> Sourced<T> {
    /// The same in other words, set by the same line.
    pub fn map_ref<U>(&self, words: impl FnOnce(&T) -> U) -> Sourced<U> {
        Sourced {
            value: words(&self.value),
            origin: self.origin.clone(),
        }
    }

    /// A value that no document set.
    pub fn built_in(value: T) -> Self {
        Self {
            value,
            origin: None,
        }
    }
}
