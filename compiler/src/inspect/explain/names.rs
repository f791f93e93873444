//! Who and what a question is about.
//!
//! Never takes the first of several: a name that means more than one thing is refused, with ways to say which.

use std::collections::{BTreeMap, BTreeSet};

use mesh_bundle::resource::Traffic;
use mesh_bundle::{Digest, Key, Kri, SpiffeId};

use crate::flow::Flows;
use crate::inspect::NotShown;
use crate::inspect::asked::Asked;
use crate::kinds;
use crate::repository::MeshView;
use crate::service::{Service, WORKLOAD};
use crate::similar::nearest;

use super::Question;

/// Where names are looked up.
#[derive(Debug, Clone, Copy)]
pub(super) struct Names<'a> {
    pub(super) asked: Asked<'a>,
    pub(super) flows: &'a Flows<'a>,
}

/// Who sends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Clients {
    /// Workloads, through their proxies.
    Proxies(BTreeSet<Kri>),
    /// An identity that no declared proxy has.
    Stranger(SpiffeId),
}

/// What clients have in common for which the answer is the same.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Alike<'a> {
    id: Option<&'a SpiffeId>,
    digests: Vec<Option<Digest>>,
}

/// What a name may mean.
type Reading = (&'static str, BTreeSet<Kri>);

/// The name of the mesh of a view.
pub(super) fn mesh_of(view: &MeshView) -> Option<&str> {
    let proxies = view.instances().map(|instance| &instance.meta.kri);
    let services = view.services.iter().map(|service| &service.meta.kri);
    proxies.chain(services).map(Kri::mesh).next()
}

impl<'a> Names<'a> {
    /// The clients that go by a name.
    pub(super) fn clients(&self, name: &str) -> Result<Clients, NotShown> {
        if let Ok(id) = name.parse::<SpiffeId>() {
            let known = self.flows.identities().get(&id);
            let known = known.into_iter().flatten().map(|kri| (*kri).clone());
            let known: BTreeSet<Kri> = known.filter(|kri| self.is_looked_at(kri)).collect();
            return Ok(match known.is_empty() {
                true => Clients::Stranger(id),
                false => Clients::Proxies(known),
            });
        }
        let readings = self.readings(name);
        match readings.as_slice() {
            [] => Err(self.unknown("workload, Dataplane or service", name)),
            [(_, only), rest @ ..] if rest.iter().all(|(_, other)| other == only) => {
                Ok(Clients::Proxies(only.clone()))
            }
            several => Err(NotShown::Several {
                name: name.to_owned(),
                ways: several
                    .iter()
                    .map(|(kind, _)| format!("{kind}/{name}"))
                    .collect(),
            }),
        }
    }

    /// All that a name may mean, as sets of proxies.
    fn readings(&self, name: &str) -> Vec<Reading> {
        let kri = name.parse::<Kri>().ok().map(|kri| kri.without_section());
        let (kind, plain) = match name.split_once('/') {
            Some((kind, plain)) => (Some(kind), plain),
            None => (None, name),
        };
        let is_named = |candidate: &Kri| match &kri {
            Some(kri) => kri == candidate,
            None => candidate.name() == plain,
        };
        let (mut proxies, mut workload) = (BTreeSet::new(), BTreeSet::new());
        let mut members = BTreeMap::<&str, BTreeSet<Kri>>::new();
        for mesh in self.asked.views() {
            for instance in mesh.instances() {
                let own = &instance.meta.kri;
                if is_named(own) {
                    proxies.insert(own.clone());
                }
                let label = instance.meta.labels.get(WORKLOAD);
                if label.is_some_and(|label| label == plain) {
                    workload.insert(own.clone());
                }
            }
            let services = mesh.services.iter();
            for service in services.filter(|service| is_named(&service.meta.kri)) {
                let behind = mesh.members(service);
                let behind = behind.map(|instance| instance.meta.kri.clone());
                members
                    .entry(service.kind().as_str())
                    .or_default()
                    .extend(behind);
            }
        }
        let mut readings = vec![("Dataplane", proxies), ("Workload", workload)];
        let kinds = ["MeshService", "MeshMultiZoneService"];
        readings.extend(kinds.map(|kind| (kind, members.remove(kind).unwrap_or_default())));
        readings.retain(|(own, found)| {
            !found.is_empty() && kind.is_none_or(|kind| kri.is_some() || kind == *own)
        });
        readings
    }

    /// The service port that a question is about.
    pub(super) fn port(&self, question: &Question, clients: &Clients) -> Result<Kri, NotShown> {
        let (name, section) = self.split(&question.to, question.port.as_deref());
        let mut ports = self.ports(&name);
        if ports.is_empty() {
            return Err(self.unknown("service", &name));
        }
        let meshes: BTreeSet<&str> = match clients {
            Clients::Proxies(proxies) => proxies.iter().map(Kri::mesh).collect(),
            Clients::Stranger(_) => BTreeSet::new(),
        };
        if !meshes.is_empty() {
            ports.retain(|port, _| meshes.contains(port.mesh()));
        }
        let all = ports.clone();
        if let Some(section) = section {
            ports.retain(|port, number| port.section() == section || number.to_string() == section);
        }
        // Of several, those that the clients have a way to.
        if let (Clients::Proxies(proxies), true) = (clients, ports.len() > 1) {
            let reached = |port: &Kri| {
                let mut nodes = proxies.iter().filter_map(|proxy| self.flows.node(proxy));
                nodes.any(|node| node.outbound(port).is_some())
            };
            if ports.keys().any(reached) {
                ports.retain(|port, _| reached(port));
            }
        }
        let mut found = ports.into_keys();
        match (found.next(), found.next()) {
            (Some(port), None) => Ok(port),
            (Some(one), Some(_)) if all.keys().any(|port| port.mesh() != one.mesh()) => {
                Err(NotShown::Several {
                    name,
                    ways: all
                        .keys()
                        .map(|port| format!("--mesh {}", port.mesh()))
                        .collect(),
                })
            }
            (one, _) => Err(NotShown::NoPort {
                service: name,
                section: match one {
                    Some(_) => String::new(),
                    None => section.unwrap_or_default().to_owned(),
                },
                ports: all.keys().map(|port| port.section().to_owned()).collect(),
            }),
        }
    }

    /// `api:http` and the like, in its parts.
    fn split<'q>(&self, to: &'q str, port: Option<&'q str>) -> (String, Option<&'q str>) {
        let is_kri = to.parse::<Kri>().is_ok();
        if to.parse::<SpiffeId>().is_ok() || is_kri {
            return (to.to_owned(), port);
        }
        match to.rsplit_once(':') {
            Some((name, section)) if port.is_none() => (name.to_owned(), Some(section)),
            _ => (to.to_owned(), port),
        }
    }

    /// The ports that go by a name, each with its number. A destination is a service, so only what is none is looked for
    /// among hostnames, proxies and identities.
    fn ports(&self, name: &str) -> BTreeMap<Kri, u16> {
        let kri = name.parse::<Kri>().ok();
        let plain = name.split_once('/').map_or(name, |(_, plain)| plain);
        let kind = name.split_once('/').map(|(kind, _)| kind);
        let short = kind.and_then(kinds::find).map(|kind| kind.short);
        let is_named = |service: &Service| match &kri {
            Some(kri) => kri.without_section() == service.meta.kri,
            None => {
                let own = &service.meta.kri;
                own.name() == plain && kind.is_none_or(|_| short == Some(own.kind()))
            }
        };
        let is_called = |service: &Service| {
            let vip = service.vip.map(|vip| vip.to_string());
            service
                .hostnames
                .iter()
                .chain(&vip)
                .any(|host| host == name)
        };
        let mut found = self.of_services(is_named);
        if let Some(kri) = kri.filter(|kri| !kri.section().is_empty()) {
            found.retain(|port, _| *port == kri);
        }
        if found.is_empty() {
            found = self.of_services(is_called);
        }
        if found.is_empty() {
            let proxies = match self.clients(name) {
                Ok(Clients::Proxies(proxies)) => proxies,
                _ => BTreeSet::new(),
            };
            let endpoints = proxies.iter().filter_map(|kri| {
                let proxy = self.flows.bundle().proxies.get(kri)?;
                Some(proxy.endpoints.iter().map(|one| &one.service))
            });
            let served: BTreeSet<&Kri> = endpoints.flatten().collect();
            found = self.of_services(|_| true);
            found.retain(|port, _| served.contains(port));
        }
        found
    }

    fn of_services(&self, wanted: impl Fn(&Service) -> bool) -> BTreeMap<Kri, u16> {
        let services = self.asked.views().flat_map(|mesh| &mesh.services);
        let services = services.filter(|service| wanted(service));
        let ports = services.flat_map(|service| {
            let ports = service.ports.iter();
            ports.map(|port| (service.kri(port), port.number))
        });
        ports.collect()
    }

    fn is_looked_at(&self, kri: &Kri) -> bool {
        let mut meshes = self.asked.views();
        meshes.any(|mesh| mesh_of(mesh) == Some(kri.mesh()))
    }

    fn unknown(&self, what: &'static str, name: &str) -> NotShown {
        let plain = name.split_once('/').map_or(name, |(_, plain)| plain);
        let instances = || self.asked.views().flat_map(MeshView::instances);
        let services = self.asked.views().flat_map(|mesh| &mesh.services);
        let workloads = instances().filter_map(|instance| instance.meta.labels.get(WORKLOAD));
        let known = services.map(|service| service.meta.kri.name());
        let known = known.chain(instances().map(|instance| instance.meta.kri.name()));
        let known = known.chain(workloads.map(String::as_str));
        NotShown::Unknown {
            what,
            name: name.to_owned(),
            near: nearest(plain, known).map(str::to_owned),
        }
    }

    /// Clients for which the answer is the same, whatever their own names are.
    pub(super) fn alike(&self, clients: BTreeSet<Kri>, port: &Kri) -> Vec<Vec<Kri>> {
        let mut alike: BTreeMap<Alike<'_>, Vec<Kri>> = BTreeMap::new();
        for client in clients {
            let Some(node) = self.flows.node(&client) else {
                continue;
            };
            let entries = node.entries();
            let mut digests = vec![
                entries.get(&Key::Trust).copied(),
                entries.get(&Key::Destination(port.clone())).copied(),
                node.outbound(port).map(|_| Digest::of(b"")),
            ];
            if let Some((_, destination)) = node.destination(port) {
                let backends = match &destination.traffic {
                    Traffic::Http { routes } => {
                        routes.iter().flat_map(|route| &route.backends).collect()
                    }
                    Traffic::Tcp { route } => route.backends.iter().collect::<Vec<_>>(),
                };
                let clusters = backends.into_iter().filter_map(|one| one.cluster.clone());
                digests.extend(clusters.map(|port| entries.get(&Key::Cluster(port)).copied()));
            }
            let id = node.identity().map(|identity| &identity.spiffe_id);
            alike.entry(Alike { id, digests }).or_default().push(client);
        }
        let mut alike: Vec<Vec<Kri>> = alike.into_values().collect();
        alike.sort();
        alike
    }
}
