//! From resources to the bundle: what each proxy is given, the policy language compiled away.
//!
//! Never reads text and never decides anything about a request: that is `decide` of the bundle.

mod access_log;
mod captured;
mod circuit_breaker;
mod cluster;
mod external;
mod fault_injection;
mod health_check;
pub(crate) mod inbound;
mod independent;
pub(crate) mod leaf;
pub(crate) mod load_balancing;
mod memory;
mod metrics;
mod outbound;
mod passthrough;
pub(crate) mod rate_limit;
mod renew;
mod retried;
pub(crate) mod retry;
pub(crate) mod route;
mod shared;
mod timeouts;
mod tracing;
mod trust;
mod wide;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use mesh_bundle::resource::Proxy;
use mesh_bundle::{BundledProxy, DeclaredEndpoint, Digest, Key, Manifest, Resource};

use crate::diag::{Diagnostics, Location};
use crate::identity;
use crate::kinds;
use crate::lints::permissions;
use crate::parallel::{self, SMALL};
use crate::policy::applies::Subject;
use crate::provenance::Notes;
use crate::repository::{Lines, MeshView, Part, Stale};
use crate::service::Instance;

pub(crate) use memory::{Lowered, Memory, Purpose};

use shared::{Kept, Parts, Shared, is_seen};

/// One proxy, while it is being put together.
#[derive(Debug, Clone, Copy)]
struct Lowering<'a> {
    mesh: &'a MeshView,
    instance: Instance<'a>,
    subject: Subject<'a>,
    lines: Lines<'a>,
}

/// What one proxy is given, and what has to be the same for that to be so.
#[derive(Debug)]
pub(crate) struct Given {
    pub(crate) dataplane: Arc<kinds::Resource>,
    /// The services that it is behind, as indices.
    serving: Vec<usize>,
    /// `None` where nothing is published.
    share: Option<Share>,
    /// The resources that findings may be about.
    seen: Arc<Seen>,
    pub(crate) notes: Arc<BTreeMap<Key, Arc<Notes>>>,
    /// Of all notes, see [`Notes::ties`].
    pub(crate) ties: BTreeSet<(Location, Location)>,
    /// See [`permissions::closed`].
    pub(crate) closed: Vec<usize>,
    findings: Diagnostics,
}

/// The resources of one proxy that findings may be about.
type Seen = BTreeMap<Key, Arc<Resource>>;

/// Its part of a bundle.
#[derive(Debug)]
struct Share {
    digest: Digest,
    proxy: Arc<BundledProxy>,
    /// In the order of the manifest.
    resources: Vec<Arc<Resource>>,
}

impl Given {
    fn new(
        (mesh, place): (&MeshView, usize),
        dataplane: &Arc<kinds::Resource>,
        parts: Parts<'_>,
        findings: Diagnostics,
    ) -> Self {
        let seen = seen(&parts.held);
        let instance = Instance::of(dataplane);
        Self {
            closed: instance
                .map(|instance| closed(instance, &seen))
                .unwrap_or_default(),
            ties: ties(&parts.notes),
            dataplane: Arc::clone(dataplane),
            serving: mesh.serving(place).to_vec(),
            seen: Arc::new(seen),
            notes: Arc::new(parts.notes),
            findings,
            share: Share::new((mesh, place), parts.held),
        }
    }

    /// What it holds under a name, of what findings may be about.
    pub(crate) fn resource(&self, key: &Key) -> Option<&Resource> {
        self.seen.get(key).map(Arc::as_ref)
    }

    /// What its manifest names.
    fn resources(&self) -> impl Iterator<Item = (Digest, &Arc<Resource>)> {
        self.share.iter().flat_map(|share| {
            let digests = share.proxy.manifest.entries.values().copied();
            digests.zip(&share.resources)
        })
    }
}

impl Share {
    fn new((mesh, place): (&MeshView, usize), held: BTreeMap<Key, Kept>) -> Option<Self> {
        let instance = Instance::of(mesh.dataplanes.get(place)?)?;
        let (manifest, resources) = manifest(held)?;
        let proxy = BundledProxy {
            workload: instance.workload().map(str::to_owned),
            manifest,
            endpoints: endpoints(mesh, place, instance),
        };
        Self::of(proxy, resources)
    }

    fn of(proxy: BundledProxy, resources: Vec<Arc<Resource>>) -> Option<Self> {
        Some(Self {
            digest: proxy.digest().ok()?,
            proxy: Arc::new(proxy),
            resources,
        })
    }
}

/// What findings may be about.
fn seen(held: &BTreeMap<Key, Kept>) -> Seen {
    let seen = held.iter().filter_map(|(key, kept)| {
        let resource = kept.resource.as_ref();
        let resource = resource.filter(|resource| is_seen(resource))?;
        Some((key.clone(), Arc::clone(resource)))
    });
    seen.collect()
}

/// See [`permissions::closed`].
fn closed(instance: Instance<'_>, seen: &Seen) -> Vec<usize> {
    permissions::closed(instance, |key| seen.get(key).map(Arc::as_ref))
}

/// What names resources, and these in its order; `None` where they were thrown away.
fn manifest(held: BTreeMap<Key, Kept>) -> Option<(Manifest, Vec<Arc<Resource>>)> {
    let mut resources = Vec::with_capacity(held.len());
    let mut entries = Vec::with_capacity(held.len());
    for (key, kept) in held {
        entries.push((key, kept.digest));
        resources.push(kept.resource?);
    }
    let entries = entries.into_iter().collect();
    Some((Manifest { entries }, resources))
}

