//! Why streams and connections end before their time (RFC 9113 7).

use std::fmt;

/// An error code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Reason(pub(super) u32);

impl Reason {
    pub(crate) const NO_ERROR: Self = Self(0);
    pub(crate) const PROTOCOL_ERROR: Self = Self(1);
    pub(crate) const INTERNAL_ERROR: Self = Self(2);
    pub(crate) const FLOW_CONTROL_ERROR: Self = Self(3);
    pub(crate) const STREAM_CLOSED: Self = Self(5);
    pub(crate) const FRAME_SIZE_ERROR: Self = Self(6);
    pub(crate) const REFUSED_STREAM: Self = Self(7);
    pub(crate) const CANCEL: Self = Self(8);
    pub(crate) const COMPRESSION_ERROR: Self = Self(9);
    pub(crate) const CONNECT_ERROR: Self = Self(10);
    pub(crate) const ENHANCE_YOUR_CALM: Self = Self(11);
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self.0 {
            0 => "NO_ERROR",
            1 => "PROTOCOL_ERROR",
            2 => "INTERNAL_ERROR",
            3 => "FLOW_CONTROL_ERROR",
            4 => "SETTINGS_TIMEOUT",
            5 => "STREAM_CLOSED",
            6 => "FRAME_SIZE_ERROR",
            7 => "REFUSED_STREAM",
            8 => "CANCEL",
            9 => "COMPRESSION_ERROR",
            10 => "CONNECT_ERROR",
            11 => "ENHANCE_YOUR_CALM",
            12 => "INADEQUATE_SECURITY",
            13 => "HTTP_1_1_REQUIRED",
            other => return write!(f, "error code {other}"),
        };
        f.write_str(name)
    }
}

/// Why there is nothing more to come, or nothing more can be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Error {
    #[error("the other side has reset the stream: {0}")]
    Reset(Reason),
    /// What came on it was against the rules.
    #[error("the stream was reset for what came on it: {0}")]
    Broken(Reason),
    #[error("the connection was ended for what came on it: {0}")]
    Violated(Reason),
    /// The other side promises that it has not looked at the request (RFC 9113 6.8 and 8.7).
    #[error("the other side has not looked at it")]
    Unprocessed,
    #[error("the connection is closed")]
    Closed,
}

impl Error {
    /// What whoever sends the same message on is told instead of its end.
    pub(crate) fn reason(self) -> Option<Reason> {
        match self {
            Self::Reset(reason) | Self::Broken(reason) | Self::Violated(reason) => Some(reason),
            Self::Unprocessed => Some(Reason::REFUSED_STREAM),
            Self::Closed => None,
        }
    }
}
