//! Services as documents declare them.
//!
//! Never looks for what is behind one: that takes the rest of the repository.

use mesh_bundle::resource::Protocol;

use crate::diag::Pointer;
use crate::kinds::mesh_external_service::{ExternalProtocol, MeshExternalService};
use crate::kinds::mesh_multi_zone_service::MeshMultiZoneService;
use crate::kinds::mesh_service::{MeshService, ServiceSelector};
use crate::kinds::scalar::PortRef;
use crate::model::Meta;
use crate::repository::Lines;

use super::{Port, Selector, Service, protocol};

impl Service {
    /// From a `MeshService`.
    pub(crate) fn read(meta: &Meta, spec: &MeshService, lines: Lines<'_>) -> Self {
        let labels = |selector: &ServiceSelector| {
            let labels = selector.dataplane_labels.as_ref();
            let name = selector.dataplane_ref.as_ref().and_then(|r| r.name.clone());
            match (labels, name) {
                (Some(labels), _) => Selector::Labels(labels.match_labels.clone()),
                (None, Some(name)) => Selector::Name(name),
                (None, None) => Selector::Nobody,
            }
        };
        let ports = spec.ports.iter().enumerate().filter_map(|(index, port)| {
            let number = u16::try_from(port.port?).ok()?;
            Some(Port {
                number,
                section: port.name.clone().unwrap_or_else(|| number.to_string()),
                target: port
                    .target_port
                    .clone()
                    .unwrap_or(PortRef::Number(u32::from(number))),
                protocol: protocol(port.app_protocol.as_deref()),
                at: meta.within(&Pointer::default().field("ports").index(index)),
            })
        });
        let selector = spec.selector.as_ref().map_or(Selector::Nobody, labels);
        Self::of(meta, selector, ports.collect(), lines)
    }

    /// From a `MeshExternalService`: the section name of its only port is the number.
    pub(crate) fn read_external(meta: &Meta, spec: &MeshExternalService, lines: Lines<'_>) -> Self {
        let port = spec.r#match.as_ref().and_then(|found| {
            let number = u16::try_from(found.port?).ok()?;
            Some(Port {
                number,
                section: number.to_string(),
                target: PortRef::Number(u32::from(number)),
                protocol: match found.protocol {
                    None | Some(ExternalProtocol::Tcp) => Protocol::Tcp,
                    Some(ExternalProtocol::Http) => Protocol::Http,
                    Some(ExternalProtocol::Http2) => Protocol::Http2,
                    Some(ExternalProtocol::Grpc) => Protocol::Grpc,
                },
                at: meta.within(&Pointer::default().field("match")),
            })
        });
        let selector = Selector::Outside(Box::new(spec.clone()));
        Self::of(meta, selector, port.into_iter().collect(), lines)
    }

    /// From a `MeshMultiZoneService`.
    pub(crate) fn read_multi_zone(
        meta: &Meta,
        spec: &MeshMultiZoneService,
        lines: Lines<'_>,
    ) -> Self {
        let ports = spec.ports.iter().enumerate().filter_map(|(index, port)| {
            let number = u16::try_from(port.port?).ok()?;
            Some(Port {
                number,
                section: port.name.clone().unwrap_or_else(|| number.to_string()),
                target: PortRef::Number(u32::from(number)),
                protocol: protocol(port.app_protocol.as_deref()),
                at: meta.within(&Pointer::default().field("ports").index(index)),
            })
        });
        let services = spec.selector.as_ref().and_then(|s| s.mesh_service.as_ref());
        let labels = services.map(|services| services.match_labels.clone());
        let selector = Selector::Services(labels.unwrap_or_default());
        Self::of(meta, selector, ports.collect(), lines)
    }

    fn of(meta: &Meta, selector: Selector, ports: Vec<Port>, lines: Lines<'_>) -> Self {
        Self {
            meta: meta.clone(),
            selector,
            ports,
            origin: lines.document(meta),
            vip: None,
            hostnames: Vec::new(),
        }
    }
}
