//! Services as clients see them: ports, and what is behind them (language 3.3 to 3.5).
//!
//! Never invents a service over a document: a generated one gives way to a document of its name.

mod document;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use mesh_bundle::kri::Parts;
use mesh_bundle::resource::Protocol;
use mesh_bundle::{Kri, Origin};

use crate::diag::{Location, Pointer};
use crate::kinds::dataplane::outbound::{ReachableRef, TransparentProxying};
use crate::kinds::dataplane::{Dataplane, Inbound, InboundState, Networking};
use crate::kinds::mesh_external_service::MeshExternalService;
use crate::kinds::scalar::PortRef;
use crate::kinds::{Resource, Spec};
use crate::model::{Format, Meta};
use crate::policy::carries;
use crate::policy::target::TargetKind;

/// A named group of proxies with ports.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Service {
    pub(crate) meta: Meta,
    pub(crate) selector: Selector,
    pub(crate) ports: Vec<Port>,
    /// The document, or what stands for one.
    pub(crate) origin: Origin,
    pub(crate) vip: Option<IpAddr>,
    /// Sorted.
    pub(crate) hostnames: Vec<String>,
}

/// What is behind a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Selector {
    /// Proxies by their labels.
    Labels(BTreeMap<String, String>),
    /// One proxy.
    Name(String),
    Nobody,
    /// Services by their labels, and whatever is behind those.
    Services(BTreeMap<String, String>),
    /// Nothing of the mesh.
    Outside(Box<MeshExternalService>),
}

/// A port that clients address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Port {
    pub(crate) number: u16,
    /// Its name, else its number.
    pub(crate) section: String,
    pub(crate) target: PortRef,
    pub(crate) protocol: Protocol,
    pub(crate) at: Location,
}

/// A Dataplane of the repository.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Instance<'a> {
    pub(crate) meta: &'a Meta,
    pub(crate) spec: &'a Dataplane,
}

/// What names the workload of a proxy.
pub(crate) const WORKLOAD: &str = "kuma.io/workload";

impl Service {
    /// Does this proxy belong to it?
    pub(crate) fn selects(&self, instance: Instance<'_>) -> bool {
        let (own, other) = (&self.meta.kri, &instance.meta.kri);
        let selected = match &self.selector {
            Selector::Nobody | Selector::Services(_) | Selector::Outside(_) => false,
            Selector::Name(name) => *name == other.name() && own.namespace() == other.namespace(),
            Selector::Labels(labels) => {
                carries(&instance.meta.labels, labels) && instance.inbounds().next().is_some()
            }
        };
        own.mesh() == other.mesh()
            && (own.zone().is_empty() || own.zone() == other.zone())
            && selected
    }

    /// What it is called in references.
    pub(crate) fn kind(&self) -> TargetKind {
        match self.selector {
            Selector::Outside(_) => TargetKind::MeshExternalService,
            Selector::Services(_) => TargetKind::MeshMultiZoneService,
            Selector::Labels(_) | Selector::Name(_) | Selector::Nobody => TargetKind::MeshService,
        }
    }

    /// The port with this section name.
    pub(crate) fn section(&self, name: &str) -> Option<&Port> {
        self.ports.iter().find(|port| port.section == name)
    }

    /// The name of a destination and its cluster.
    pub(crate) fn kri(&self, port: &Port) -> Kri {
        self.meta.kri.with_section(port.section.as_str())
    }
}

impl Port {
    /// The port of a member that serves this one of a multi-zone service: of the same name, else of the same number.
    pub(crate) fn of_member<'s>(&self, member: &'s Service) -> Option<&'s Port> {
        let number = |port: &&Port| port.number == self.number;
        let named = member.section(&self.section);
        named.or_else(|| member.ports.iter().find(number))
    }

    /// The inbounds that serve it.
    pub(crate) fn inbounds<'a>(
        &self,
        instance: Instance<'a>,
    ) -> impl Iterator<Item = (usize, &'a Inbound)> + use<'a, '_> {
        let serves = move |inbound: &Inbound| match &self.target {
            PortRef::Number(number) => inbound.port == Some(*number),
            PortRef::Name(name) => inbound.name.as_ref() == Some(name),
        };
        instance
            .inbounds()
            .filter(move |(_, inbound)| serves(inbound))
    }
}

