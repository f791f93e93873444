//! Two proxies that listen on one address and port.
//!
//! Never judges what runs on different machines: a loopback address there is not the same address. Never looks at one
//! proxy alone: the check of its kind has.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use mesh_bundle::Key;
use mesh_bundle::resource::{MetricsBackend, Resource};

use crate::diag::{Code, Diagnostic, Diagnostics, Location};
use crate::repository::MeshView;
use crate::service::Instance;

use super::Compared;

pub(super) fn check(mesh: &MeshView, diagnostics: &mut Diagnostics) {
    let mut taken: BTreeMap<(String, String, u16), (Instance<'_>, String, Location)> =
        BTreeMap::new();
    for instance in mesh.instances() {
        for (address, port, what, at) in listeners(instance) {
            let name = format!("{what} of `{}`", instance.meta.kri.name());
            let key = (host(instance), address.clone(), port);
            let Some((other, holder, holder_at)) = taken.get(&key) else {
                taken.insert(key, (instance, name, at));
                continue;
            };
            if other.meta.kri == instance.meta.kri {
                continue;
            }
            let message = format!("{name} listens on `{address}:{port}`, where {holder} listens");
            let mut diagnostic = Diagnostic::new(Code::PORT_CLASH, at, message);
            diagnostic.related(holder_at.clone(), "the other listener");
            diagnostic.help("give one of them another port, or another address");
            diagnostics.push(diagnostic);
        }
    }
}

/// An inbound where the proxy itself is to answer for its metrics: told once for each policy that says where.
pub(super) fn metrics(compared: Compared<'_>, diagnostics: &mut Diagnostics) {
    let mut told = BTreeSet::new();
    for given in compared.given {
        let Some(Resource::Metrics(metrics)) = given.resource(&Key::Metrics) else {
            continue;
        };
        let Some(instance) = Instance::of(&given.dataplane) else {
            continue;
        };
        let Some(backends) = &metrics.backends else {
            continue;
        };
        let ports = backends.value.iter().filter_map(|backend| match backend {
            MetricsBackend::Prometheus(endpoint) => Some(endpoint.port),
            MetricsBackend::OpenTelemetry { .. } => None,
        });
        let ports: BTreeSet<u16> = ports.collect();
        let own = instance.networking().and_then(|n| n.address.as_deref());
        let clash = instance.inbounds().find(|(_, inbound)| {
            let port = inbound.port.and_then(|port| u16::try_from(port).ok());
            let elsewhere = inbound.address.as_deref().is_some_and(|at| Some(at) != own);
            !elsewhere && port.is_some_and(|port| ports.contains(&port))
        });
        let policy = backends.origin.as_ref().map(|origin| &origin.resource);
        let (Some((index, inbound)), Some(policy)) = (clash, policy) else {
            continue;
        };
        if told.insert(policy) {
            let message = format!(
                "the inbound `{}` of `{}` listens where `{}` lets the proxy answer for its metrics",
                inbound.section(),
                instance.meta.kri.name(),
                policy.name()
            );
            let at = instance.inbound_at(index);
            let mut diagnostic = Diagnostic::new(Code::PORT_CLASH, at, message);
            diagnostic.help(format!(
                "give one of them another port: `{}` is a MeshMetric, with `prometheus.port`",
                policy.name()
            ));
            diagnostics.push(diagnostic);
        }
    }
}

/// The machine that a proxy runs on: what has a loopback address runs on one with everything else that has.
fn host(instance: Instance<'_>) -> String {
    let address = instance.networking().and_then(|n| n.address.clone());
    let address = address.unwrap_or_default();
    match address.parse::<IpAddr>() {
        Ok(ip) if ip.is_loopback() => "localhost".to_owned(),
        _ => address,
    }
}

fn listeners(instance: Instance<'_>) -> Vec<(String, u16, String, Location)> {
    let mut listeners = Vec::new();
    for (index, inbound) in instance.inbounds() {
        let address = crate::lower::inbound::address(instance, inbound);
        let port = inbound.port.and_then(|port| u16::try_from(port).ok());
        if let Some((address, port)) = address.zip(port) {
            let what = format!("the inbound `{}`", inbound.section());
            listeners.push((address, port, what, instance.inbound_at(index)));
        }
    }
    let outbounds = instance.networking().map_or([].as_slice(), |n| &n.outbound);
    for (index, outbound) in outbounds.iter().enumerate() {
        let address = outbound
            .address
            .clone()
            .unwrap_or_else(|| "127.0.0.1".to_owned());
        if let Some(port) = outbound.port.and_then(|port| u16::try_from(port).ok()) {
            let what = format!("the outbound on port {port}");
            listeners.push((address, port, what, instance.outbound_at(index)));
        }
    }
    listeners
}
