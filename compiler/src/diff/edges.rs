//! Who can reach what: asked of both sides, for every caller and every class of requests that could tell them apart.
//!
//! Never asks about what cannot have changed, and never answers by itself.

mod access;
mod senders;
mod sent;

use std::collections::{BTreeMap, BTreeSet};

use mesh_bundle::{Digest, Key, Kri};

use super::{Edge, Sides};
use crate::flow::callers::Caller;
use crate::flow::{Node, Reach};
use crate::lookup::Lookup;

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
    let mut found = BTreeSet::new();
    let others = sides.other_issuers();
    let (before, after) = (sides.before.bundle(), sides.after.bundle());
    let mut touching: Lookup<Digest, bool> = Lookup::default();
    let names: BTreeSet<&Kri> = before.proxies.keys().chain(after.proxies.keys()).collect();
    for name in names {
        let (old, new) = (sides.before.node(name), sides.after.node(name));
        let id = |node: Option<Node<'_>>| {
            let identity = node?.identity();
            Some(identity.map(|identity| identity.spiffe_id.clone()))
        };
        let (old_id, new_id) = (id(old), id(new));
        let trust = |node: Option<Node<'_>>| node.and_then(|node| node.trust().cloned());
        let whole = others || old_id != new_id || trust(old) != trust(new);
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
            let mut reaches = || {
                let destination = new?.destination(port)?;
                let mut clusters_of = destination.1.clusters();
                let known = touching.get(&destination.0).copied();
                let touches = known.unwrap_or_else(|| {
                    let touches = destination.1.clusters().any(|port| ports.contains(port));
                    touching.insert(destination.0, touches);
                    touches
                });
                Some(touches || clusters_of.any(|port| clusters.contains(port)))
            };
            if whole || !alike || !sent || reaches().unwrap_or(true) {
                for id in [&old_id, &new_id].into_iter().flatten() {
                    let caller = id.clone().map_or(Caller::Plain, Caller::Named);
                    found.insert((caller, Kri::clone(port)));
                }
            }
        }
    }
    found
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
