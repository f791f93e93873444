//! Who is at the other end, and whether a rule is about them (language 4.5).
//!
//! Never compares SPIFFE IDs as a peer wrote them: both sides have passed the grammar.

use crate::resource::{PeerMatch, SpiffeMatch};
use crate::spiffe::SpiffeId;

/// What is known of the other end of a connection.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Peer<'a> {
    /// From its verified certificate; `None` without one.
    pub identity: Option<&'a SpiffeId>,
    /// The TLS server name that it asked for.
    pub sni: Option<&'a str>,
}

impl PeerMatch {
    /// Is it about this peer? A match without any condition is about nobody.
    #[must_use]
    pub fn matches(&self, peer: &Peer<'_>) -> bool {
        let identity = self
            .spiffe_id
            .as_ref()
            .is_none_or(|rule| peer.identity.is_some_and(|id| rule.matches(id)));
        let sni = self
            .sni
            .as_ref()
            .is_none_or(|rule| peer.sni.is_some_and(|name| name.eq_ignore_ascii_case(rule)));
        (self.spiffe_id.is_some() || self.sni.is_some()) && identity && sni
    }
}

impl SpiffeMatch {
    /// Is it about this identity? A prefix never reaches into another trust domain: `spiffe://td` is not about
    /// `spiffe://td2`.
    #[must_use]
    pub fn matches(&self, id: &SpiffeId) -> bool {
        match self {
            Self::Exact(exact) => exact == id,
            Self::Prefix(prefix) => {
                prefix.trust_domain() == id.trust_domain() && id.path().starts_with(prefix.path())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(text: &str) -> SpiffeId {
        text.parse().unwrap()
    }

    #[test]
    fn exact_and_prefix() {
        for (exact, prefix, peer) in [
            // rule, exact matches, prefix matches
            (true, true, "spiffe://td/workload/web"),
            (false, true, "spiffe://td/workload/web2"),
            (false, true, "spiffe://td/workload/web/v2"),
            (false, false, "spiffe://td/workload/we"),
            (false, false, "spiffe://td"),
            (false, false, "spiffe://td2/workload/web"),
            (false, false, "spiffe://td/Workload/web"),
        ] {
            let rule = id("spiffe://td/workload/web");
            assert_eq!(
                SpiffeMatch::Exact(rule.clone()).matches(&id(peer)),
                exact,
                "{peer}"
            );
            assert_eq!(
                SpiffeMatch::Prefix(rule).matches(&id(peer)),
                prefix,
                "{peer}"
            );
        }
    }

    #[test]
    fn a_prefix_stays_in_its_trust_domain() {
        let rule = SpiffeMatch::Prefix(id("spiffe://td"));
        assert!(rule.matches(&id("spiffe://td/any")));
        assert!(!rule.matches(&id("spiffe://td.evil/any")));
    }

    #[test]
    fn every_condition_must_hold_and_none_is_nobody() {
        let web = id("spiffe://td/web");
        let rule = |spiffe: bool, sni: Option<&str>| PeerMatch {
            spiffe_id: spiffe.then(|| SpiffeMatch::Exact(web.clone())),
            sni: sni.map(str::to_owned),
        };
        let (identity, sni) = (Some(&web), Some("API.mesh"));
        let full = Peer { identity, sni };
        let anonymous = Peer {
            identity: None,
            sni,
        };
        let nameless = Peer {
            identity,
            sni: None,
        };
        for (rule, expected) in [
            (rule(true, None), [true, false, true]),
            (rule(false, Some("api.mesh")), [true, true, false]),
            (rule(true, Some("api.mesh")), [true, false, false]),
            (rule(true, Some("db.mesh")), [false, false, false]),
            (rule(false, None), [false, false, false]),
        ] {
            assert_eq!(
                [full, anonymous, nameless].map(|peer| rule.matches(&peer)),
                expected,
                "{rule:?}"
            );
        }
    }
}
