//! The limits of one request at an inbound, which may depend on who asks (language 5.3).
//!
//! Never merges: the compiler has merged every level and put the most specific match first.

use crate::duration::Duration;
use crate::origin::Sourced;
use crate::resource::InboundPolicy;

use super::peer::Peer;

/// The two limits that may differ between peers. Zero switches one off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits<'a> {
    /// A whole request until the end of the response.
    pub request: &'a Sourced<Duration>,
    /// No activity on one request.
    pub stream_idle: &'a Sourced<Duration>,
}

/// Those of the first match that is about the peer, or else those of everybody.
#[must_use]
pub fn limits<'a>(policy: &'a InboundPolicy, peer: &Peer<'_>) -> Limits<'a> {
    let special = policy
        .peer_timeouts
        .iter()
        .find(|timeouts| timeouts.peer.matches(peer));
    match special {
        Some(timeouts) => Limits {
            request: &timeouts.request,
            stream_idle: &timeouts.stream_idle,
        },
        None => Limits {
            request: &policy.timeouts.request,
            stream_idle: &policy.timeouts.stream_idle,
        },
    }
}
