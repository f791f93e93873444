//! The resources of a repository by mesh, with what the language adds to them: default policies, generated services,
//! hostnames and virtual IPs.
//!
//! Never depends on the order of files: everything is in the order of KRIs.

mod members;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use mesh_bundle::{Kri, Origin, SpiffeId};

use crate::diag::{Code, Diagnostic, Diagnostics, Location};
use crate::hostname::{self, Generator};
use crate::identity::Identity;
use crate::index::Carriers;
use crate::kinds::mesh_trust::MeshTrust;
use crate::kinds::{Resource, Spec};
use crate::lookup::Lookup;
use crate::lower::load_balancing::compared;
use crate::model::{Compat, Meta, Settings};
use crate::policy::target::TargetKind;
use crate::policy::{ConfAt, Descriptor, Shadows, Source, Table, Written, carries};
use crate::resolve::{Carried, Catalogue};
use crate::service::{Instance, Service};
use crate::source::Sources;
use crate::telemetry::Collectors;
use crate::vip;

/// Turns places into origins.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Lines<'a> {
    pub(crate) sources: &'a Sources,
}

/// Everything of one mesh.
#[derive(Debug)]
pub(crate) struct MeshView<'a> {
    /// Default policies included.
    pub(crate) documents: Vec<&'a Resource>,
    pub(crate) instances: Vec<Instance<'a>>,
    pub(crate) services: Vec<Service>,
    pub(crate) routes: Vec<&'a Meta>,
    pub(crate) identities: Vec<Identity<'a>>,
    pub(crate) trusts: Vec<(&'a Meta, &'a MeshTrust)>,
    pub(crate) collectors: Collectors<'a>,
    pub(crate) policies: Policies,
    /// The proxies behind each service, as indices of `instances`, and the SPIFFE IDs that those of a port may have.
    pub(crate) members: Lookup<Kri, Vec<usize>>,
    pub(crate) servers: Lookup<Kri, Vec<SpiffeId>>,
    /// The services that each proxy is behind, as indices of `services`.
    serving: Vec<Vec<usize>>,
    positions: Lookup<Kri, usize>,
    carriers: Carried,
    labelled: Carriers,
    /// The ports of multi-zone services that each port of a service serves too.
    united: BTreeMap<Kri, Vec<Kri>>,
    /// The zones whose proxies serve nobody.
    closed: BTreeSet<&'a str>,
    /// The labels that clients compare with those of their servers.
    pub(crate) compared: BTreeSet<String>,
}

/// The policies of one mesh, by kind.
#[derive(Debug, Default)]
pub(crate) struct Policies {
    pub(crate) access_log: Table,
    pub(crate) circuit_breaker: Table,
    pub(crate) fault_injection: Table,
    pub(crate) health_check: Table,
    pub(crate) http_route: Table,
    pub(crate) load_balancing: Table,
    pub(crate) metric: Table,
    pub(crate) passthrough: Table,
    pub(crate) permission: Table,
    pub(crate) rate_limit: Table,
    pub(crate) retry: Table,
    pub(crate) tcp_route: Table,
    pub(crate) timeout: Table,
    pub(crate) tls: Table,
    pub(crate) trace: Table,
}

impl Policies {
    /// Every kind.
    pub(crate) fn all(&self) -> [&Table; 15] {
        [
            &self.access_log,
            &self.circuit_breaker,
            &self.fault_injection,
            &self.health_check,
            &self.http_route,
            &self.load_balancing,
            &self.metric,
            &self.passthrough,
            &self.permission,
            &self.rate_limit,
            &self.retry,
            &self.tcp_route,
            &self.timeout,
            &self.tls,
            &self.trace,
        ]
    }

    /// `read` makes the table of one kind.
    fn read(compat: Compat, mut read: impl FnMut(Descriptor) -> Table) -> Self {
        let mut of = |kind, conf| read(Descriptor { kind, conf, compat });
        Self {
            access_log: of("MeshAccessLog", ConfAt::Default),
            circuit_breaker: of("MeshCircuitBreaker", ConfAt::Default),
            fault_injection: of("MeshFaultInjection", ConfAt::Default),
            health_check: of("MeshHealthCheck", ConfAt::Default),
            http_route: of("MeshHTTPRoute", ConfAt::Rules),
            load_balancing: of("MeshLoadBalancingStrategy", ConfAt::Default),
            metric: of("MeshMetric", ConfAt::Default),
            passthrough: of("MeshPassthrough", ConfAt::Default),
            permission: of("MeshTrafficPermission", ConfAt::Default),
            rate_limit: of("MeshRateLimit", ConfAt::Default),
            retry: of("MeshRetry", ConfAt::Default),
            tcp_route: of("MeshTCPRoute", ConfAt::Rules),
            timeout: of("MeshTimeout", ConfAt::Default),
            tls: of("MeshTLS", ConfAt::Default),
            trace: of("MeshTrace", ConfAt::Default),
        }
    }
}

