//! `_layout`: where a proxy listens, and what it can reach.
//!
//! Never looks for addresses of outbounds: Kuma names them by what they lead to.

use std::collections::BTreeSet;

use mesh_bundle::Kri;
use serde_json::{Value, json};

use crate::identity::best;
use crate::inspect::asked::{Proxy, Section};
use crate::kinds::dataplane::ListenerType;
use crate::kinds::dataplane::outbound::{OutboundRef, ReachableRef};
use crate::policy::carries;
use crate::policy::target::NAMESPACE;
use crate::service::{Port, Service};

use super::{Api, with};

pub(super) fn layout(api: &Api<'_>, proxy: &Proxy<'_>) -> Value {
    let inbounds = proxy
        .sections
        .iter()
        .filter(|section| section.zone_proxy.is_none());
    let listeners = proxy.sections.iter().filter_map(listener);
    let outbounds = outbounds(api, proxy);
    let outbounds = outbounds.iter().map(
        |Reached {
             kri,
             port,
             protocol,
         }| {
            json!({"kri": kri, "port": port, "protocol": protocol, "proxyResourceName": kri})
        },
    );
    let layout = json!({
        "kri": proxy.kri(),
        "labels": api.labels(proxy.instance.meta),
        "inbounds": inbounds.map(inbound).collect::<Vec<_>>(),
        "outbounds": outbounds.collect::<Vec<_>>(),
        "listeners": listeners.collect::<Vec<_>>(),
    });
    let meta = proxy.instance.meta;
    let identity = best(
        proxy
            .mesh
            .identities
            .iter()
            .filter(|identity| identity.selects(meta)),
    );
    let id = identity.and_then(|identity| identity.render(meta).ok());
    with(layout, "spiffeId", id.map(|id| json!(id)))
}

fn inbound(section: &Section) -> Value {
    json!({
        "kri": section.kri,
        "port": section.port,
        "protocol": section.protocol,
        "proxyResourceName": format!("self_inbound_dp_{}", section.name),
    })
}

fn listener(section: &Section) -> Option<Value> {
    let kind = section.zone_proxy?;
    let name = match kind {
        ListenerType::ZoneIngress => "zoneingress",
        ListenerType::ZoneEgress => "zoneegress",
    };
    Some(json!({
        "kri": section.kri,
        "type": kind,
        "port": section.port,
        "proxyResourceName": format!("self_{name}_dp_{}", section.name),
    }))
}

/// A port of a service.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Reached {
    kri: Kri,
    port: u16,
    protocol: &'static str,
}

impl Reached {
    fn of(service: &Service, port: &Port) -> Self {
        Self {
            kri: service.kri(port),
            port: port.number,
            protocol: port.protocol.as_str(),
        }
    }
}

/// What the explicit outbounds lead to; where none leads anywhere, everything that can be reached.
fn outbounds(api: &Api<'_>, proxy: &Proxy<'_>) -> BTreeSet<Reached> {
    let networking = proxy.instance.networking();
    let declared = networking.map_or([].as_slice(), |networking| &networking.outbound);
    let declared = declared
        .iter()
        .filter_map(|outbound| outbound.backend_ref.as_ref());
    let explicit: BTreeSet<Reached> = declared
        .flat_map(|backend| explicit(api, proxy, backend))
        .collect();
    if !explicit.is_empty() {
        return explicit;
    }
    let captured = networking.and_then(|networking| networking.transparent_proxying.as_ref());
    let services = proxy.mesh.services.iter();
    match captured.and_then(|captured| captured.reachable_backends.as_ref()) {
        Some(reachable) => {
            let refs = reachable.refs.iter();
            refs.flat_map(|backend| reachable_by(api, proxy, backend))
                .collect()
        }
        None => services.flat_map(|service| ports(service, None)).collect(),
    }
}

fn explicit(api: &Api<'_>, proxy: &Proxy<'_>, backend: &OutboundRef) -> Vec<Reached> {
    let kind = backend.kind.as_ref().map_or("", |kind| kind.as_str());
    let mut services = proxy.mesh.services.iter().filter(|service| {
        service.kind().as_str() == kind
            && match &backend.name {
                Some(name) => api.goes_by(&service.meta, name),
                None => carries(&service.meta.labels, &backend.labels),
            }
    });
    // of several services the first, where a port is given.
    match backend.port {
        Some(_) => services
            .next()
            .map_or_else(Vec::new, |service| ports(service, backend.port)),
        None => services.flat_map(|service| ports(service, None)).collect(),
    }
}

fn reachable_by(api: &Api<'_>, proxy: &Proxy<'_>, backend: &ReachableRef) -> Vec<Reached> {
    let kind = backend.kind.as_ref().map_or("", |kind| kind.as_str());
    let own = proxy.instance.meta.labels.get(NAMESPACE);
    let namespace = backend.namespace.as_ref().or(own);
    let services = proxy.mesh.services.iter().filter(|service| {
        service.kind().as_str() == kind
            && match &backend.name {
                Some(name) => {
                    let inside = service.meta.labels.get(NAMESPACE);
                    api.goes_by(&service.meta, name) && (namespace.is_none() || inside == namespace)
                }
                None => carries(&service.meta.labels, &backend.labels),
            }
    });
    services
        .flat_map(|service| ports(service, backend.port))
        .collect()
}

/// The port of a service with this number; where there is none, all of them.
fn ports(service: &Service, number: Option<u32>) -> Vec<Reached> {
    let one = service
        .ports
        .iter()
        .find(|port| Some(u32::from(port.number)) == number);
    match one {
        Some(port) => vec![Reached::of(service, port)],
        None => service
            .ports
            .iter()
            .map(|port| Reached::of(service, port))
            .collect(),
    }
}
