//! Where anything is sent at all, and as whom it arrives.
//!
//! Never asks whether it is served.

use std::collections::{BTreeMap, BTreeSet};

use mesh_bundle::decide::speaks_tls;
use mesh_bundle::resource::{Destination, Filter, HttpRoute, Traffic, WeightedBackend};
use mesh_bundle::{Digest, Kri, SpiffeId};

use crate::flow::Flows;
use crate::flow::classes::classes;

/// The ports, of these, at which something arrives, each with the identity that it comes with; copies included.
pub(super) fn sent(flows: &Flows<'_>, ports: &BTreeSet<&Kri>) -> BTreeSet<(Kri, Option<SpiffeId>)> {
    let mut found = BTreeSet::new();
    if ports.is_empty() {
        return found;
    }
    let mut known: BTreeMap<Digest, Vec<&Kri>> = BTreeMap::new();
    for node in flows.nodes() {
        let own = node.identity().map(|own| &own.spiffe_id);
        for (_, outbound) in node.outbounds() {
            let Some((digest, destination)) = node.destination(&outbound.destination) else {
                continue;
            };
            let ends = known
                .entry(digest)
                .or_insert_with(|| ends(flows, digest, destination, ports));
            for port in ends.iter().copied() {
                let tls = speaks_tls(own.is_some(), flows.is_tls_ready(port));
                found.insert((port.clone(), own.filter(|_| tls).cloned()));
            }
        }
    }
    found
}

/// The ports, of these, that some request for a destination is sent to.
fn ends<'b>(
    flows: &Flows<'b>,
    digest: Digest,
    destination: &'b Destination,
    ports: &BTreeSet<&Kri>,
) -> Vec<&'b Kri> {
    if !destination.clusters().any(|port| ports.contains(port)) {
        return Vec::new();
    }
    let ends: Vec<&Kri> = match &destination.traffic {
        Traffic::Tcp { route } => weighty(&route.backends).collect(),
        Traffic::Http { routes } => {
            // Most have one route, for all requests.
            let table = (routes.len() > 1).then(|| flows.routes(digest, destination).ok());
            let classes = table.flatten().and_then(|table| classes(&[&*table]).ok());
            // Where routes tell too many requests apart, each is taken to be taken.
            let taken: BTreeSet<usize> = match classes {
                Some(classes) => classes
                    .iter()
                    .filter_map(|class| *class.routes.first()?)
                    .collect(),
                None => (0..routes.len()).collect(),
            };
            let taken = taken.into_iter().filter_map(|place| routes.get(place));
            taken.flat_map(targets).collect()
        }
    };
    ends.into_iter()
        .filter(|port| ports.contains(port))
        .collect()
}

fn targets(route: &HttpRoute) -> impl Iterator<Item = &Kri> {
    let redirects = route
        .filters
        .iter()
        .any(|filter| matches!(filter, Filter::Redirect(_)));
    let mirrored = route.filters.iter().filter_map(|filter| match filter {
        Filter::Mirror(mirror) if mirror.parts_per_million > 0 => mirror.cluster.as_ref(),
        _ => None,
    });
    let targets = weighty(&route.backends).chain(mirrored);
    targets.filter(move |_| !redirects)
}

fn weighty(backends: &[WeightedBackend]) -> impl Iterator<Item = &Kri> {
    let weighty = backends.iter().filter(|backend| backend.weight > 0);
    weighty.filter_map(|backend| backend.cluster.as_ref())
}
