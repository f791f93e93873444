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
mod metrics;
mod outbound;
mod passthrough;
pub(crate) mod rate_limit;
mod retry;
pub(crate) mod route;
mod shared;
mod timeouts;
mod tracing;
mod trust;
mod wide;

use std::collections::BTreeMap;
use std::sync::Arc;

use mesh_bundle::resource::Proxy;
use mesh_bundle::{Bundle, BundledProxy, DeclaredEndpoint, Digest, Key, Kri, Resource};

use crate::compile::Secrets;
use crate::defaults;
use crate::diag::Diagnostics;
use crate::identity;
use crate::kinds;
use crate::lints::{self, Compared};
use crate::model::Settings;
use crate::parallel::{self, SMALL};
use crate::policy::applies::Subject;
use crate::provenance::{Notes, Provenance};
use crate::repository::{Lines, MeshView, meshes};
use crate::service::Instance;
use crate::source::Sources;

use shared::{Parts, Shared};

/// What comes out.
#[derive(Debug, Default)]
pub(crate) struct Lowered {
    pub(crate) content: Content,
    pub(crate) secrets: Secrets,
    /// What effective values overrode.
    pub(crate) provenance: Provenance,
}

/// What it is made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// All of it.
    Bundle,
    /// The content is thrown away: what no finding is about is not kept.
    Findings,
}

/// A bundle before it is sealed.
#[derive(Debug, Default)]
pub(crate) struct Content {
    issuers: BTreeMap<Kri, mesh_bundle::Issuer>,
    proxies: BTreeMap<Kri, BundledProxy>,
    resources: BTreeMap<Digest, Box<Resource>>,
}

/// One proxy, while it is being put together.
#[derive(Debug, Clone, Copy)]
struct Lowering<'a> {
    mesh: &'a MeshView<'a>,
    instance: Instance<'a>,
    subject: Subject<'a>,
    lines: Lines<'a>,
}

/// Makes the bundle, and says what is wrong between resources.
pub(crate) fn lower(
    resources: &[Arc<kinds::Resource>],
    sources: &Sources,
    (settings, purpose): (&Settings, Purpose),
    diagnostics: &mut Diagnostics,
) -> Lowered {
    let lines = Lines { sources };
    let defaults = defaults::policies(resources, settings);
    let meshes = meshes(resources, &defaults, lines, settings, diagnostics);
    let mut lowered = Lowered::default();
    for mesh in &meshes {
        // Items of policies are numbered within a mesh.
        lowered.secrets.documents.extend(mesh.secrets());
        let shared = Shared::new(purpose);
        for identity in &mesh.identities {
            if let Some(issuer) = identity.issuer(lines, &mut lowered.secrets.inline) {
                let kri = identity.meta.kri.clone();
                lowered.content.issuers.insert(kri, issuer);
            }
        }
        for given in proxies(mesh, lines, &shared) {
            let Given {
                kri,
                proxy,
                notes,
                findings,
            } = given;
            diagnostics.list.extend(findings.list);
            lowered.provenance.notes.insert(kri.clone(), notes);
            lowered.content.proxies.insert(kri, proxy);
        }
        let resources = shared.into_resources();
        let compared = Compared {
            mesh,
            proxies: &lowered.content.proxies,
            resources: &resources,
            provenance: &lowered.provenance,
            now: settings.now,
        };
        lints::check(compared, diagnostics);
        lowered.content.resources.extend(resources);
    }
    lowered
}

impl Content {
    pub(crate) fn seal(self) -> Bundle {
        let resources = self.resources.into_iter();
        let resources = resources.map(|(digest, resource)| (digest, *resource));
        // Sealing fails for values that are no JSON only, which none of these is; a bundle of nothing is then the safe one.
        Bundle::seal(self.issuers, self.proxies, resources.collect())
            .unwrap_or_else(|_| crate::compile::empty())
    }
}

/// What one proxy is given.
struct Given {
    kri: Kri,
    proxy: BundledProxy,
    notes: BTreeMap<Key, Arc<Notes>>,
    findings: Diagnostics,
}

fn proxies(mesh: &MeshView<'_>, lines: Lines<'_>, shared: &Shared) -> Vec<Given> {
    if mesh.instances.is_empty() {
        return Vec::new();
    }
    let trust = shared.keep(Resource::Trust(trust::trust(&mesh.trusts)));
    let instances: Vec<_> = mesh.instances.iter().enumerate().collect();
    parallel::map(&instances, SMALL, |(place, instance)| {
        let mut findings = Diagnostics::default();
        let mut parts = Parts::new(shared);
        parts.hold(Key::Trust, trust);
        proxy(mesh, **instance, lines, &mut parts, &mut findings);
        Given {
            kri: instance.meta.kri.clone(),
            proxy: BundledProxy {
                workload: instance.workload().map(str::to_owned),
                manifest: parts.manifest,
                endpoints: endpoints(mesh, *place, **instance),
            },
            notes: parts.notes,
            findings,
        }
    })
}

fn proxy(
    mesh: &MeshView<'_>,
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
        zone: instance.meta.kri.zone.clone(),
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
fn endpoints(mesh: &MeshView<'_>, place: usize, instance: Instance<'_>) -> Vec<DeclaredEndpoint> {
    let mut endpoints = Vec::new();
    if mesh.is_closed(&instance.meta.kri.zone) {
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
