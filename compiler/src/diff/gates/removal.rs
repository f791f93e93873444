//! How many of the edges a change takes away, and whether somebody says why.
//!
//! Never counts what may be called and is not: an edge is a workload that has a listener to a service port whose servers
//! serve it.

use std::collections::{BTreeMap, BTreeSet};

use mesh_bundle::{Bundle, Kri};

use super::{Broken, CAUSES, Change, Gate, Place, Verdict, exceeds, percent, rule};
use crate::config::Gates;
use crate::diff::edges::distinct;
use crate::flow::callers::Caller;
use crate::flow::{Flows, Reach, Server};
use crate::lookup::Lookup;
use crate::world::Commit;

type Pairs = BTreeSet<(Kri, Caller)>;

pub(super) fn judge(gates: &Gates, change: &Change<'_>, verdict: &mut Verdict) {
    let Some(most) = &gates.max_removed_edges_percent else {
        return;
    };
    let was = edges(&change.before.compiled.bundle);
    let is = edges(&change.after.compiled.bundle);
    let mut gone: Pairs = &was - &is;
    // Servers that would serve are no help where routes lead elsewhere.
    for edge in change.difference.edges.iter().filter(|edge| edge.is_whole) {
        let mut traffic = edge.traffic.iter();
        let pair = (edge.port.clone(), edge.caller.clone());
        if traffic.all(|each| each.after == Reach::No) && was.contains(&pair) {
            gone.insert(pair);
        }
    }
    if !exceeds(gone.len(), was.len(), most.value) {
        return;
    }
    let trailer = gates.trailer();
    let said = format!(
        "{} of {} edges ({} %) are removed, more than {} %",
        gone.len(),
        was.len(),
        percent(gone.len(), was.len()),
        most.value
    );
    if let Some((commit, reason)) = reason(change.commits, trailer) {
        let id: String = commit.id.chars().take(12).collect();
        verdict
            .allowed
            .push(format!("{said}; commit {id} says why: {reason}"));
        return;
    }
    verdict.broken.push(Broken {
        gate: Gate::Removal,
        message: said,
        causes: causes(change, &gone),
        rule: rule(gates, most),
        help: format!(
            "where that is meant, say why at the end of the message of a commit of the change: `{trailer}: REASON`"
        ),
    });
}

/// The first commit that says why. As git has it, the case of a trailer means nothing.
fn reason<'c>(commits: &'c [Commit], trailer: &str) -> Option<(&'c Commit, &'c str)> {
    commits.iter().find_map(|commit| {
        let mut trailers = commit.trailers.iter();
        let found = trailers
            .find(|(key, value)| key.eq_ignore_ascii_case(trailer) && !value.trim().is_empty());
        found.map(|(_, value)| (commit, value.as_str()))
    })
}

fn edges(bundle: &Bundle) -> Pairs {
    let flows = Flows::new(bundle);
    let mut servers: Lookup<Kri, Vec<Server<'_>>> = Lookup::default();
    let (mut seen, mut found) = (Pairs::new(), Pairs::new());
    for node in flows.nodes() {
        let id = node.identity().map(|identity| identity.spiffe_id.clone());
        let caller = id.map_or(Caller::Plain, Caller::Named);
        for (_, outbound) in node.outbounds() {
            let port = &outbound.destination;
            let pair = (port.clone(), caller.clone());
            if !seen.insert(pair.clone()) {
                continue;
            }
            if servers.get(port).is_none() {
                servers.insert(port.clone(), distinct(flows.servers(port)));
            }
            let asked = servers.get(port).map_or([].as_slice(), Vec::as_slice);
            if flows.access(asked, caller.peer().as_ref()) > Reach::No {
                found.insert(pair);
            }
        }
    }
    found
}

/// The lines that take the most away.
fn causes(change: &Change<'_>, gone: &Pairs) -> Vec<Place> {
    let mut counted: BTreeMap<Place, usize> = BTreeMap::new();
    for edge in &change.difference.edges {
        if let Some(cause) = &edge.cause
            && gone.contains(&(edge.port.clone(), edge.caller.clone()))
        {
            *counted.entry(Place::from(cause)).or_default() += 1;
        }
    }
    let mut places: Vec<_> = counted.into_iter().collect();
    places.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let places = places.into_iter().map(|(place, _)| place);
    places.take(CAUSES).collect()
}
