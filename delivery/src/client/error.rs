//! What can go wrong between a proxy and meshd, in words that say where to look.
//!
//! Never a bare code: an operator reads this in the log of a proxy that does not become ready.

use tonic::{Code, Status};

use crate::bounds;
use crate::message::Denied;
use crate::subscriber::Violation;
use crate::wire::{Malformed, words};

/// Why there is no enrolment, or no session any more.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ClientError {
    /// The name of the server makes no sense.
    #[error("`{name}` cannot be the name of a server")]
    Name {
        /// What was given.
        name: String,
    },
    /// Nobody answers there.
    #[error("cannot reach meshd at {address}: {reason}")]
    Unreachable {
        /// Where.
        address: String,
        /// In words.
        reason: String,
    },
    /// One of the two does not trust the other, or it is not meshd.
    #[error("no trusted connection to meshd at {address}: {reason}")]
    Tls {
        /// Where.
        address: String,
        /// In words.
        reason: String,
    },
    /// meshd says no.
    #[error("meshd refuses: {0}")]
    Refused(Denied),
    /// The session was in order, and is over: meshd stopped, a newer session took over, the connection was lost.
    #[error("the session with meshd ended: {0}")]
    Ended(String),
    /// What meshd sent is not of this protocol.
    #[error("meshd breaks the protocol: {0}")]
    Protocol(String),
}

impl From<Malformed> for ClientError {
    fn from(malformed: Malformed) -> Self {
        Self::Protocol(malformed.to_string())
    }
}

impl From<Violation> for ClientError {
    fn from(violation: Violation) -> Self {
        Self::Protocol(violation.to_string())
    }
}

/// What meshd said, where it said something.
pub(super) fn said(status: &Status) -> ClientError {
    let reason = words(status.message(), bounds::REASON);
    match status.code() {
        Code::Unauthenticated => ClientError::Refused(Denied::Unauthenticated(reason)),
        Code::PermissionDenied => ClientError::Refused(Denied::Forbidden(reason)),
        Code::InvalidArgument | Code::FailedPrecondition | Code::OutOfRange => {
            ClientError::Refused(Denied::Invalid(reason))
        }
        Code::Unavailable | Code::ResourceExhausted => {
            ClientError::Refused(Denied::Unavailable(reason))
        }
        Code::Aborted | Code::Cancelled | Code::DeadlineExceeded => ClientError::Ended(reason),
        code => ClientError::Protocol(format!("{reason} ({code:?})")),
    }
}
