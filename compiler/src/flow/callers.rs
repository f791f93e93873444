//! Everybody who may ask something of an inbound, in so many classes that rules tell apart.
//!
//! Never leaves an identity out: one that nothing names is like every other of its trust domain that nothing names. Server
//! names of TLS are not told apart: a proxy of ours never sends one.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use mesh_bundle::decide::Peer;
use mesh_bundle::resource::{InboundPolicy, PeerMatch, Resource, SpiffeMatch};
use mesh_bundle::{Bundle, SpiffeId, TrustDomain};

use super::Flows;

/// One class of peers.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Caller {
    /// Without mesh TLS.
    Plain,
    /// The identity of a proxy, or one that a rule names.
    Named(SpiffeId),
    /// All that begin with a prefix, but for those that something longer names.
    Under {
        /// What a rule says.
        prefix: SpiffeId,
        /// One of them.
        example: SpiffeId,
    },
    /// All of a trust domain that nothing names.
    Other {
        /// Who vouches for them.
        domain: TrustDomain,
        /// One of them.
        example: SpiffeId,
    },
}

impl Caller {
    /// Its identity, or that of one of the class.
    #[must_use]
    pub fn identity(&self) -> Option<&SpiffeId> {
        match self {
            Self::Plain => None,
            Self::Named(id) | Self::Under { example: id, .. } | Self::Other { example: id, .. } => {
                Some(id)
            }
        }
    }

    /// As an inbound sees it; `None`: it comes without mesh TLS.
    #[must_use]
    pub fn peer(&self) -> Option<Peer<'_>> {
        let identity = Some(self.identity()?);
        let sni = None;
        Some(Peer { identity, sni })
    }
}

/// As people read it.
impl fmt::Display for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Plain => f.write_str("anybody without mesh TLS"),
            Self::Named(id) => write!(f, "{id}"),
            Self::Under { prefix, .. } => write!(f, "{prefix}*"),
            Self::Other { domain, .. } => write!(f, "any other identity of {domain}"),
        }
    }
}

/// The classes that the rules of these bundles tell apart together, sorted.
#[must_use]
pub fn callers(flows: &[&Flows<'_>]) -> Vec<Caller> {
    let mut named: BTreeSet<SpiffeId> = BTreeSet::new();
    let mut prefixes: BTreeSet<SpiffeId> = BTreeSet::new();
    let mut domains: BTreeSet<TrustDomain> = BTreeSet::new();
    for flows in flows {
        named.extend(flows.identities().keys().copied().cloned());
        domains.extend(trusted(flows.bundle()));
        for id in flows
            .bundle()
            .resources
            .values()
            .flat_map(|resource| mentioned(resource))
        {
            match id {
                SpiffeMatch::Exact(id) => named.insert(id.clone()),
                SpiffeMatch::Prefix(prefix) => prefixes.insert(prefix.clone()),
            };
        }
    }
    domains.extend(
        named
            .iter()
            .chain(&prefixes)
            .map(|id| id.trust_domain().clone()),
    );
    let by_domain = |ids: &BTreeSet<SpiffeId>| {
        let mut map: BTreeMap<TrustDomain, Vec<SpiffeId>> = BTreeMap::new();
        for id in ids {
            map.entry(id.trust_domain().clone())
                .or_default()
                .push(id.clone());
        }
        map
    };
    let (known, begun) = (by_domain(&named), by_domain(&prefixes));
    let empty = Vec::new();
    let mut callers = vec![Caller::Plain];
    callers.extend(named.iter().cloned().map(Caller::Named));
    for domain in domains {
        let known = known.get(&domain).unwrap_or(&empty);
        let begun = begun.get(&domain).unwrap_or(&empty);
        for prefix in begun {
            let example = unnamed(prefix.as_str(), Some(prefix), known, begun);
            callers.extend(example.map(|example| Caller::Under {
                prefix: prefix.clone(),
                example,
            }));
        }
        let example = unnamed(&format!("spiffe://{}", domain.as_str()), None, known, begun);
        callers.extend(example.map(|example| Caller::Other { domain, example }));
    }
    callers.sort();
    callers
}

/// An identity that begins so, of which no other prefix than this one is the longest, and that nothing names.
fn unnamed(
    text: &str,
    prefix: Option<&SpiffeId>,
    named: &[SpiffeId],
    prefixes: &[SpiffeId],
) -> Option<SpiffeId> {
    let longest = |id: &SpiffeId| {
        let holds = |prefix: &&SpiffeId| SpiffeMatch::Prefix((*prefix).clone()).matches(id);
        let holding = prefixes.iter().filter(holds);
        holding.max_by_key(|prefix| prefix.as_str().len())
    };
    // Each name excludes at most one number, and so does each prefix.
    let numbers = 0..=named.len().saturating_add(prefixes.len());
    let candidates = numbers.map(|number| match number {
        0 => format!("{text}/other"),
        number => format!("{text}/{number}-other"),
    });
    candidates
        .filter_map(|candidate| candidate.parse().ok())
        .find(|id| longest(id) == prefix && !named.contains(id))
}

/// The trust domains that some authority of a bundle may vouch for.
fn trusted(bundle: &Bundle) -> Vec<TrustDomain> {
    let kept = bundle
        .issuers
        .values()
        .map(|issuer| issuer.trust_domain.clone());
    let written = bundle
        .resources
        .values()
        .flat_map(|resource| match resource.as_ref() {
            Resource::Trust(trust) => trust.anchors.keys().cloned().collect(),
            _ => Vec::new(),
        });
    kept.chain(written).collect()
}

/// Whom the rules of an inbound are about.
pub(crate) fn mentioned(resource: &Resource) -> Vec<&SpiffeMatch> {
    match resource {
        Resource::InboundPolicy(policy) => named(policy),
        _ => Vec::new(),
    }
}

/// The same, of what an inbound permits and limits.
pub(crate) fn named(policy: &InboundPolicy) -> Vec<&SpiffeMatch> {
    let matches = matches(policy).into_iter();
    matches.filter_map(|own| own.spiffe_id.as_ref()).collect()
}

fn matches(policy: &InboundPolicy) -> Vec<&PeerMatch> {
    let lists = policy.permissions.iter().flat_map(|permissions| {
        let list = [
            &permissions.deny,
            &permissions.allow,
            &permissions.allow_with_shadow_deny,
        ];
        list.into_iter().flatten().map(|rule| &rule.peer)
    });
    let timeouts = policy.peer_timeouts.iter().map(|own| &own.peer);
    let limits = policy.rate_limits.peers.iter().map(|own| &own.peer);
    let faults = policy.faults.iter().filter_map(|rule| rule.peer.as_ref());
    lists.chain(timeouts).chain(limits).chain(faults).collect()
}

#[cfg(test)]
mod tests;
