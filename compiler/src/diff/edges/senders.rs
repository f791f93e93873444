//! What becomes of what is sent: of everybody who sends as one caller to one port, by every class of requests.
//!
//! Never asks about a class twice, nor about two proxies that fare alike.

mod said;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use mesh_bundle::decide::RouteTable;
use mesh_bundle::resource::Traffic as Routing;
use mesh_bundle::{Digest, Key, Kri, Origin, SpiffeId};

use super::super::{Edge, Sides, Traffic};
use super::access::distinct;
use super::{Pair, blank};
use crate::flow::callers::Caller;
use crate::flow::classes::{RequestClass, classes, samples};
use crate::flow::{Asked, Flows, Reach};
use crate::lookup::Lookup;
use said::Said;

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

pub(super) struct Senders<'b> {
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
    /// Some of it is no request but a connection.
    connects: bool,
}

impl<'b> Sending<'b> {
    fn of(flows: &Flows<'b>, clients: &[&'b Kri], port: &Kri) -> Self {
        let (mut nodes, mut tables) = (Vec::new(), BTreeMap::new());
        let mut connects = false;
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
            match (&destination.traffic, flows.routes(digest, destination)) {
                (Routing::Http { .. }, Ok(table)) => {
                    tables.insert(digest, table);
                }
                _ => connects = true,
            }
        }
        Self {
            nodes,
            tables,
            connects,
        }
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

impl<'b> Senders<'b> {
    pub(super) fn new(sides: &Sides<'b>) -> Self {
        Self {
            before: Clients::new(&sides.before),
            after: Clients::new(&sides.after),
            known: RefCell::default(),
        }
    }

    pub(super) fn judge(
        &self,
        sides: &Sides<'_>,
        (caller, port): Pair,
        edges: &mut BTreeMap<(Kri, Caller), Edge>,
    ) {
        let old = Sending::of(&sides.before, self.before.of(&caller), &port);
        let new = Sending::of(&sides.after, self.after.of(&caller), &port);
        let Found { classes, is_exact } = self.classes(&old, &new);
        let fared = |class: &RequestClass| {
            let before = old.reach(&sides.before, &port, &class.example);
            (before, new.reach(&sides.after, &port, &class.example))
        };
        let fared: Vec<(Reach, Reach)> = classes.iter().map(fared).collect();
        let is_changed = |(before, after): &(Reach, Reach)| before != after;
        if !fared.iter().any(is_changed) {
            return;
        }
        let said = Said::new(&classes, &fared, (&old, &new));
        let mut traffic: Vec<Traffic> = Vec::new();
        let mut cause = None;
        for (place, (class, (before, after))) in classes.iter().zip(&fared).enumerate() {
            if before == after {
                continue;
            }
            let told = Traffic {
                requests: said.words(place),
                example: class.example.clone(),
                before: *before,
                after: *after,
            };
            let is_same = |known: &Traffic| {
                known.requests == told.requests && (known.before, known.after) == (*before, *after)
            };
            if traffic.iter().any(is_same) {
                continue;
            }
            cause = cause.or_else(|| cause_of(sides, (&old, &new), &port, &class.example));
            traffic.push(told);
        }
        let Some(first) = traffic.first() else { return };
        let alike = |each: &Traffic| (each.before, each.after) == (first.before, first.after);
        let is_whole = fared.iter().all(is_changed) && traffic.iter().all(alike);
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

/// The line by which requests fare otherwise.
fn cause_of(
    sides: &Sides<'_>,
    (old, new): (&Sending<'_>, &Sending<'_>),
    port: &Kri,
    asked: &Asked,
) -> Option<Origin> {
    let origin = match (old.nodes.first(), new.nodes.first()) {
        (Some(_), Some(_)) => new.origin(&sides.after, port, asked),
        // Who did not send, and does now, or the other way round, has a line for that.
        (None, new) => listener(&sides.after, new, port),
        (old, None) => listener(&sides.before, old, port),
    };
    origin.or_else(|| old.origin(&sides.before, port, asked))
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
