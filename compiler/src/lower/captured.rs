//! Listeners of a proxy that captures what its workload sends: one for every port that can be reached, on the virtual IP
//! of its service (language 3.2.2).
//!
//! Never beside explicit listeners: where one of those leads somewhere, there are no others.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};

use mesh_bundle::resource::{Capture, IpFamilies, Outbound};
use mesh_bundle::{Key, Resource};

use crate::kinds::dataplane::outbound::IpFamilyMode;
use crate::provenance::Notes;
use crate::repository::Lines;
use crate::service::{Instance, Service};

use super::inbound;
use super::outbound::{Addressed, Sending};
use super::shared::Parts;

/// Where captured traffic arrives, by what the Dataplane says.
pub(super) fn capture(instance: Instance<'_>, lines: Lines<'_>) -> Option<Capture> {
    let declared = instance.networking()?.transparent_proxying.as_ref()?;
    Some(Capture {
        inbound_port: declared.inbound_port(),
        outbound_port: declared.outbound_port(),
        families: match declared.ip_family_mode.unwrap_or(IpFamilyMode::DualStack) {
            IpFamilyMode::DualStack => IpFamilies::Dual,
            IpFamilyMode::IPv4 => IpFamilies::Ipv4,
            IpFamilyMode::IPv6 => IpFamilies::Ipv6,
        },
        origin: lines.within(instance.meta, &instance.capture_at()),
    })
}

/// Adds the outbounds.
pub(super) fn lower<'a>(sending: &Sending<'a>, parts: &mut Parts<'_>) {
    let own = own(sending);
    for addressed in reachable(sending) {
        let Some(ip) = addressed.service.vip else {
            continue;
        };
        let address = SocketAddr::new(ip, addressed.port.number);
        if own.contains(&address) {
            continue;
        }
        sending.destination(addressed, parts);
        let kri = addressed.kri();
        let known = parts.shared.captured.get(&kri);
        let made = known.or_else(|| {
            let outbound = Outbound {
                address: ip,
                port: addressed.port.number,
                destination: kri.clone(),
                captured: true,
                origin: addressed.service.origin.clone(),
            };
            let made =
                parts
                    .shared
                    .make(Resource::Outbound(outbound), Notes::default(), Vec::new())?;
            parts.shared.captured.insert(kri, made.clone());
            Some(made)
        });
        if let Some(made) = made {
            parts.give(Key::Outbound(address.to_string()), &made);
        }
    }
}

/// Where the proxy's own inbounds listen.
fn own(sending: &Sending<'_>) -> BTreeSet<SocketAddr> {
    let instance = sending.of.instance;
    let address = |(_, declared): (usize, &crate::kinds::dataplane::Inbound)| {
        let ip: IpAddr = inbound::address(instance, declared)?.parse().ok()?;
        Some(SocketAddr::new(ip, u16::try_from(declared.port?).ok()?))
    };
    instance.inbounds().filter_map(address).collect()
}

/// Every port that the document lets the workload reach, each once.
fn reachable<'a>(sending: &Sending<'a>) -> Vec<Addressed<'a>> {
    let instance = sending.of.instance;
    let all = |service: &'a Service| {
        let ports = service.ports.iter();
        ports.map(move |port| Addressed { service, port })
    };
    let Some(refs) = instance.reachable() else {
        return sending.of.mesh.services.iter().flat_map(all).collect();
    };
    let catalogue = sending.of.mesh.catalogue();
    let mut named = BTreeSet::new();
    let mut found = Vec::new();
    for one in refs {
        // What leads nowhere is reported for the document.
        let ports = catalogue.reachable(one, instance.meta).unwrap_or_default();
        for (service, port) in ports {
            if named.insert(service.kri(port)) {
                found.push(Addressed { service, port });
            }
        }
    }
    found
}
