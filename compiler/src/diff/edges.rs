//! Who can reach what: asked of both sides, for every caller and every class of requests that could tell them apart.
//!
//! Never asks about what cannot have changed, and never answers by itself.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use mesh_bundle::decide::RouteTable;
use mesh_bundle::resource::Traffic as Routing;
use mesh_bundle::{Digest, Key, Kri, Origin, SpiffeId};

use super::{Edge, Sides, Traffic, words};
use crate::flow::callers::{Caller, callers};
use crate::flow::classes::{RequestClass, classes, samples};
use crate::flow::{Asked, Entrance, Flows, Node, Reach, Server};
use crate::lookup::Lookup;

/// Somebody, and a service port.
type Pair = (Caller, Kri);

pub(super) fn edges(sides: &Sides<'_>, ports: &BTreeSet<Kri>) -> Vec<Edge> {
    let mut edges: BTreeMap<(Kri, Caller), Edge> = BTreeMap::new();
    access(sides, ports, &mut edges);
    let senders = Senders {
        before: Clients::new(&sides.before),
        after: Clients::new(&sides.after),
        known: RefCell::default(),
    };
    for (caller, port) in candidates(sides, ports) {
        senders.judge(sides, (caller, port), &mut edges);
    }
    edges.into_values().collect()
}

/// What the servers of the changed ports say to everybody.
fn access(sides: &Sides<'_>, ports: &BTreeSet<Kri>, edges: &mut BTreeMap<(Kri, Caller), Edge>) {
    if ports.is_empty() {
        return;
    }
    let everybody = callers(&[&sides.before, &sides.after]);
    for port in ports {
        let old = distinct(sides.before.servers(port));
        let new = distinct(sides.after.servers(port));
        for caller in &everybody {
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
}

fn blank(caller: Caller, port: Kri) -> Edge {
    Edge {
        caller,
        port,
        access: (Reach::No, Reach::No),
        traffic: Vec::new(),
        is_whole: false,
        is_exact: true,
        cause: None,
    }
}

/// Servers that say the same to everybody are asked once.
pub(super) fn distinct<'b>(servers: &[Server<'b>]) -> Vec<Server<'b>> {
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
            let same = match (was, is) {
                (Some(was), Some(is)) => sides.meanings.same(was, is),
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
            if whole || !same || !sent || reaches().unwrap_or(true) {
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

/// Clusters that one proxy is told something else about.
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
            (!sides.meanings.same(*was, *is)).then_some(port)
        }
        _ => None,
    });
    changed.collect()
}

/// Who sends as whom.
struct Clients<'b> {
    plain: Vec<&'b Kri>,
    named: BTreeMap<&'b SpiffeId, Vec<&'b Kri>>,
}

impl<'b> Clients<'b> {
    fn new(flows: &Flows<'b>) -> Self {
        let plain = flows.nodes().filter(|node| node.identity().is_none());
        Self {
            plain: plain.map(|node| node.kri).collect(),
            named: flows.identities().clone(),
        }
    }

    fn of(&self, caller: &Caller) -> &[&'b Kri] {
        match caller.identity() {
            None => &self.plain,
            Some(id) => self.named.get(id).map_or(&[], Vec::as_slice),
        }
    }
}

struct Senders<'b> {
    before: Clients<'b>,
    after: Clients<'b>,
    /// Classes that have been found, by the destinations that tell them apart.
    known: RefCell<Lookup<Vec<Digest>, Found>>,
}

#[derive(Clone)]
struct Found {
    classes: Arc<Vec<RequestClass>>,
    is_exact: bool,
}

/// Proxies that send as one caller to one port, those that fare alike once.
struct Sending<'b> {
    nodes: Vec<&'b Kri>,
    tables: BTreeMap<Digest, Arc<RouteTable>>,
}

impl<'b> Sending<'b> {
    fn of(flows: &Flows<'b>, clients: &[&'b Kri], port: &Kri) -> Self {
        let (mut nodes, mut tables) = (Vec::new(), BTreeMap::new());
        let mut seen = BTreeSet::new();
        for kri in clients {
            let Some(node) = flows.node(kri).filter(|node| node.outbound(port).is_some()) else {
                continue;
            };
            let Some((digest, destination)) = node.destination(port) else {
                continue;
            };
            let clusters = destination.clusters();
            let clusters = clusters.filter_map(|port| Some(node.cluster(port)?.0));
            let clusters: Vec<Digest> = clusters.collect();
            let trust = node.entries().get(&Key::Trust);
            if seen.insert((digest, trust, clusters)) {
                nodes.push(node.kri);
            }
            if let (Routing::Http { .. }, Ok(table)) =
                (&destination.traffic, flows.routes(digest, destination))
            {
                tables.insert(digest, table);
            }
        }
        Self { nodes, tables }
    }

    fn reach(&self, flows: &Flows<'b>, port: &Kri, asked: &Asked) -> Reach {
        let flow = |kri: &&Kri| flows.follow(kri, port, asked);
        let reaches = self
            .nodes
            .iter()
            .map(|kri| flow(kri).map_or(Reach::No, |flow| flow.reach()));
        Reach::of(reaches)
    }

    fn origin(&self, flows: &Flows<'b>, port: &Kri, asked: &Asked) -> Option<Origin> {
        let flow = flows.follow(self.nodes.first()?, port, asked).ok()?;
        Some(flow.origin().clone())
    }
}

