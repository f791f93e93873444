//! How an answer is written, where that is for people or for programs.

use clap::ValueEnum;

use crate::inspect::Form;

/// See above.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum FormArg {
    /// For people.
    Human,
    /// JSON.
    Json,
}

impl From<FormArg> for Form {
    fn from(form: FormArg) -> Self {
        match form {
            FormArg::Human => Self::Human,
            FormArg::Json => Self::Json,
        }
    }
}
