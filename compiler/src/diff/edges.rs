//! Who can reach what: asked of both sides, for every caller and every class of requests that could tell them apart.
//!
//! Never asks about what cannot have changed, and never answers by itself.

mod access;
mod senders;
mod sent;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use mesh_bundle::decide::Peer;
use mesh_bundle::{Key, Kri, SpiffeId};

use super::{Edge, Sides};
use crate::flow::callers::Caller;
use crate::flow::{Node, Reach, Server};
use crate::lookup::Lookup;
use crate::parallel::{self, SMALL};

pub(super) use access::distinct;
use senders::Senders;

/// Somebody, and a service port.
type Pair = (Caller, Kri);

pub(super) fn edges(sides: &Sides<'_>, ports: &BTreeSet<Kri>) -> Vec<Edge> {
    let mut edges: BTreeMap<(Kri, Caller), Edge> = BTreeMap::new();
    access::changes(sides, ports, &mut edges);
    let senders = Senders::new(sides);
    for (caller, port) in candidates(sides, ports) {
        senders.judge(sides, (caller, port), &mut edges);
    }
    edges.into_values().collect()
}

fn blank(caller: Caller, port: Kri) -> Edge {
    Edge {
        caller,
        port,
        access: (Reach::No, Reach::No),
        traffic: Vec::new(),
        is_whole: false,
        is_exact: true,
        is_idle: true,
        cause: None,
    }
}

/// Callers and ports between which traffic may fare otherwise.
fn candidates(sides: &Sides<'_>, ports: &BTreeSet<Kri>) -> BTreeSet<Pair> {
    let (before, after) = (sides.before.bundle(), sides.after.bundle());
    let names: BTreeSet<&Kri> = before.proxies.keys().chain(after.proxies.keys()).collect();
    let names: Vec<&Kri> = names.into_iter().collect();
    let looking = Looking {
        sides,
        ports,
        others: sides.other_issuers(),
        admitting: Mutex::default(),
    };
    let found = parallel::map(&names, SMALL, |name| looking.at(name));
    found.into_iter().flatten().collect()
}

/// Looks at one proxy after the other.
struct Looking<'a, 'b> {
    sides: &'a Sides<'b>,
    ports: &'a BTreeSet<Kri>,
    others: bool,
    /// See [`admits_alike`].
    admitting: Mutex<Lookup<(Option<&'b SpiffeId>, &'a Kri), bool>>,
}

impl<'a, 'b> Looking<'a, 'b> {
    /// What of the traffic of a proxy may fare otherwise.
    fn at(&self, name: &Kri) -> Vec<Pair> {
        let sides = self.sides;
        let mut found = Vec::new();
        let (old, new) = (sides.before.node(name), sides.after.node(name));
        let (old_id, new_id) = (id(old), id(new));
        let trust = |node: Option<Node<'b>>| node.and_then(Node::trust);
        let whole = self.others || old_id != new_id || trust(old) != trust(new);
        let clusters = changed_clusters(sides, old, new);
        let (sends_old, sends_new) = (destinations(old), destinations(new));
        for port in sends_old.union(&sends_new) {
            let digest = |node: Option<Node<'_>>| Some(node?.destination(port)?.0);
            let (was, is) = (digest(old), digest(new));
            let alike = match (was, is) {
                (Some(was), Some(is)) => sides.meanings.lead_alike(was, is),
                _ => false,
            };
            let sent = sends_old.contains(port) && sends_new.contains(port);
            let reaches = || {
                let (_, destination) = new?.destination(port)?;
                let id = new_id?;
                let mut touched = destination
                    .clusters()
                    .filter_map(|port| self.ports.get(port));
                let otherwise = touched.any(|port| !self.admits_alike(port, id));
                Some(otherwise || destination.clusters().any(|port| clusters.contains(port)))
            };
            if whole || !alike || !sent || reaches().unwrap_or(true) {
                for id in [&old_id, &new_id].into_iter().flatten() {
                    let caller = id.cloned().map_or(Caller::Plain, Caller::Named);
                    found.push((caller, Kri::clone(port)));
                }
            }
        }
        found
    }

    /// Asked once for all proxies with one identity.
    fn admits_alike(&self, port: &'a Kri, id: Option<&'b SpiffeId>) -> bool {
        let known = || {
            self.admitting
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
        };
        if let Some(known) = known().get(&(id, port)) {
            return *known;
        }
        let alike = admits_alike(self.sides, port, id);
        known().insert((id, port), alike);
        alike
    }
}

/// As whom a proxy calls, where there is one.
fn id<'b>(node: Option<Node<'b>>) -> Option<Option<&'b SpiffeId>> {
    let identity = node?.identity();
    Some(identity.map(|identity| &identity.spiffe_id))
}

/// Do the servers of a port, which are the same, take all that they took from somebody?
fn admits_alike(sides: &Sides<'_>, port: &Kri, identity: Option<&SpiffeId>) -> bool {
    let (before, after) = (&sides.before, &sides.after);
    let (old, new) = (before.servers(port), after.servers(port));
    let peer = Peer {
        identity,
        sni: None,
    };
    let alike = |(was, is): (&Server<'_>, &Server<'_>)| {
        let takes = |peer| before.entrance(was, peer).reach() == after.entrance(is, peer).reach();
        was.node.kri == is.node.kri
            && was.endpoint == is.endpoint
            && id(Some(was.node)) == id(Some(is.node))
            && takes(None)
            && takes(Some(&peer))
    };
    before.is_tls_ready(port) == after.is_tls_ready(port)
        && old.len() == new.len()
        && old.iter().zip(new).all(alike)
}

fn destinations<'b>(node: Option<Node<'b>>) -> BTreeSet<&'b Kri> {
    let outbounds = node.into_iter().flat_map(Node::outbounds);
    outbounds
        .map(|(_, outbound)| &outbound.destination)
        .collect()
}

/// Clusters that one proxy reaches otherwise.
fn changed_clusters<'b>(
    sides: &Sides<'_>,
    old: Option<Node<'b>>,
    new: Option<Node<'b>>,
) -> BTreeSet<&'b Kri> {
    let Some((old, new)) = old.zip(new) else {
        return BTreeSet::new();
    };
    let entries = new.entries().iter();
    let changed = entries.filter_map(|(key, is)| match key {
        Key::Cluster(port) => {
            let was = old.entries().get(key)?;
            (!sides.meanings.lead_alike(*was, *is)).then_some(port)
        }
        _ => None,
    });
    changed.collect()
}
