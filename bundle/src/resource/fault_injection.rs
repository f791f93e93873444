//! Faults that an inbound makes on purpose in HTTP traffic (language 5.14).
//!
//! Never rolls dice: how often is a share, whoever makes the fault rolls.

use serde::{Deserialize, Serialize};

use crate::duration::Duration;
use crate::origin::Origin;

/// One fault. Its parts are independent of each other; the delay comes before the abort.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Fault {
    /// A wait before the request is passed on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delay: Option<Delay>,
    /// An answer instead of that of the workload.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub abort: Option<Abort>,
    /// A slow response.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response_bandwidth: Option<Bandwidth>,
    /// The element of the rule's list.
    pub origin: Origin,
}

/// A wait before a request is passed on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Delay {
    /// How long.
    pub value: Duration,
    /// Share of the requests in millionths, 0 to 1,000,000.
    pub parts_per_million: u32,
}

/// An answer instead of that of the workload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Abort {
    /// Of the answer: 100 to 599.
    pub status: u16,
    /// Share of the requests in millionths, 0 to 1,000,000.
    pub parts_per_million: u32,
}

/// The speed of a response's body.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Bandwidth {
    /// Bits per second; more than zero. A `kbps` is 1,000 of them.
    pub bits_per_second: u64,
    /// Share of the responses in millionths, 0 to 1,000,000.
    pub parts_per_million: u32,
}
