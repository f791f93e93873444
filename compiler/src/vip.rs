//! Virtual IPs: the address under which a service is captured (language 3.7).
//!
//! Never reads what an earlier bundle held: an address is a function of the files alone. The label [`PIN`] keeps one where
//! a collision would move it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};

use mesh_bundle::Kri;
use sha2::{Digest as _, Sha256};

use crate::diag::{Change, Code, Diagnostic, Diagnostics, Pointer};
use crate::model::Format;
use crate::policy::target::TargetKind;
use crate::service::Service;

/// A label of a service: the virtual IP that it shall have.
pub(crate) const PIN: &str = "meshc/vip";

/// Without the first and the last address of a range.
const SIZE: u32 = (1 << 24) - 2;

/// The first octet of the `/8` that the services of a kind have addresses of.
fn range(service: &Service) -> u8 {
    match service.kind() {
        TargetKind::MeshExternalService => 242,
        TargetKind::MeshMultiZoneService => 243,
        _ => 241,
    }
}

/// Gives every service of one mesh its address. `services` are in the order of their KRIs.
pub(crate) fn allocate(services: &mut [Service], diagnostics: &mut Diagnostics) {
    let mut taken: BTreeMap<(u8, u32), Kri> = BTreeMap::new();
    let mut pinned = BTreeSet::new();
    for service in services.iter_mut() {
        let Some(text) = service.meta.labels.get(PIN) else {
            continue;
        };
        let at = service.meta.at.clone();
        let range = range(service);
        match offset(range, text) {
            None => {
                let message =
                    format!("label `{PIN}` is `{text}`, which is no address of {range}.0.0.0/8");
                diagnostics.push(Diagnostic::new(Code::INVALID_VALUE, at, message));
            }
            Some(offset) => match taken.get(&(range, offset)) {
                Some(holder) => {
                    let message = format!("`{text}` is pinned by `{}` already", holder.name());
                    diagnostics.push(Diagnostic::new(Code::VIP_COLLISION, at, message));
                }
                None => {
                    taken.insert((range, offset), service.meta.kri.clone());
                    pinned.insert(service.meta.kri.clone());
                    service.vip = Some(address(range, offset));
                }
            },
        }
    }
    for service in services.iter_mut() {
        if pinned.contains(&service.meta.kri) {
            continue;
        }
        let range = range(service);
        let wanted = candidate(&service.meta.kri);
        let Some(offset) = (0..SIZE)
            .map(|step| (wanted + step) % SIZE)
            .find(|offset| !taken.contains_key(&(range, *offset)))
        else {
            continue;
        };
        if let Some(holder) = taken.get(&(range, wanted)).filter(|_| offset != wanted) {
            let found = address(range, offset);
            let message = format!(
                "the virtual IP `{}` of `{}` is taken by `{}`, it gets `{found}`",
                address(range, wanted),
                service.meta.kri.name(),
                holder.name()
            );
            let at = service.meta.at.clone();
            let mut diagnostic = Diagnostic::new(Code::VIP_COLLISION, at, message);
            diagnostic.help(format!(
                "to keep this address whatever other services there are, pin it: `labels: {{{PIN}: {found}}}`"
            ));
            let labels = match service.meta.format {
                Format::Universal => Pointer::default().field("labels"),
                Format::Kubernetes => Pointer::default().field("metadata").field("labels"),
            };
            diagnostic.safe_fix("pin the address", |_| {
                vec![Change::Insert(
                    labels,
                    PIN.to_owned(),
                    found.to_string().into(),
                )]
            });
            diagnostics.push(diagnostic);
        }
        taken.insert((range, offset), service.meta.kri.clone());
        service.vip = Some(address(range, offset));
    }
}

/// SHA-256 of the KRI, as a number, modulo the size of the range.
fn candidate(service: &Kri) -> u32 {
    let hash = Sha256::digest(service.without_section().to_string());
    let modulo = |rest: u64, byte: &u8| (rest * 256 + u64::from(*byte)) % u64::from(SIZE);
    u32::try_from(hash.iter().fold(0, modulo)).unwrap_or_default()
}

fn address(range: u8, offset: u32) -> IpAddr {
    IpAddr::V4(Ipv4Addr::from((u32::from(range) << 24) + offset + 1))
}

fn offset(range: u8, text: &str) -> Option<u32> {
    let address: Ipv4Addr = text.parse().ok()?;
    let offset = u32::from(address).checked_sub((u32::from(range) << 24) + 1)?;
    (offset < SIZE).then_some(offset)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_pinned_has_to_be_in_the_range() {
        let table = [
            ("241.0.0.1", Some(0)),
            ("241.255.255.254", Some(SIZE - 1)),
            ("241.0.0.0", None),
            ("241.255.255.255", None),
            ("10.0.0.1", None),
            ("::1", None),
            ("api", None),
        ];
        for (text, expected) in table {
            assert_eq!(offset(241, text), expected, "{text}");
        }
    }

    #[test]
    fn a_pin_is_kept_and_whoever_would_have_had_it_moves_on() {
        let mut alone = [Service::sample("a", &[], &[])];
        allocate(&mut alone, &mut Diagnostics::default());
        let wanted = alone[0].vip.unwrap().to_string();
        let mut services = [
            Service::sample("a", &[], &[]),
            Service::sample("b", &[(PIN, wanted.as_str())], &[]),
            Service::sample("c", &[(PIN, wanted.as_str())], &[]),
        ];
        let mut diagnostics = Diagnostics::default();
        allocate(&mut services, &mut diagnostics);
        assert_eq!(services[1].vip.unwrap().to_string(), wanted);
        assert_eq!(
            offset(241, &services[0].vip.unwrap().to_string()),
            offset(241, &wanted).map(|offset| (offset + 1) % SIZE)
        );
        let codes: Vec<Code> = diagnostics.list.iter().map(|found| found.code).collect();
        assert_eq!(codes, [Code::VIP_COLLISION, Code::VIP_COLLISION]);
    }
}
