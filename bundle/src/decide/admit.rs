//! May a connection come in, as it came? (language 6.1 and 5.5)
//!
//! Never judges a certificate: whether a peer is who it says has been found out before it is asked here.

use crate::origin::Origin;
use crate::resource::{InboundPolicy, TlsMode};

use super::peer::Peer;
use super::permit::{Verdict, permit};

/// The answer, with what caused it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission<'a> {
    /// The peer has proved who it is, and the permissions were asked.
    Asked(Verdict<'a>),
    /// It came without mesh TLS, which is accepted: there is nobody to ask about.
    Plain {
        /// What set the mode; `None` where it is built in.
        origin: Option<&'a Origin>,
    },
    /// It came without mesh TLS, which is not accepted.
    NeedsTls {
        /// What set the mode; `None` where it is built in.
        origin: Option<&'a Origin>,
    },
}

impl<'a> Admission<'a> {
    /// Is the connection served?
    #[must_use]
    pub fn admits(&self) -> bool {
        match self {
            Self::Asked(verdict) => verdict.permits(),
            Self::Plain { .. } => true,
            Self::NeedsTls { .. } => false,
        }
    }

    /// What caused the answer; `None` for what is built in.
    #[must_use]
    pub fn origin(&self) -> Option<&'a Origin> {
        match *self {
            Self::Asked(Verdict::Permit { origin }) => origin,
            Self::Asked(Verdict::ShadowDeny { origin } | Verdict::Deny { origin }) => Some(origin),
            Self::Plain { origin } | Self::NeedsTls { origin } => origin,
        }
    }
}

/// Asks an inbound about a connection. `peer` is `None` where it came without mesh TLS.
#[must_use]
pub fn admit<'a>(policy: &'a InboundPolicy, peer: Option<&Peer<'_>>) -> Admission<'a> {
    let origin = policy.tls.origin.as_ref();
    match (peer, policy.tls.value) {
        (Some(peer), _) => Admission::Asked(permit(policy, peer)),
        (None, TlsMode::Strict) => Admission::NeedsTls { origin },
        (None, TlsMode::Permissive | TlsMode::Disabled) => Admission::Plain { origin },
    }
}

/// Does a proxy speak mesh TLS to a service port? It needs an identity of its own, and every server a trusted one.
#[must_use]
pub fn speaks_tls(has_identity: bool, tls_ready: bool) -> bool {
    has_identity && tls_ready
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_proves_nothing_is_served_unless_proof_is_wanted() {
        for (mode, admits) in [
            (TlsMode::Disabled, true),
            (TlsMode::Permissive, true),
            (TlsMode::Strict, false),
        ] {
            let policy = InboundPolicy::new(mode, None);
            let answer = admit(&policy, None);
            assert_eq!(answer.admits(), admits, "{mode:?}");
            assert_eq!(answer.origin(), None);
            // A peer that has proved who it is, is asked about in every mode.
            let asked = admit(&policy, Some(&Peer::default()));
            assert_eq!(asked, Admission::Asked(Verdict::Permit { origin: None }));
        }
    }
}