/// Of all notes, see [`Notes::ties`].
fn ties(notes: &BTreeMap<Key, Arc<Notes>>) -> BTreeSet<(Location, Location)> {
    let ties = notes.values().flat_map(|notes| &notes.ties);
    ties.cloned().collect()
}

/// What each proxy of a mesh is given, in the order of its Dataplanes: what it was given `before`, where that is not stale.
fn proxies(
    mesh: &MeshView,
    lines: Lines<'_>,
    purpose: Purpose,
    (before, stale): (Vec<Arc<Given>>, &Stale),
) -> Vec<Arc<Given>> {
    if mesh.dataplanes.is_empty() {
        return Vec::new();
    }
    let shared = Shared::new(purpose);
    let mut before = before.into_iter().peekable();
    let known = |(place, dataplane): (usize, &Arc<kinds::Resource>)| {
        let other = |given: &Arc<Given>| {
            !Arc::ptr_eq(&given.dataplane, dataplane)
                && given.dataplane.meta.kri < dataplane.meta.kri
        };
        while before.next_if(other).is_some() {}
        let given = before.next_if(|given| Arc::ptr_eq(&given.dataplane, dataplane))?;
        let manifest = &given.share.as_ref()?.proxy.manifest;
        let part = match given.serving == mesh.serving(place) {
            true => stale.part(mesh, place, manifest),
            false => Part::All,
        };
        Some((given, part))
    };
    let dataplanes = mesh.dataplanes.iter().enumerate();
    let known: Vec<_> = dataplanes.map(known).collect();
    let fresh = |known: &Option<(_, Part<'_>)>| matches!(known, Some((_, Part::Nothing)));
    let places = known.iter().enumerate();
    let wanted: Vec<usize> = places
        .filter_map(|(place, known)| (!fresh(known)).then_some(place))
        .collect();
    let mut made = Vec::new();
    if !wanted.is_empty() {
        let trust = shared.keep(Resource::Trust(trust::trust(mesh.trusts())));
        made = parallel::map(&wanted, SMALL, |place| {
            let before = known.get(*place).and_then(Option::as_ref);
            let before = before.filter(|(_, part)| *part != Part::All);
            give((mesh, *place), lines, before, (&shared, trust.as_ref())).map(Arc::new)
        });
    }
    let mut made = made.into_iter();
    let given = known.into_iter().filter_map(|known| match known {
        Some((given, Part::Nothing)) => Some(given),
        _ => made.next().flatten(),
    });
    given.collect()
}

/// What one proxy is given: what it was given before but for a part, or all of it anew.
fn give(
    (mesh, place): (&MeshView, usize),
    lines: Lines<'_>,
    before: Option<&(Arc<Given>, Part<'_>)>,
    (shared, trust): (&Shared, Option<&Kept>),
) -> Option<Given> {
    let dataplane = mesh.dataplanes.get(place)?;
    let instance = Instance::of(dataplane)?;
    let sections = instance.sections();
    let subject = Subject {
        meta: instance.meta,
        sections: &sections,
    };
    let lowering = Lowering {
        mesh,
        instance,
        subject,
        lines,
    };
    if let Some((before, part)) = before {
        return renew::renew(lowering, before, part, shared);
    }
    let mut findings = Diagnostics::default();
    let mut parts = Parts::new(shared);
    let trust = trust.map(|trust| (Key::Trust, trust.clone()));
    parts.held.extend(trust);
    proxy(lowering, &mut parts, &mut findings);
    Some(Given::new((mesh, place), dataplane, parts, findings))
}

fn proxy(lowering: Lowering<'_>, parts: &mut Parts<'_>, diagnostics: &mut Diagnostics) {
    let Lowering {
        mesh,
        instance,
        lines,
        ..
    } = lowering;
    let proxy = Proxy {
        kri: instance.meta.kri.clone(),
        zone: instance.meta.kri.zone().to_owned(),
        address: instance.networking().and_then(|n| n.address.clone()),
        workload: instance.workload().map(str::to_owned),
        identity: identity::given(&mesh.identities, instance, lines, diagnostics),
        capture: captured::capture(instance, lines),
        origin: lines.document(instance.meta),
    };
    inbound::lower(lowering, proxy.identity.as_ref(), parts);
    outbound::lower(lowering, parts);
    wide::lower(lowering, parts);
    parts.insert(Key::Proxy, Resource::Proxy(proxy));
}

/// The service ports that a proxy serves.
fn endpoints(mesh: &MeshView, place: usize, instance: Instance<'_>) -> Vec<DeclaredEndpoint> {
    let mut endpoints = Vec::new();
    if mesh.is_closed(instance.meta.kri.zone()) {
        return endpoints;
    }
    let labels = instance.meta.labels.iter();
    let labels = labels.filter(|(key, _)| mesh.compared.contains(*key));
    let labels: BTreeMap<String, String> = labels
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect();
    for service in mesh.served_by(place) {
        for port in &service.ports {
            let own = service.kri(port);
            for (_, inbound) in port.inbounds(instance) {
                let address = inbound::address(instance, inbound);
                let number = inbound.port.and_then(|port| u16::try_from(port).ok());
                let Some((address, port_number)) = address.zip(number) else {
                    continue;
                };
                let served = std::iter::once(&own).chain(mesh.united_ports(&own));
                endpoints.extend(served.map(|service| DeclaredEndpoint {
                    service: service.clone(),
                    address: address.clone(),
                    port: port_number,
                    healthy: inbound::is_healthy(inbound),
                    labels: labels.clone(),
                }));
            }
        }
    }
    endpoints.sort();
    endpoints.dedup();
    endpoints
}

#[cfg(test)]
mod tests;
