//! Who may reach what: what servers say to everybody, were they asked.
//!
//! Never asks what is sent, but for whether anything is.

use std::collections::{BTreeMap, BTreeSet};

use mesh_bundle::resource::SpiffeMatch;
use mesh_bundle::{Key, Kri, Origin, SpiffeId, TrustDomain};

use super::super::{Edge, Sides};
use super::blank;
use super::sent::sent;
use crate::flow::callers::{Caller, callers, named};
use crate::flow::{Entrance, Flows, Server};

/// What the servers of the changed ports say to everybody.
pub(super) fn changes(
    sides: &Sides<'_>,
    ports: &BTreeSet<Kri>,
    edges: &mut BTreeMap<(Kri, Caller), Edge>,
) {
    if ports.is_empty() {
        return;
    }
    let everybody = Everybody::of(callers(&[&sides.before, &sides.after]));
    for port in ports {
        let old = distinct(sides.before.servers(port));
        let new = distinct(sides.after.servers(port));
        for caller in everybody.told_apart(sides, (&old, &new)) {
            let before = sides.before.access(&old, caller.peer().as_ref());
            let after = sides.after.access(&new, caller.peer().as_ref());
            if before != after {
                let mut edge = blank(caller.clone(), port.clone());
                edge.access = (before, after);
                let is = said(&sides.after, &new, caller, after > before);
                let was = said(&sides.before, &old, caller, after < before);
                edge.cause = match (is, was) {
                    // Where nothing is said any more, the line that is gone is why.
                    (Some(is), Some(was)) if is.resource != was.resource && silent(&new, &is) => {
                        Some(was)
                    }
                    (is, was) => is.or(was),
                };
                edges.insert((port.clone(), caller.clone()), edge);
            }
        }
    }
    let concerned: BTreeSet<&Kri> = edges.keys().map(|(port, _)| port).collect();
    let (old, new) = (
        sent(&sides.before, &concerned),
        sent(&sides.after, &concerned),
    );
    for ((port, caller), edge) in edges {
        let sent = if edge.access.1 > edge.access.0 {
            &new
        } else {
            &old
        };
        edge.is_idle = !sent.contains(&(port.clone(), caller.identity().cloned()));
    }
}

/// All callers, by what rules that do not name them tell apart.
struct Everybody {
    /// Sorted.
    callers: Vec<Caller>,
    domains: BTreeMap<TrustDomain, Domain>,
}

/// The callers of one trust domain, as places in the list.
#[derive(Default)]
struct Domain {
    members: Vec<usize>,
    /// Whom no rule names: whom the rules of a port do not name fares like it there.
    other: Option<usize>,
}

impl Everybody {
    fn of(callers: Vec<Caller>) -> Self {
        let mut domains: BTreeMap<TrustDomain, Domain> = BTreeMap::new();
        for (place, caller) in callers.iter().enumerate() {
            if let Some(id) = caller.identity() {
                let domain = domains.entry(id.trust_domain().clone()).or_default();
                domain.members.push(place);
                if matches!(caller, Caller::Other { .. }) {
                    domain.other = Some(place);
                }
            }
        }
        Self { callers, domains }
    }

    /// Those for whom the answer of these servers may be another than it was: mostly a few of thousands.
    fn told_apart<'b>(
        &self,
        sides: &Sides<'b>,
        (old, new): (&[Server<'b>], &[Server<'b>]),
    ) -> impl Iterator<Item = &Caller> {
        let plain = self.callers.binary_search(&Caller::Plain);
        let mut found: BTreeSet<usize> = plain.into_iter().collect();
        for rule in old
            .iter()
            .chain(new)
            .flat_map(|server| named(server.policy))
        {
            match rule {
                SpiffeMatch::Exact(id) => {
                    found.extend(self.callers.binary_search(&Caller::Named(id.clone())));
                }
                SpiffeMatch::Prefix(prefix) => found.extend(self.within(prefix, rule)),
            }
        }
        for domain in self.domains.values() {
            let other = domain.other.and_then(|place| self.callers.get(place));
            let alike = other.is_some_and(|other| {
                let peer = other.peer();
                sides.before.access(old, peer.as_ref()) == sides.after.access(new, peer.as_ref())
            });
            if !alike {
                found.extend(&domain.members);
            }
        }
        let mut found = found.into_iter();
        std::iter::from_fn(move || self.callers.get(found.next()?))
    }

    /// Those whom a rule about a prefix is about.
    fn within(&self, prefix: &SpiffeId, rule: &SpiffeMatch) -> impl Iterator<Item = usize> {
        let domain = self.domains.get(prefix.trust_domain());
        let members = domain
            .into_iter()
            .flat_map(|domain| &domain.members)
            .copied();
        members.filter(move |place| {
            let id = self.callers.get(*place).and_then(Caller::identity);
            id.is_some_and(|id| rule.matches(id))
        })
    }
}

/// Servers that say the same to everybody are asked once.
pub(in crate::diff) fn distinct<'b>(servers: &[Server<'b>]) -> Vec<Server<'b>> {
    let mut seen = BTreeSet::new();
    let known = |server: &&Server<'b>| {
        let trust = server.node.entries().get(&Key::Trust);
        seen.insert((
            server.digest,
            trust,
            server.node.kri.mesh(),
            server.endpoint.healthy,
        ))
    };
    servers.iter().filter(known).copied().collect()
}

/// The line by which one of the servers serves a caller, or does not.
fn said<'b>(
    flows: &Flows<'b>,
    servers: &[Server<'b>],
    caller: &Caller,
    served: bool,
) -> Option<Origin> {
    let peer = caller.peer();
    servers
        .iter()
        .find_map(|server| match flows.entrance(server, peer.as_ref()) {
            Entrance::Asked(admission) if admission.admits() == served => {
                admission.origin().cloned()
            }
            _ => None,
        })
}

/// Is it what makes deny the default, where no rule is about the caller?
fn silent(servers: &[Server<'_>], origin: &Origin) -> bool {
    let mut permissions = servers
        .iter()
        .filter_map(|server| server.policy.permissions.as_ref());
    permissions.any(|permissions| permissions.unmatched == *origin)
}
