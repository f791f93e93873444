//! From resources to the bundle: what each proxy is given, the policy language compiled away.
//!
//! Never reads text and never decides anything about a request: that is `decide` of the bundle.

mod access_log;
mod captured;
mod circuit_breaker;
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
use crate::repository::{Lines, MeshView, Stale};
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
    seen: BTreeMap<Key, Arc<Resource>>,
    pub(crate) notes: Arc<BTreeMap<Key, Arc<Notes>>>,
    /// Of all notes, see [`Notes::ties`].
    pub(crate) ties: BTreeSet<(Location, Location)>,
    /// See [`permissions::closed`].
    pub(crate) closed: Vec<usize>,
    findings: Diagnostics,
}

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
        let seen = parts.held.iter().filter_map(|(key, kept)| {
            let resource = kept
                .resource
                .as_ref()
                .filter(|resource| is_seen(resource))?;
            Some((key.clone(), Arc::clone(resource)))
        });
        let seen: BTreeMap<_, _> = seen.collect();
        let instance = Instance::of(dataplane);
        let closed = |instance| permissions::closed(instance, |key| seen.get(key).map(Arc::as_ref));
        let ties = parts.notes.values().flat_map(|notes| &notes.ties);
        Self {
            closed: instance.map(closed).unwrap_or_default(),
            ties: ties.cloned().collect(),
            dataplane: Arc::clone(dataplane),
            serving: mesh.serving(place).to_vec(),
            seen,
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
        let mut manifest = Manifest::default();
        let mut resources = Vec::with_capacity(held.len());
        for (key, kept) in held {
            manifest.entries.insert(key, kept.digest);
            resources.push(kept.resource?);
        }
        let proxy = BundledProxy {
            workload: instance.workload().map(str::to_owned),
            manifest,
            endpoints: endpoints(mesh, place, instance),
        };
        Some(Self {
            digest: proxy.digest().ok()?,
            proxy: Arc::new(proxy),
            resources,
        })
    }
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
        let stale = stale.contains(mesh, place, manifest);
        (!stale && given.serving == mesh.serving(place)).then_some(given)
    };
    let dataplanes = mesh.dataplanes.iter().enumerate();
    let mut given: Vec<Option<Arc<Given>>> = dataplanes.map(known).collect();
    let places = given.iter().enumerate();
    let missing: Vec<usize> = places
        .filter_map(|(place, given)| given.is_none().then_some(place))
        .collect();
    if missing.is_empty() {
        return given.into_iter().flatten().collect();
    }
    let trust = shared.keep(Resource::Trust(trust::trust(mesh.trusts())));
    let made = parallel::map(&missing, SMALL, |place| {
        let dataplane = mesh.dataplanes.get(*place)?;
        let instance = Instance::of(dataplane)?;
        let mut findings = Diagnostics::default();
        let mut parts = Parts::new(&shared);
        let trust = trust.clone().map(|trust| (Key::Trust, trust));
        parts.held.extend(trust);
        proxy(mesh, instance, lines, &mut parts, &mut findings);
        Some(Given::new((mesh, *place), dataplane, parts, findings))
    });
    for (place, made) in missing.into_iter().zip(made) {
        if let (Some(given), Some(made)) = (given.get_mut(place), made) {
            *given = Some(Arc::new(made));
        }
    }
    given.into_iter().flatten().collect()
}

fn proxy(
    mesh: &MeshView,
    instance: Instance<'_>,
    lines: Lines<'_>,
    parts: &mut Parts<'_>,
    diagnostics: &mut Diagnostics,
) {
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
    let proxy = Proxy {
        kri: instance.meta.kri.clone(),
        zone: instance.meta.kri.zone().to_owned(),
        workload: instance.workload().map(str::to_owned),
        identity: identity::given(&mesh.identities, instance, lines, diagnostics),
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
