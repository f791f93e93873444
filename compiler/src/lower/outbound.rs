//! Listeners for traffic from the workload, the destinations behind them, and the clusters where traffic ends (language
//! 3.2.2, 4.9, 5.2).
//!
//! Never reports: what does not resolve has been reported for its document, and has no listener.

use mesh_bundle::resource::{Cluster, Destination, Outbound, TcpRoute, Traffic, WeightedBackend};
use mesh_bundle::{Key, Kri, Resource};
use serde_json::Value;

use crate::diag::Location;
use crate::kinds::dataplane::outbound::Outbound as Declared;
use crate::kinds::target_ref::BackendRef;
use crate::policy::merge::Setting;
use crate::policy::outbound::{self, Towards};
use crate::provenance::Notes;
use crate::service::{Port, Service};

use super::route;
use super::timeouts::{timeout, timeouts};
use super::{Lowering, Parts};

/// The policies of one proxy that are about what it sends.
pub(super) struct Sending<'a> {
    pub(super) of: Lowering<'a>,
    pub(super) timeout: outbound::Outbound<'a>,
    pub(super) http: outbound::Outbound<'a>,
    pub(super) tcp: outbound::Outbound<'a>,
}

/// One service port.
#[derive(Clone, Copy)]
pub(super) struct Addressed<'a> {
    pub(super) service: &'a Service,
    pub(super) port: &'a Port,
}

impl Addressed<'_> {
    pub(super) fn kri(&self) -> Kri {
        self.service.kri(self.port)
    }
}

/// Adds the outbounds of a proxy. One that captures its workload's traffic has none yet.
pub(super) fn lower(of: Lowering<'_>, parts: &mut Parts) {
    let policies = &of.mesh.policies;
    let sending = Sending {
        of,
        timeout: policies.timeout.outbound(&of.subject),
        http: policies.http_route.outbound(&of.subject),
        tcp: policies.tcp_route.outbound(&of.subject),
    };
    let declared = of
        .instance
        .networking()
        .map_or([].as_slice(), |n| &n.outbound);
    for (index, declared) in declared.iter().enumerate() {
        if let Some(outbound) = sending.outbound(index, declared, parts) {
            let address = std::net::SocketAddr::new(outbound.address, outbound.port);
            let key = Key::Outbound(address.to_string());
            parts.resources.insert(key, Resource::Outbound(outbound));
        }
    }
}

impl<'a> Sending<'a> {
    fn outbound(&self, index: usize, declared: &Declared, parts: &mut Parts) -> Option<Outbound> {
        let instance = self.of.instance;
        let backend = declared.backend_ref.as_ref()?;
        let catalogue = self.of.mesh.catalogue();
        let (service, port) = catalogue.outbound(backend, instance.meta).ok()?;
        let addressed = Addressed { service, port };
        self.destination(addressed, parts);
        Some(Outbound {
            address: declared
                .address
                .as_deref()
                .unwrap_or("127.0.0.1")
                .parse()
                .ok()?,
            port: u16::try_from(declared.port?).ok()?,
            destination: addressed.kri(),
            origin: self
                .of
                .lines
                .within(instance.meta, &instance.outbound_at(index)),
        })
    }

    fn destination(&self, addressed: Addressed<'a>, parts: &mut Parts) {
        let Addressed { service, port } = addressed;
        let kri = addressed.kri();
        let key = Key::Destination(kri.clone());
        if parts.resources.contains_key(&key) {
            return;
        }
        let mut notes = Notes::default();
        let destination = Destination {
            protocol: port.protocol,
            port: port.number,
            vip: service.vip,
            hostnames: service.hostnames.clone(),
            traffic: self.traffic(addressed, &mut notes),
            timeouts: timeouts(
                &self.timeout.lookup(&kri),
                self.of.lines,
                "timeouts",
                &mut notes,
            ),
            origin: service.origin.clone(),
            kri,
        };
        let reached: Vec<Kri> = destination.clusters().cloned().collect();
        for cluster in reached {
            self.cluster(&cluster, parts);
        }
        parts.notes.insert(key.clone(), notes);
        parts
            .resources
            .insert(key, Resource::Destination(destination));
    }