impl Senders<'_> {
    fn judge(
        &self,
        sides: &Sides<'_>,
        (caller, port): Pair,
        edges: &mut BTreeMap<(Kri, Caller), Edge>,
    ) {
        let old = Sending::of(&sides.before, self.before.of(&caller), &port);
        let new = Sending::of(&sides.after, self.after.of(&caller), &port);
        let Found { classes, is_exact } = self.classes(&old, &new);
        let mut traffic = Vec::new();
        let mut cause = None;
        for class in classes.iter() {
            let asked = &class.example;
            let before = old.reach(&sides.before, &port, asked);
            let after = new.reach(&sides.after, &port, asked);
            if before != after {
                let origin = || match (old.nodes.first(), new.nodes.first()) {
                    (Some(_), Some(_)) => new.origin(&sides.after, &port, asked),
                    // Who did not send, and does now, or the other way round, has a line for that.
                    (None, new) => listener(&sides.after, new, &port),
                    (old, None) => listener(&sides.before, old, &port),
                };
                let origin = origin().or_else(|| old.origin(&sides.before, &port, asked));
                cause = cause.or(origin);
                traffic.push(Traffic {
                    requests: requests(class, &old, &new),
                    example: asked.clone(),
                    before,
                    after,
                });
            }
        }
        let Some(first) = traffic.first() else { return };
        let alike = |each: &Traffic| (each.before, each.after) == (first.before, first.after);
        let is_whole = traffic.len() == classes.len() && traffic.iter().all(alike);
        let key = (port, caller);
        let edge = edges.entry(key).or_insert_with_key(|(port, caller)| {
            let mut edge = blank(caller.clone(), port.clone());
            let reach = sides
                .after
                .access(&distinct(sides.after.servers(port)), caller.peer().as_ref());
            edge.access = (reach, reach);
            edge
        });
        edge.traffic = traffic;
        edge.is_whole = is_whole;
        edge.is_exact = is_exact;
        edge.cause = edge.cause.take().or(cause);
    }

    /// The classes that the routes of both sides tell apart.
    fn classes(&self, old: &Sending<'_>, new: &Sending<'_>) -> Found {
        let mut tables = old.tables.clone();
        tables.extend(new.tables.clone());
        let digests: Vec<Digest> = tables.keys().copied().collect();
        if let Some(known) = self.known.borrow().get(&digests) {
            return known.clone();
        }
        let list: Vec<&RouteTable> = tables.values().map(Arc::as_ref).collect();
        let found = match classes(&list) {
            Ok(classes) => Found {
                classes: Arc::new(classes),
                is_exact: true,
            },
            Err(_) => some(&list),
        };
        self.known.borrow_mut().insert(digests, found.clone());
        found
    }
}

/// What a proxy sends to a port by.
fn listener(flows: &Flows<'_>, node: Option<&&Kri>, port: &Kri) -> Option<Origin> {
    let outbound = flows.node(node?)?.outbound(port)?;
    Some(outbound.origin.clone())
}

/// Where the routes of both sides tell too much apart: what each of them tells apart alone, or what its routes say.
fn some(tables: &[&RouteTable]) -> Found {
    let alone = |table: &&RouteTable| classes(&[table]).unwrap_or_default();
    let mut found: Vec<RequestClass> = tables.iter().flat_map(alone).collect();
    found.extend(samples(tables));
    Found {
        classes: Arc::new(found),
        is_exact: false,
    }
}

/// In the words of the first route that is about it and is not about everything.
fn requests(class: &RequestClass, old: &Sending<'_>, new: &Sending<'_>) -> String {
    let tables = new.tables.values().chain(old.tables.values());
    let taken = tables.filter_map(|table| {
        let position = class.example.position(table)?;
        table.routes().get(position)
    });
    let matches = taken.map(|route| &route.route.matches);
    let said =
        matches.map(|matches| words::request(&serde_json::to_value(matches).unwrap_or_default()));
    let mut said: Vec<String> = said.collect();
    said.dedup();
    let special = said.iter().find(|words| !words.starts_with("all other"));
    special
        .or(said.first())
        .cloned()
        .unwrap_or_else(|| "connections".to_owned())
}