impl<'a> Instance<'a> {
    /// Of a document, if that is a Dataplane.
    pub(crate) fn of(resource: &'a Resource) -> Option<Self> {
        match &resource.spec {
            Spec::Dataplane(spec) => Some(Self {
                meta: &resource.meta,
                spec,
            }),
            _ => None,
        }
    }

    /// Where it listens, if it says so.
    pub(crate) fn networking(&self) -> Option<&'a Networking> {
        self.spec.networking.as_ref()
    }

    /// The inbounds that have a listener, with their places in the document.
    pub(crate) fn inbounds(&self) -> impl Iterator<Item = (usize, &'a Inbound)> + use<'a> {
        let inbounds = self.networking().map_or([].as_slice(), |n| &n.inbound);
        let listens = |inbound: &Inbound| inbound.state != Some(InboundState::Ignored);
        let inbounds = inbounds.iter().enumerate();
        inbounds.filter(move |(_, inbound)| listens(inbound))
    }

    /// The section names of the inbounds that have a listener.
    pub(crate) fn sections(&self) -> Vec<String> {
        self.inbounds()
            .map(|(_, inbound)| inbound.section())
            .collect()
    }

    /// Where an inbound stands.
    pub(crate) fn inbound_at(&self, index: usize) -> Location {
        let inbounds = Pointer::default().field("networking").field("inbound");
        self.meta.within(&inbounds.index(index))
    }

    /// Where an outbound stands.
    pub(crate) fn outbound_at(&self, index: usize) -> Location {
        let outbounds = Pointer::default().field("networking").field("outbound");
        self.meta.within(&outbounds.index(index))
    }

    /// Where it says what is captured.
    pub(crate) fn capture_at(&self) -> Location {
        let networking = Pointer::default().field("networking");
        self.meta.within(&networking.field("transparentProxying"))
    }

    /// Says that what its workload sends is captured, whatever it is addressed to.
    pub(crate) fn captures_outbound(&self) -> bool {
        let networking = self.networking();
        let capture = networking.and_then(|networking| networking.transparent_proxying.as_ref());
        capture.is_some_and(TransparentProxying::captures_outbound)
    }

    /// What its document says its workload can reach; `None`: everything.
    pub(crate) fn reachable(&self) -> Option<&'a [ReachableRef]> {
        let networking = self.networking()?;
        let capture = networking.transparent_proxying.as_ref()?;
        let reachable = capture.reachable_backends.as_ref()?;
        Some(&reachable.refs)
    }

    /// The service that a proxy belongs to by the name of its workload.
    pub(crate) fn workload(&self) -> Option<&'a str> {
        self.meta.labels.get(WORKLOAD).map(String::as_str)
    }
}

/// A protocol as documents write it; what is not HTTP is bytes.
pub(crate) fn protocol(text: Option<&str>) -> Protocol {
    match text.map(str::to_ascii_lowercase).as_deref() {
        Some("http") => Protocol::Http,
        Some("http2") => Protocol::Http2,
        Some("grpc") => Protocol::Grpc,
        _ => Protocol::Tcp,
    }
}

/// The services of workloads that no document names, and the proxies that do not agree with the first of their workload
/// about its ports.
pub(crate) fn generate<'a>(
    instances: &[Instance<'a>],
    documents: &[Service],
) -> (Vec<Service>, Vec<(Instance<'a>, Instance<'a>)>) {
    let mut workloads: BTreeMap<(&str, &str), Vec<Instance<'a>>> = BTreeMap::new();
    for instance in instances {
        if let Some(workload) = instance.workload().filter(|name| is_label(name)) {
            let key = (instance.meta.kri.zone(), workload);
            workloads.entry(key).or_default().push(*instance);
        }
    }
    let taken: BTreeSet<(&str, &str)> = documents
        .iter()
        .filter(|service| service.kind() == TargetKind::MeshService)
        .map(|service| (service.meta.kri.zone(), service.meta.kri.name()))
        .collect();
    let mut services = Vec::new();
    let mut disagreements = Vec::new();
    for ((zone, workload), instances) in workloads {
        let Some(first) = instances.first() else {
            continue;
        };
        let ports = generated_ports(*first);
        if taken.contains(&(zone, workload)) || ports.is_empty() {
            continue;
        }
        let differs = |instance: &&Instance<'_>| {
            let shape = |port: Port| (port.number, port.section, port.protocol);
            !generated_ports(**instance)
                .into_iter()
                .map(shape)
                .eq(ports.iter().cloned().map(shape))
        };
        let odd = instances.iter().filter(differs);
        disagreements.extend(odd.map(|odd| (*odd, *first)));
        services.push(generated(*first, workload, ports));
    }
    (services, disagreements)
}