    /// Language 5.2: HTTP routes before TCP routes, TCP routes before plain HTTP.
    fn traffic(&self, addressed: Addressed<'a>, notes: &mut Notes) -> Traffic {
        let towards = Towards::Port(addressed.kri());
        let http = self.http.covering(&towards);
        let tcp = self.tcp.covering(&towards);
        if addressed.port.protocol.is_http() && (!http.is_empty() || tcp.is_empty()) {
            let routes = route::routes(self, addressed, &http, notes);
            return Traffic::Http { routes };
        }
        let route = self.tcp_route(addressed, &tcp);
        Traffic::Tcp {
            route: route.unwrap_or_else(|| TcpRoute {
                kri: addressed.kri(),
                backends: vec![itself(addressed)],
                origin: addressed.service.origin.clone(),
            }),
        }
    }

    fn tcp_route(&self, addressed: Addressed<'a>, items: &[&outbound::Item]) -> Option<TcpRoute> {
        let merged = self.tcp.fold(items);
        let setting = merged.setting(&["rules"])?;
        let rule = merged.leaf(&["rules"])?.as_array()?.first()?;
        let mut rule_at = setting.by.at.clone();
        rule_at.pointer = rule_at.pointer.index(0);
        let refs = rule.get("default")?.get("backendRefs")?;
        let mut at = rule_at.clone();
        at.pointer = at.pointer.field("default").field("backendRefs");
        let refs_setting = Setting {
            by: crate::policy::Source {
                at,
                ..setting.by.clone()
            },
            beat: Vec::new(),
        };
        let mut source = setting.by.clone();
        source.at = rule_at;
        Some(TcpRoute {
            kri: setting.by.resource.with_section("rule_0"),
            backends: self.backends(addressed, Some((refs, &refs_setting)), false),
            origin: self.of.lines.source(&source),
        })
    }

    /// The shares of a split; without references all goes to the destination itself.
    pub(super) fn backends(
        &self,
        addressed: Addressed<'a>,
        refs: Option<(&Value, &Setting)>,
        http: bool,
    ) -> Vec<WeightedBackend> {
        let list = refs.and_then(|(refs, setting)| Some((refs.as_array()?, setting)));
        let Some((refs, setting)) = list.filter(|(refs, _)| !refs.is_empty()) else {
            return vec![itself(addressed)];
        };
        let share = |(index, value): (usize, &Value)| {
            let backend: BackendRef = serde_json::from_value(value.clone()).ok()?;
            let mut source = setting.by.clone();
            source.at = element(&source.at, index);
            Some(WeightedBackend {
                cluster: self.resolve(&backend, &setting.by.resource, http),
                weight: backend.effective_weight(),
                origin: self.of.lines.source(&source),
            })
        };
        refs.iter().enumerate().filter_map(share).collect()
    }

    /// The service port that a reference leads to; requests cannot be sent to a port of another protocol.
    pub(super) fn resolve(&self, backend: &BackendRef, route: &Kri, http: bool) -> Option<Kri> {
        let catalogue = self.of.mesh.catalogue();
        let ((service, port), _) = catalogue.backend(backend, route).ok()?;
        (!http || port.protocol.is_http()).then(|| service.kri(port))
    }

    fn cluster(&self, kri: &Kri, parts: &mut Parts) {
        let key = Key::Cluster(kri.clone());
        let mesh = self.of.mesh;
        let whole = kri.without_section();
        let service = mesh
            .services
            .iter()
            .find(|service| service.meta.kri == whole);
        let found = service.and_then(|service| Some((service, service.section(&kri.section)?)));
        let Some((service, port)) = found.filter(|_| !parts.resources.contains_key(&key)) else {
            return;
        };
        let mut notes = Notes::default();
        let merged = self.timeout.lookup(kri);
        let path = ["connectionTimeout"];
        let connect = timeout(&merged, &path, self.of.lines, "connectTimeout", &mut notes);
        let cluster = Cluster {
            kri: kri.clone(),
            protocol: port.protocol,
            identities: mesh.servers.get(kri).cloned().unwrap_or_default(),
            connect_timeout: connect
                .unwrap_or_else(|| mesh_bundle::resource::Timeouts::default().connect),
            origin: service.origin.clone(),
        };
        parts.notes.insert(key.clone(), notes);
        parts.resources.insert(key, Resource::Cluster(cluster));
    }
}

pub(super) fn itself(addressed: Addressed<'_>) -> WeightedBackend {
    WeightedBackend {
        cluster: Some(addressed.kri()),
        weight: 1,
        origin: addressed.service.origin.clone(),
    }
}

fn element(at: &Location, index: usize) -> Location {
    Location {
        pointer: at.pointer.index(index),
        ..at.clone()
    }
}