impl Lines<'_> {
    /// A document as a whole.
    pub(crate) fn document(self, meta: &Meta) -> Origin {
        self.origin(&meta.kri, meta.virtual_document, &meta.at)
    }

    /// A place in a document.
    pub(crate) fn within(self, meta: &Meta, at: &Location) -> Origin {
        self.origin(&meta.kri, meta.virtual_document, at)
    }

    /// What set a value.
    pub(crate) fn source(self, source: &Source) -> Origin {
        self.origin(&source.resource, source.virtual_document, &source.at)
    }

    fn origin(self, resource: &Kri, virtual_document: bool, at: &Location) -> Origin {
        Origin {
            resource: resource.clone(),
            file: at.file.clone(),
            line: match virtual_document {
                true => 0,
                false => self.sources.line(at),
            },
        }
    }
}

/// The meshes of a repository, by name.
pub(crate) fn meshes<'a>(
    resources: &'a [Arc<Resource>],
    defaults: &'a [Resource],
    lines: Lines<'_>,
    settings: &Settings,
    diagnostics: &mut Diagnostics,
) -> Vec<MeshView<'a>> {
    let mut sorted: Vec<&Resource> = resources.iter().map(Arc::as_ref).chain(defaults).collect();
    sorted.sort_by_cached_key(|resource| (resource.meta.kri.to_string(), resource.meta.at.clone()));
    // A second document of the same name has been reported.
    sorted.dedup_by(|a, b| a.meta.kri == b.meta.kri);
    let generators =
        hostname::generators(sorted.iter().filter_map(|resource| match &resource.spec {
            Spec::HostnameGenerator(spec) => Some((&resource.meta, spec)),
            _ => None,
        }));
    let closed = closed(&sorted);
    let names: BTreeSet<&str> = sorted
        .iter()
        .map(|resource| resource.meta.kri.mesh.as_str())
        .filter(|mesh| !mesh.is_empty())
        .collect();
    let mut views: Vec<MeshView<'_>> = Vec::new();
    for name in names {
        let of_mesh = sorted.iter().filter(|r| r.meta.kri.mesh == name);
        let of_mesh: Vec<&Resource> = of_mesh.copied().collect();
        let mut view = view(&of_mesh, &generators, lines, settings, diagnostics);
        view.closed.clone_from(&closed);
        views.push(view);
    }
    hostname::idle(
        &generators,
        |kind, labels| views.iter().any(|view| view.has_service(kind, labels)),
        diagnostics,
    );
    for zone in closed {
        let inside = |view: &MeshView<'_>| {
            let mut instances = view.instances.iter();
            instances.any(|instance| instance.meta.kri.zone == zone)
        };
        let document = |resource: &&&Resource| {
            matches!(resource.spec, Spec::Zone(_)) && resource.meta.kri.name == zone
        };
        if let Some(document) = sorted
            .iter()
            .find(document)
            .filter(|_| !views.iter().any(inside))
        {
            let message = format!("no Dataplane is of the zone `{zone}`, so nothing is withdrawn");
            let at = document.meta.at.clone();
            let mut diagnostic = Diagnostic::new(Code::SELECTS_NOTHING, at, message);
            diagnostic.help("the zone of a Dataplane is its label `kuma.io/zone`, or the zone of the repository");
            diagnostics.push(diagnostic);
        }
    }
    views
}

/// The zones that are disabled.
fn closed<'a>(resources: &[&'a Resource]) -> BTreeSet<&'a str> {
    let zone = |resource: &&'a Resource| match &resource.spec {
        Spec::Zone(zone) if zone.enabled == Some(false) => Some(resource.meta.kri.name.as_str()),
        _ => None,
    };
    resources.iter().filter_map(zone).collect()
}