fn generated(first: Instance<'_>, workload: &str, ports: Vec<Port>) -> Service {
    let kri = Kri::new(Parts {
        kind: "msvc",
        name: workload,
        section: "",
        ..first.meta.kri.parts()
    });
    // Everything that is computed for a document in the place of the Dataplane.
    let inherited = [
        "kuma.io/mesh",
        "kuma.io/origin",
        "kuma.io/zone",
        "kuma.io/env",
    ];
    let mut labels: BTreeMap<String, String> = inherited
        .into_iter()
        .filter_map(|key| Some((key.to_owned(), first.meta.labels.get(key)?.clone())))
        .collect();
    for (key, value) in [
        ("kuma.io/display-name", workload),
        ("kuma.io/managed-by", "meshservice-generator"),
    ] {
        labels.insert(key.to_owned(), value.to_owned());
    }
    let origin = Origin {
        resource: kri.clone(),
        file: GENERATED.to_owned(),
        line: 0,
    };
    Service {
        meta: Meta {
            kri,
            format: Format::Universal,
            labels,
            created: None,
            at: first.meta.at.clone(),
            body: Pointer::default(),
            virtual_document: true,
        },
        selector: Selector::Labels(BTreeMap::from([(WORKLOAD.to_owned(), workload.to_owned())])),
        ports,
        origin,
        vip: None,
        hostnames: Vec::new(),
    }
}

/// Where a generated service says it comes from.
pub(crate) const GENERATED: &str = "(generated from the label kuma.io/workload)";

fn generated_ports(instance: Instance<'_>) -> Vec<Port> {
    let port = |(index, inbound): (usize, &Inbound)| {
        Some(Port {
            number: u16::try_from(inbound.port?).ok()?,
            section: inbound.section(),
            target: PortRef::Number(inbound.port?),
            protocol: protocol(inbound.protocol.as_deref()),
            at: instance.inbound_at(index),
        })
    };
    instance.inbounds().filter_map(port).collect()
}

/// RFC 1035: what can be part of a DNS name.
fn is_label(text: &str) -> bool {
    let alphanumeric = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    text.len() <= 63
        && text.bytes().next().is_some_and(|b| b.is_ascii_lowercase())
        && text.bytes().next_back().is_some_and(alphanumeric)
        && text.bytes().all(|b| alphanumeric(b) || b == b'-')
}

#[cfg(test)]
impl Service {
    /// One with a port for each of the given sections, 80 and on.
    pub(crate) fn sample(name: &str, labels: &[(&str, &str)], sections: &[&str]) -> Self {
        let kri: Kri = format!("kri_msvc_default_default__{name}_")
            .parse()
            .unwrap();
        let at = Location::of_file(&format!("{name}.yaml"));
        let pair = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
        let port = |(number, section): (u16, &&str)| Port {
            number,
            section: (*section).to_owned(),
            target: PortRef::Number(number.into()),
            protocol: Protocol::Tcp,
            at: at.clone(),
        };
        Self {
            origin: Origin {
                resource: kri.clone(),
                file: at.file.clone(),
                line: 1,
            },
            selector: Selector::Nobody,
            ports: (80..).zip(sections).map(port).collect(),
            vip: None,
            hostnames: Vec::new(),
            meta: Meta {
                kri,
                format: Format::Universal,
                labels: labels.iter().map(pair).collect(),
                created: None,
                at,
                body: Pointer::default(),
                virtual_document: false,
            },
        }
    }
}
