//! References by labels: what they lead to, and what is wrong when they lead nowhere (language 4.2, 4.6, 3.2.2).
//!
//! Never reports by itself: resolving happens once for each proxy, reporting once for each document.

mod reachable;
mod words;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use mesh_bundle::Kri;

use crate::diag::{Code, Diagnostic, Location};
use crate::index::Carriers;
use crate::kinds::Resource;
use crate::kinds::dataplane::outbound::OutboundRef;
use crate::kinds::target_ref::BackendRef;
use crate::model::Meta;
use crate::policy::carries;
use crate::policy::outbound::Towards;
use crate::policy::target::{DISPLAY_NAME, NAMESPACE, Target, TargetKind};
use crate::service::{Port, Service};
use crate::similar::nearest;

pub(crate) use words::{nobody, several, written};

use words::list;

/// Everything of one mesh that can be referred to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Catalogue<'a> {
    /// In the order of their KRIs.
    pub(crate) services: &'a [Service],
    /// `MeshHTTPRoute`s, in the order of their KRIs.
    pub(crate) routes: &'a [Arc<Resource>],
    pub(crate) carriers: &'a Carried,
}

/// The labels of what is in a catalogue.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Carried {
    pub(crate) services: Carriers,
    pub(crate) routes: Carriers,
}

/// Why a reference does not lead where it should.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unresolved {
    pub(crate) code: Code,
    pub(crate) message: String,
    pub(crate) help: Option<String>,
    pub(crate) related: Vec<(Location, String)>,
}

/// A reference that leads somewhere, perhaps with a remark.
pub(crate) type Resolved<T> = Result<(T, Option<Unresolved>), Unresolved>;

impl Unresolved {
    pub(crate) fn dangling(message: String) -> Self {
        Self {
            code: Code::DANGLING_REF,
            message,
            help: None,
            related: Vec::new(),
        }
    }

    /// As a finding at the reference.
    pub(crate) fn at(self, at: Location) -> Diagnostic {
        let mut diagnostic = Diagnostic::new(self.code, at, self.message);
        diagnostic.help = self.help;
        diagnostic.related = self.related;
        diagnostic
    }
}

impl<'a> Catalogue<'a> {
    /// What an item of `to` is about. Ports that only some of the services have are fine.
    pub(crate) fn towards(&self, target: &Target) -> Result<Vec<Towards>, Unresolved> {
        match (target.kind, &target.section) {
            (TargetKind::Mesh | TargetKind::Dataplane, _) => Ok(vec![Towards::Mesh]),
            (TargetKind::MeshHttpRoute, _) => {
                let routes = self.carriers.routes.candidates(&target.labels).iter();
                let found: Vec<Towards> = routes
                    .filter_map(|index| self.routes.get(*index))
                    .filter(|route| carries(&route.meta.labels, &target.labels))
                    .map(|route| Towards::Route(route.meta.kri.clone()))
                    .collect();
                match found.is_empty() {
                    true => Err(self.nothing(target.kind, &target.labels)),
                    false => Ok(found),
                }
            }
            (kind, section) => {
                let services = self.select(kind, &target.labels)?;
                if let Some(number) = target.port {
                    return numbered(&services, number);
                }
                let Some(section) = section else {
                    let whole = |service: &&Service| Towards::Service(service.meta.kri.clone());
                    return Ok(services.iter().map(whole).collect());
                };
                let ports: Vec<Towards> = services
                    .iter()
                    .filter_map(|service| {
                        Some(Towards::Port(service.kri(service.section(section)?)))
                    })
                    .collect();
                match ports.is_empty() {
                    true => Err(no_port(&services, section)),
                    false => Ok(ports),
                }
            }
        }
    }

