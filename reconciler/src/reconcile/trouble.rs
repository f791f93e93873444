//! Why a pass did not end with what git says being served: three kinds, each with a reason that a machine can read.
//!
//! Never an error without a reason: the reason is the condition's, the event's and the metric's.

use std::time::Duration;

use crate::git::Failure;

/// At the latest; polling looks earlier.
const LOOK_AGAIN: Duration = Duration::from_mins(5);

/// What keeps meshd from following git.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Trouble {
    pub(crate) kind: Kind,
    /// `CompileFailed`, `PruneGuard`, …
    pub(crate) reason: &'static str,
    /// For people.
    pub(crate) message: String,
    /// What the compiler says about the commit.
    pub(crate) diagnostics: Option<String>,
    /// The commit, where the trouble came after it was known.
    pub(crate) revision: Option<String>,
}

/// What helps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A person commits or configures something. Looked at again when something changes.
    Stalled,
    /// Something that a person does elsewhere, without a commit. Looked at again after this time.
    Waiting(Duration),
    /// The server said when to come back. Not looked at before.
    Busy(Duration),
    /// An operator says so. Looked at again when one does.
    Suspended,
    /// Time. Looked at again, ever more rarely.
    Transient,
}

impl Trouble {
    pub(crate) fn stalled(reason: &'static str, message: impl Into<String>) -> Self {
        Self::new(Kind::Stalled, reason, message)
    }

    pub(crate) fn waiting(
        after: Duration,
        reason: &'static str,
        message: impl Into<String>,
    ) -> Self {
        Self::new(Kind::Waiting(after), reason, message)
    }

    pub(crate) fn suspended(reason: &'static str, message: impl Into<String>) -> Self {
        Self::new(Kind::Suspended, reason, message)
    }

    pub(crate) fn transient(reason: &'static str, message: impl Into<String>) -> Self {
        Self::new(Kind::Transient, reason, message)
    }

    fn new(kind: Kind, reason: &'static str, message: impl Into<String>) -> Self {
        Self {
            kind,
            reason,
            message: message.into(),
            diagnostics: None,
            revision: None,
        }
    }

    /// The same, with what the compiler says.
    pub(crate) fn with_diagnostics(self, text: String) -> Self {
        Self {
            diagnostics: Some(text),
            ..self
        }
    }

    /// The same, about this commit.
    pub(crate) fn about(self, revision: &str) -> Self {
        Self {
            revision: Some(revision.to_owned()),
            ..self
        }
    }
}

impl From<Failure> for Trouble {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Transient(message) => Self::transient("GitOperationFailed", message),
            Failure::Unauthorized(message) => Self::transient("AuthenticationFailed", message),
            Failure::Stalled(message) => Self::stalled("GitNotReadable", message),
            Failure::Damaged(message) => Self::waiting(LOOK_AGAIN, "GitNotReadable", message),
            Failure::Busy { message, after } => {
                Self::new(Kind::Busy(after), "GitOperationFailed", message)
            }
        }
    }
}
