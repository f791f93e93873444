//! Listeners for traffic from the workload, and the destinations behind them (language 3.2.2, 4.9, 5.2).
//!
//! Never reports: what does not resolve has been reported for its document, and has no listener.

use mesh_bundle::resource::{Destination, Outbound, Protocol, TcpRoute, Traffic, WeightedBackend};
use mesh_bundle::{Key, Kri, Resource};
use serde_json::Value;

use crate::diag::Location;
use crate::kinds::dataplane::outbound::Outbound as Declared;
use crate::kinds::target_ref::BackendRef;
use crate::policy::merge::Setting;
use crate::policy::outbound::{self, Towards};
use crate::provenance::Notes;
use crate::service::{Port, Service};

use super::captured;
use super::leaf::Leaves;
use super::load_balancing::hash_policies;
use super::retry::retry;
use super::route;
use super::shared::{Ingredients, Made, Parts, Shared};
use super::timeouts::timeouts;
use super::{Lowering, access_log};

/// The policies of one proxy that are about what it sends.
pub(super) struct Sending<'a> {
    pub(super) of: Lowering<'a>,
    pub(super) access_log: outbound::Outbound<'a>,
    pub(super) circuit_breaker: outbound::Outbound<'a>,
    pub(super) health_check: outbound::Outbound<'a>,
    pub(super) http: outbound::Outbound<'a>,
    pub(super) load_balancing: outbound::Outbound<'a>,
    pub(super) retry: outbound::Outbound<'a>,
    pub(super) tcp: outbound::Outbound<'a>,
    pub(super) timeout: outbound::Outbound<'a>,
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

/// Adds the outbounds of a proxy.
pub(super) fn lower(of: Lowering<'_>, parts: &mut Parts<'_>) {
    let sending = Sending::new(of);
    let declared = of
        .instance
        .networking()
        .map_or([].as_slice(), |n| &n.outbound);
    let mut explicit = false;
    for (index, declared) in declared.iter().enumerate() {
        if let Some(outbound) = sending.outbound(index, declared, parts) {
            explicit = true;
            let address = std::net::SocketAddr::new(outbound.address, outbound.port);
            let key = Key::Outbound(address.to_string());
            parts.insert(key, Resource::Outbound(outbound));
        }
    }
    if !explicit && of.instance.captures_outbound() {
        captured::lower(&sending, parts);
    }
}

impl<'a> Sending<'a> {
    pub(super) fn new(of: Lowering<'a>) -> Self {
        let policies = &of.mesh.policies;
        Self {
            of,
            access_log: policies.access_log.outbound(&of.subject),
            circuit_breaker: policies.circuit_breaker.outbound(&of.subject),
            health_check: policies.health_check.outbound(&of.subject),
            http: policies.http_route.outbound(&of.subject),
            load_balancing: policies.load_balancing.outbound(&of.subject),
            retry: policies.retry.outbound(&of.subject),
            tcp: policies.tcp_route.outbound(&of.subject),
            timeout: policies.timeout.outbound(&of.subject),
        }
    }

    fn outbound(
        &self,
        index: usize,
        declared: &Declared,
        parts: &mut Parts<'_>,
    ) -> Option<Outbound> {
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
            captured: false,
            origin: self
                .of
                .lines
                .within(instance.meta, &instance.outbound_at(index)),
        })
    }

    pub(super) fn destination(&self, addressed: Addressed<'a>, parts: &mut Parts<'_>) {
        self.destination_by(addressed, parts, |shared| self.make(addressed, shared));
    }

    /// The same, made so where nobody has it yet.
    pub(super) fn destination_by(
        &self,
        addressed: Addressed<'a>,
        parts: &mut Parts<'_>,
        make: impl FnOnce(&Shared) -> Option<Made>,
    ) {
        let kri = addressed.kri();
        let key = Key::Destination(kri.clone());
        if parts.has(&key) {
            return;
        }
        let ingredients = self.ingredients(&kri);
        let known = parts.shared.destinations.get(&ingredients);
        let made = known.or_else(|| {
            let made = make(parts.shared)?;
            let destinations = &parts.shared.destinations;
            destinations.insert(ingredients, made.clone());
            Some(made)
        });
        let Some(made) = made else { return };
        for cluster in made.reached.iter() {
            self.cluster(cluster, parts);
        }
        parts.give(key, &made);
    }

    /// Everything that a destination is made of, what its routes have of their own included.
    fn ingredients(&self, port: &Kri) -> Ingredients {
        let towards = Towards::Port(port.clone());
        let http = self.http.numbers(&towards);
        let tcp = self.tcp.numbers(&towards);
        let mut items = Vec::new();
        for kind in [
            &self.timeout,
            &self.retry,
            &self.access_log,
            &self.load_balancing,
        ] {
            let routes = self.http.policies(&http);
            let own = routes.flat_map(|route| kind.own(&Towards::Route(route.clone())));
            items.push(own.collect());
            items.push(kind.numbers(&towards));
        }
        items.extend([http, tcp]);
        Ingredients {
            port: port.clone(),
            items,
            own: Vec::new(),
        }
    }

    pub(super) fn make(&self, addressed: Addressed<'a>, shared: &Shared) -> Option<Made> {
        let Addressed { service, port } = addressed;
        let kri = addressed.kri();
        let mut notes = shared.notes();
        let traffic = self.traffic(addressed, &mut notes);
        let spoken = match &traffic {
            Traffic::Http { .. } => port.protocol,
            Traffic::Tcp { .. } => Protocol::Tcp,
        };
        let retries = Leaves {
            merged: &self.retry.lookup(&kri),
            lines: self.of.lines,
            notes: &mut notes,
            place: "retry",
        };
        let retry = retry(retries, spoken);
        let destination = Destination {
            protocol: port.protocol,
            port: port.number,
            vip: service.vip,
            hostnames: service.hostnames.clone(),
            traffic,
            retry,
            timeouts: Box::new(timeouts(Leaves {
                merged: &self.timeout.lookup(&kri),
                lines: self.of.lines,
                notes: &mut notes,
                place: "timeouts",
            })),
            hash_policies: hash_policies(Leaves {
                merged: &self.load_balancing.lookup(&kri),
                lines: self.of.lines,
                notes: &mut notes,
                place: "",
            }),
            access_log: access_log::destination(self.of, &self.access_log, &kri, &mut notes),
            origin: service.origin.clone(),
            kri,
        };
        let reached: Vec<Kri> = destination.clusters().cloned().collect();
        shared.make(Resource::Destination(destination), notes, reached)
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
