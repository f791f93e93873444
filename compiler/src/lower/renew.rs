//! A proxy of which only a part is another than before: the rest of what it was given stays.
//!
//! Never guesses what a change is about: [`Part`] says it, and what it does not cover is what a cold compiler would make.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use mesh_bundle::{BundledProxy, Key, Kri, Resource};

use crate::repository::Part;

use super::outbound::{Addressed, Sending};
use super::shared::{Kept, Parts, Shared};
use super::{Given, Lowering, Share, closed, inbound, seen, wide};

/// What a proxy is given now; `None` where it was not given anything, or not for a bundle.
pub(super) fn renew(
    of: Lowering<'_>,
    before: &Given,
    part: &Part<'_>,
    shared: &Shared,
) -> Option<Given> {
    let share = before.share.as_ref()?;
    let entries = share.proxy.manifest.entries.iter().zip(&share.resources);
    let (stale, kept): (Vec<_>, Vec<_>) = entries.partition(|((key, _), _)| part.covers(key));
    let held = kept.into_iter().map(|((key, digest), resource)| {
        let kept = Kept {
            digest: *digest,
            resource: Some(Arc::clone(resource)),
        };
        (key.clone(), kept)
    });
    let notes = before.notes.iter().filter(|(key, _)| !part.covers(key));
    let mut parts = Parts {
        held: held.collect(),
        notes: notes
            .map(|(key, notes)| (key.clone(), Arc::clone(notes)))
            .collect(),
        shared,
    };
    let aspects = part.aspects();
    if aspects.inbounds {
        let proxy = share.resource(&Key::Proxy);
        let identity = match proxy.map(Arc::as_ref) {
            Some(Resource::Proxy(proxy)) => proxy.identity.as_ref(),
            _ => None,
        };
        inbound::lower(of, identity, &mut parts);
    }
    if aspects.whole {
        wide::lower(of, &mut parts);
    }
    if aspects.destinations || aspects.clusters {
        let destinations = stale.into_iter().filter_map(|((key, _), _)| match key {
            Key::Destination(port) => Some(port),
            _ => None,
        });
        sending(of, destinations, &mut parts);
    }
    let seen = match aspects.inbounds || aspects.whole {
        true => Arc::new(seen(&parts.held)),
        false => Arc::clone(&before.seen),
    };
    let Parts { held, notes, .. } = parts;
    Some(Given {
        dataplane: Arc::clone(&before.dataplane),
        serving: before.serving.clone(),
        closed: match aspects.inbounds {
            true => closed(of.instance, &seen),
            false => before.closed.clone(),
        },
        seen,
        ties: super::ties(&notes),
        notes: Arc::new(notes),
        findings: before.findings.clone(),
        share: share.with(held),
    })
}

/// Adds where traffic to these ports goes, and where any traffic ends; takes away where none ends any more.
fn sending<'k>(
    of: Lowering<'_>,
    destinations: impl Iterator<Item = &'k Kri>,
    parts: &mut Parts<'_>,
) {
    let sending = Sending::new(of);
    for kri in destinations {
        let service = of.mesh.service(&kri.without_section());
        let addressed = service.and_then(|service| {
            let port = service.section(kri.section())?;
            Some(Addressed { service, port })
        });
        if let Some(addressed) = addressed {
            sending.destination(addressed, parts);
        }
    }
    let held = parts.held.values();
    let held: Vec<Arc<Resource>> = held.filter_map(|kept| kept.resource.clone()).collect();
    let reached = held.iter().filter_map(|resource| match &**resource {
        Resource::Destination(destination) => Some(destination.clusters()),
        _ => None,
    });
    let reached: BTreeSet<&Kri> = reached.flatten().collect();
    let ends = |key: &Key| !matches!(key, Key::Cluster(kri) if !reached.contains(kri));
    parts.held.retain(|key, _| ends(key));
    parts.notes.retain(|key, _| ends(key));
    for cluster in reached {
        sending.cluster(cluster, parts);
    }
}

impl Share {
    fn resource(&self, key: &Key) -> Option<&Arc<Resource>> {
        let names = self.proxy.manifest.entries.keys();
        let place = names.into_iter().position(|name| name == key)?;
        self.resources.get(place)
    }

    /// The same proxy with other resources.
    fn with(&self, held: BTreeMap<Key, Kept>) -> Option<Self> {
        let (manifest, resources) = super::manifest(held)?;
        Self::of(
            BundledProxy {
                workload: self.proxy.workload.clone(),
                manifest,
                endpoints: self.proxy.endpoints.clone(),
            },
            resources,
        )
    }
}