    /// The service port that a route sends traffic to: exactly one. `from` is the route.
    pub(crate) fn backend(
        &self,
        backend: &BackendRef,
        from: &Kri,
    ) -> Resolved<(&'a Service, &'a Port)> {
        let kind = backend.kind.as_ref().map_or("", |kind| kind.as_str());
        let mut labels = backend.labels.clone();
        if labels.contains_key(DISPLAY_NAME) && !from.namespace().is_empty() {
            let namespace = || from.namespace().to_owned();
            labels.entry(NAMESPACE.to_owned()).or_insert_with(namespace);
        }
        let services = self.select(kind_of(kind), &labels)?;
        let (service, others) = services.split_first().ok_or_else(|| {
            // Not reached: a selection is never empty.
            self.nothing(kind_of(kind), &labels)
        })?;
        let port = match (backend.port, &backend.section_name) {
            (Some(port), _) => by_number(service, port),
            (None, Some(section)) => by_section(service, section),
            (None, None) => the_only(service),
        }?;
        Ok(((service, port), ambiguous(service, others)))
    }

    /// The service port that an explicit outbound of a Dataplane leads to: exactly one, or none.
    pub(crate) fn outbound(
        &self,
        backend: &OutboundRef,
        from: &Meta,
    ) -> Result<(&'a Service, &'a Port), Unresolved> {
        let kind = backend.kind.as_ref().map_or("", |kind| kind.as_str());
        let mut labels = backend.labels.clone();
        if let Some(name) = &backend.name {
            labels.insert(DISPLAY_NAME.to_owned(), name.clone());
            if !from.kri.namespace().is_empty() {
                labels.insert(NAMESPACE.to_owned(), from.kri.namespace().to_owned());
            }
        }
        let mut services = self.select(kind_of(kind), &labels)?;
        if backend.name.is_some() && services.len() > 1 {
            services.retain(|service| service.meta.kri.zone() == from.kri.zone());
        }
        let (service, others) = services
            .split_first()
            .ok_or_else(|| self.nothing(kind_of(kind), &labels))?;
        if let Some(mut ambiguity) = ambiguous(service, others) {
            ambiguity.message = format!(
                "{} services carry {}, a listener needs exactly one",
                services.len(),
                written(&labels)
            );
            return Err(ambiguity);
        }
        let port = match backend.port {
            Some(port) => by_number(service, port),
            None => the_only(service),
        }?;
        Ok((service, port))
    }

    /// Every service that carries the labels, never none; oldest first.
    fn select(
        &self,
        kind: TargetKind,
        labels: &BTreeMap<String, String>,
    ) -> Result<Vec<&'a Service>, Unresolved> {
        let of_kind = self.carriers.services.candidates(labels).iter();
        let mut found: Vec<&Service> = of_kind
            .filter_map(|index| self.services.get(*index))
            .filter(|service| service.kind() == kind && carries(&service.meta.labels, labels))
            .collect();
        let age =
            |service: &Service| (service.meta.created.is_none(), service.meta.created.clone());
        found.sort_by_key(|service| age(service));
        match found.is_empty() {
            true => Err(self.nothing(kind, labels)),
            false => Ok(found),
        }
    }

    fn of_kind(&self, kind: TargetKind) -> impl Iterator<Item = &'a Service> {
        let services = self.services.iter();
        services.filter(move |service| service.kind() == kind)
    }

    fn nothing(&self, kind: TargetKind, labels: &BTreeMap<String, String>) -> Unresolved {
        let metas: Vec<&Meta> = match kind {
            TargetKind::MeshHttpRoute => self.routes.iter().map(|route| &*route.meta).collect(),
            _ => self.of_kind(kind).map(|service| &service.meta).collect(),
        };
        nobody(kind.as_str(), &metas, labels)
    }
}

fn kind_of(text: &str) -> TargetKind {
    match text {
        "MeshExternalService" => TargetKind::MeshExternalService,
        "MeshMultiZoneService" => TargetKind::MeshMultiZoneService,
        _ => TargetKind::MeshService,
    }
}

fn by_number(service: &Service, number: u32) -> Result<&Port, Unresolved> {
    let port = |port: &&Port| u32::from(port.number) == number;
    service
        .ports
        .iter()
        .find(port)
        .ok_or_else(|| no_port(&[service], &number.to_string()))
}

