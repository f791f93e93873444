//! A proxy of which only a part is another than before: the rest of what it was given stays.
//!
//! Never guesses what a change is about: [`Part`] says it, and what it does not cover is what a cold compiler would make.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use mesh_bundle::resource::Destination;
use mesh_bundle::{BundledProxy, Key, Kri, Resource};

use crate::provenance::Notes;
use crate::repository::Part;

use super::outbound::{Addressed, Sending};
use super::retried::retried;
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
        let destinations = stale.into_iter().filter_map(|((key, _), resource)| {
            let Resource::Destination(destination) = resource.as_ref() else {
                return None;
            };
            let noted = before.notes.get(key).map(Arc::as_ref);
            Some((destination, noted))
        });
        sending(of, (destinations, aspects.ways), &mut parts);
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

/// Adds where traffic goes that went to these, and where any traffic ends; takes away where none ends any more. More of them
/// than what is tried again may be another thing, or is not.
fn sending<'k>(
    of: Lowering<'_>,
    (destinations, ways): (
        impl Iterator<Item = (&'k Destination, Option<&'k Notes>)>,
        bool,
    ),
    parts: &mut Parts<'_>,
) {
    let sending = Sending::new(of);
    for before in destinations {
        let kri = &before.0.kri;
        let service = of.mesh.service(&kri.without_section());
        let addressed = service.and_then(|service| {
            let port = service.section(kri.section())?;
            Some(Addressed { service, port })
        });
        let Some(addressed) = addressed else {
            continue;
        };
        sending.destination_by(addressed, parts, |shared| {
            let retried = || retried(&sending, addressed, before, shared);
            let retried = (!ways).then(retried).flatten();
            retried.or_else(|| sending.make(addressed, shared))
        });
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