fn view<'a>(
    resources: &[&'a Resource],
    generators: &[Generator],
    lines: Lines<'_>,
    settings: &Settings,
    diagnostics: &mut Diagnostics,
) -> MeshView<'a> {
    let mut view = MeshView {
        documents: resources.to_vec(),
        instances: Vec::new(),
        services: Vec::new(),
        routes: Vec::new(),
        identities: Vec::new(),
        trusts: Vec::new(),
        collectors: collectors(resources, lines),
        policies: Policies::default(),
        members: Lookup::default(),
        servers: Lookup::default(),
        serving: Vec::new(),
        positions: Lookup::default(),
        carriers: Carried::default(),
        labelled: Carriers::default(),
        united: BTreeMap::new(),
        closed: BTreeSet::new(),
        compared: BTreeSet::new(),
    };
    for resource in resources {
        let meta = &resource.meta;
        match &resource.spec {
            Spec::Dataplane(spec) => view.instances.push(Instance { meta, spec }),
            Spec::MeshService(spec) => view.services.push(Service::read(meta, spec, lines)),
            Spec::MeshExternalService(spec) => {
                view.services
                    .push(Service::read_external(meta, spec, lines));
            }
            Spec::MeshMultiZoneService(spec) => {
                view.services
                    .push(Service::read_multi_zone(meta, spec, lines));
            }
            Spec::MeshHttpRoute(_) => view.routes.push(meta),
            Spec::MeshTrust(spec) => view.trusts.push((meta, spec)),
            Spec::MeshIdentity(spec) => {
                view.identities
                    .extend(Identity::read(meta, spec, settings, diagnostics));
            }
            _ => {}
        }
    }
    view.generate_services(settings.compat, diagnostics);
    hostname::assign(&mut view.services, generators, diagnostics);
    vip::allocate(&mut view.services, diagnostics);
    view.index();
    view.find_members();
    view.find_united();
    let catalogue = Catalogue {
        services: &view.services,
        routes: &view.routes,
        carriers: &view.carriers,
    };
    let shadows = match settings.with_shadow {
        true => Shadows::Active,
        false => Shadows::Listed,
    };
    let mut by_kind: BTreeMap<&str, Vec<Written<'_>>> = BTreeMap::new();
    for resource in resources {
        by_kind
            .entry(resource.meta.kri.kind.as_str())
            .or_default()
            .push(Written {
                meta: &resource.meta,
                body: &resource.body,
            });
    }
    view.policies = Policies::read(settings.compat, |descriptor| {
        let short = crate::kinds::find(descriptor.kind).map(|kind| kind.short);
        let written = short.and_then(|short| by_kind.remove(short));
        let written = written.unwrap_or_default();
        Table::read(descriptor, shadows, written, |target, at, _| {
            catalogue.towards(target).unwrap_or_else(|unresolved| {
                diagnostics.push(unresolved.at(at.clone()));
                Vec::new()
            })
        })
    });
    let confs = view.policies.load_balancing.confs();
    view.compared = confs.flat_map(compared).map(str::to_owned).collect();
    view
}

fn collectors<'a>(resources: &[&'a Resource], lines: Lines<'_>) -> Collectors<'a> {
    let documents = resources
        .iter()
        .filter_map(|resource| match &resource.spec {
            Spec::MeshOpenTelemetryBackend(spec) => Some((&resource.meta, spec)),
            _ => None,
        });
    Collectors::of(documents, lines)
}

impl MeshView<'_> {
    /// What its `Secret` documents hold, by mesh and name.
    pub(crate) fn secrets(&self) -> impl Iterator<Item = ((String, String), String)> {
        self.documents.iter().filter_map(|resource| {
            let Spec::Secret(secret) = &resource.spec else {
                return None;
            };
            let kri = &resource.meta.kri;
            Some(((kri.mesh.clone(), kri.name.clone()), secret.data.clone()?))
        })
    }

    /// What references can lead to.
    pub(crate) fn catalogue(&self) -> Catalogue<'_> {
        Catalogue {
            services: &self.services,
            routes: &self.routes,
            carriers: &self.carriers,
        }
    }

    /// A service by its name.
    pub(crate) fn service(&self, kri: &Kri) -> Option<&Service> {
        self.services.get(*self.positions.get(kri)?)
    }

    /// Is there a service of this kind that carries all of these labels?
    fn has_service(&self, kind: TargetKind, labels: &BTreeMap<String, String>) -> bool {
        let candidates = self.carriers.services.candidates(labels).iter();
        let mut services = candidates.filter_map(|index| self.services.get(*index));
        services.any(|service| service.kind() == kind && carries(&service.meta.labels, labels))
    }

    /// The proxies that could carry all of these labels.
    pub(crate) fn carrying(
        &self,
        labels: &BTreeMap<String, String>,
    ) -> impl Iterator<Item = Instance<'_>> {
        let found = self.labelled.candidates(labels).iter();
        found.filter_map(|index| self.instances.get(*index).copied())
    }

    /// The services that a proxy is behind, by its place among `instances`.
    pub(crate) fn served_by(&self, instance: usize) -> impl Iterator<Item = &Service> {
        let serving = self.serving.get(instance);
        let serving = serving.map_or([].as_slice(), Vec::as_slice).iter();
        serving.filter_map(|index| self.services.get(*index))
    }

    fn index(&mut self) {
        let services = self.services.iter();
        self.carriers = Carried {
            services: Carriers::of(services.map(|service| &service.meta.labels)),
            routes: Carriers::of(self.routes.iter().map(|route| &route.labels)),
        };
        let instances = self.instances.iter();
        self.labelled = Carriers::of(instances.map(|instance| &instance.meta.labels));
        for (index, service) in self.services.iter().enumerate() {
            let kri = service.meta.kri.clone();
            self.positions.insert_new(kri, index);
        }
    }

    /// The proxies behind a service.
    pub(crate) fn members(&self, service: &Service) -> impl Iterator<Item = Instance<'_>> {
        let members = self.members.get(&service.meta.kri);
        let members = members.map_or([].as_slice(), Vec::as_slice);
        members
            .iter()
            .filter_map(|index| self.instances.get(*index).copied())
    }
}