/// The ports of this number, whatever they are called.
fn numbered(services: &[&Service], number: u32) -> Result<Vec<Towards>, Unresolved> {
    let ports = services.iter().filter_map(|service| {
        let port = by_number(service, number).ok()?;
        Some(Towards::Port(service.kri(port)))
    });
    let ports: Vec<Towards> = ports.collect();
    match ports.is_empty() {
        true => Err(no_port(services, &number.to_string())),
        false => Ok(ports),
    }
}

/// By name, or by number.
fn by_section<'a>(service: &'a Service, section: &str) -> Result<&'a Port, Unresolved> {
    let number = |port: &&Port| port.number.to_string() == section;
    service
        .section(section)
        .or_else(|| service.ports.iter().find(number))
        .ok_or_else(|| no_port(&[service], section))
}

fn the_only(service: &Service) -> Result<&Port, Unresolved> {
    match service.ports.as_slice() {
        [port] => Ok(port),
        [] => Err(no_port(&[service], "any")),
        ports => {
            let numbers: Vec<String> = ports.iter().map(|port| port.number.to_string()).collect();
            Err(Unresolved {
                code: Code::AMBIGUOUS_REF,
                message: format!("`{}` has {} ports", service.meta.kri.name(), ports.len()),
                help: Some(format!(
                    "say which one with `port`: {}",
                    list(numbers.iter().map(String::as_str))
                )),
                related: Vec::new(),
            })
        }
    }
}

fn no_port(services: &[&Service], section: &str) -> Unresolved {
    let names = list(services.iter().map(|service| service.meta.kri.name()));
    let mut unresolved = Unresolved::dangling(format!("{names} has no port `{section}`"));
    let ports: BTreeSet<String> = services
        .iter()
        .flat_map(|service| &service.ports)
        .flat_map(|port| [port.section.clone(), port.number.to_string()])
        .collect();
    if !ports.is_empty() {
        let ports = ports.iter().map(String::as_str);
        // Of numbers, none is near another.
        let name = section.parse::<u32>().is_err();
        unresolved.help = Some(match nearest(section, ports.clone()).filter(|_| name) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("its ports are {}", list(ports)),
        });
    }
    unresolved
}

fn ambiguous(chosen: &Service, others: &[&Service]) -> Option<Unresolved> {
    let others: Vec<&Meta> = others.iter().map(|other| &other.meta).collect();
    several("services", &chosen.meta, &others)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_backend_is_one_port_of_one_service() {
        let services = [
            Service::sample("api", &[("app", "api"), ("of", "x")], &["http", "admin"]),
            Service::sample("db", &[("app", "db"), ("of", "x")], &["tcp"]),
        ];
        let carriers = Carried {
            services: Carriers::of(services.iter().map(|service| &service.meta.labels)),
            routes: Carriers::default(),
        };
        let catalogue = Catalogue {
            services: &services,
            routes: &[],
            carriers: &carriers,
        };
        let from = "kri_mhttpr_default_default__r_".parse().unwrap();
        let resolve = |key: &str, value: &str, port: Option<u32>, section: Option<&str>| {
            let backend = BackendRef {
                labels: BTreeMap::from([(key.to_owned(), value.to_owned())]),
                port,
                section_name: section.map(str::to_owned),
                ..BackendRef::default()
            };
            match catalogue.backend(&backend, &from) {
                Ok(((service, port), None)) => {
                    format!("{} {}", service.meta.kri.name(), port.section)
                }
                Ok((_, Some(remark))) => remark.message,
                Err(unresolved) => unresolved.message,
            }
        };
        let table = [
            ("app", "db", None, None, "db tcp"),
            ("app", "api", Some(81), None, "api admin"),
            ("app", "api", None, Some("http"), "api http"),
            ("app", "api", None, Some("81"), "api admin"),
            ("app", "api", None, None, "`api` has 2 ports"),
            ("app", "api", Some(1), None, "`api` has no port `1`"),
            (
                "app",
                "web",
                None,
                None,
                "no MeshService carries `app: web`",
            ),
            (
                "of",
                "x",
                Some(80),
                None,
                "2 services carry these labels, `api` is taken",
            ),
        ];
        for (key, value, port, section, expected) in table {
            assert_eq!(resolve(key, value, port, section), expected);
        }
    }
}
