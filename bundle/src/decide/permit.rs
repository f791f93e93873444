//! May this peer use this inbound? (language 5.5)
//!
//! Deny beats allow, no match is a denial, and the order of rules and policies never matters.

use crate::origin::Origin;
use crate::resource::{InboundPolicy, PermissionRule};

use super::peer::Peer;

/// The answer, with what caused it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict<'a> {
    /// Served.
    Permit {
        /// The rule that allowed it; `None` where the proxy has no identity, so that nothing is asked.
        origin: Option<&'a Origin>,
    },
    /// Served, and counted as what a stricter policy would refuse.
    ShadowDeny {
        /// The rule.
        origin: &'a Origin,
    },
    /// Refused.
    Deny {
        /// The rule that denied it, or what made deny the default.
        origin: &'a Origin,
    },
}

impl Verdict<'_> {
    /// Is the peer served?
    #[must_use]
    pub fn permits(&self) -> bool {
        !matches!(self, Self::Deny { .. })
    }
}

/// Asks the permissions of an inbound. For a peer that came without mesh TLS to an inbound which accepts that, there is
/// nothing to ask (language 5.5); asked all the same, the answer is the safe one.
#[must_use]
pub fn permit<'a>(policy: &'a InboundPolicy, peer: &Peer<'_>) -> Verdict<'a> {
    let Some(permissions) = &policy.permissions else {
        return Verdict::Permit { origin: None };
    };
    let first = |rules: &'a [PermissionRule]| {
        let rule = rules.iter().find(|rule| rule.peer.matches(peer))?;
        Some(&rule.origin)
    };
    if let Some(origin) = first(&permissions.deny) {
        Verdict::Deny { origin }
    } else if let Some(origin) = first(&permissions.allow) {
        Verdict::Permit {
            origin: Some(origin),
        }
    } else if let Some(origin) = first(&permissions.allow_with_shadow_deny) {
        Verdict::ShadowDeny { origin }
    } else {
        let origin = &permissions.unmatched;
        Verdict::Deny { origin }
    }
}

#[cfg(test)]
mod tests;
