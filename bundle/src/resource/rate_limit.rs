//! How much an inbound lets in (language 5.8).
//!
//! Never counts: each limit is a bucket that whoever serves the inbound keeps, for itself alone.

use serde::{Deserialize, Serialize};

use super::{HeaderPair, PeerMatch};
use crate::duration::Duration;
use crate::origin::Sourced;

/// The limits of one inbound. Each of them counts in a bucket of its own.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RateLimits {
    /// Requests of peers whom no match is about. `None`: no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http: Option<Box<HttpRateLimit>>,
    /// Connections of peers whom no match is about. `None`: no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tcp: Option<TcpRateLimit>,
    /// Instead of these, for some peers: the most specific match first. What broader rules say is merged in.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub peers: Vec<PeerRateLimit>,
}

/// Limits that hold for the peers of one match.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PeerRateLimit {
    /// Whom they hold for.
    pub peer: PeerMatch,
    /// `None`: no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http: Option<Box<HttpRateLimit>>,
    /// `None`: the connections of these peers count with those of everybody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tcp: Option<TcpRateLimit>,
}

/// How many requests, and what the others are answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HttpRateLimit {
    /// `true`: no limit, whatever `rate` says.
    pub disabled: Sourced<bool>,
    /// `None`: no policy says how many, so there is no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate: Option<Rate>,
    /// Of the answer to a request that is too many: 400 to 599.
    pub status: Sourced<u16>,
    /// Headers of that answer; each replaces what is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub set_headers: Option<Sourced<Vec<HeaderPair>>>,
    /// Headers that are added to that answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub add_headers: Option<Sourced<Vec<HeaderPair>>>,
}

/// How many connections; the others are closed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TcpRateLimit {
    /// `true`: no limit, whatever `rate` says.
    pub disabled: Sourced<bool>,
    /// `None`: no policy says how many, so there is no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate: Option<Rate>,
}

/// A bucket that holds `num` tokens, and is given `num` more in every `interval`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Rate {
    /// Requests or connections; more than zero.
    pub num: Sourced<u32>,
    /// More than 50 ms.
    pub interval: Sourced<Duration>,
}

impl RateLimits {
    /// Is nothing limited, for nobody?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl HttpRateLimit {
    /// The status where no policy names one: Too Many Requests.
    pub const STATUS: u16 = 429;

    /// How many, where that is limited.
    #[must_use]
    pub fn limit(&self) -> Option<&Rate> {
        self.rate.as_ref().filter(|_| !self.disabled.value)
    }
}

impl TcpRateLimit {
    /// How many, where that is limited.
    #[must_use]
    pub fn limit(&self) -> Option<&Rate> {
        self.rate.as_ref().filter(|_| !self.disabled.value)
    }
}
