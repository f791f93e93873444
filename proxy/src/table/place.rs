//! Where a data plane listens by a table, and what for.
//!
//! Never listens at an address whose traffic is captured: it arrives elsewhere.

use std::collections::BTreeMap;

use mesh_bundle::Key;
use mesh_bundle::resource::{Capture, IpFamilies};

use super::{Bind, Table};
use crate::metrics::Direction;

/// One socket that listens.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) direction: Direction,
    pub(crate) bind: Bind,
    pub(crate) reach: Reach,
}

/// How connections come to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Reach {
    /// They are addressed to it.
    Addressed,
    /// They are captured, whatever they are addressed to.
    Captured,
    /// The same; a host without this version of IP has none of them.
    CapturedIfAny,
}

/// What of the configuration asks for a listener: its key, and the field of its address.
pub(crate) type Asked = (Key, &'static str);

impl Table {
    /// Every socket that this table needs.
    pub(crate) fn places(&self) -> BTreeMap<Place, Asked> {
        let mut places = BTreeMap::new();
        let inbound_port = self
            .capture
            .as_ref()
            .and_then(|capture| capture.inbound_port);
        if inbound_port.is_none() {
            places.extend(self.inbounds.iter().map(|(bind, inbound)| {
                let key = Key::Inbound(inbound.name.clone());
                (addressed(Direction::Inbound, bind), (key, "/address"))
            }));
        }
        let explicit = self
            .outbounds
            .iter()
            .filter(|(_, outbound)| !outbound.captured);
        places.extend(explicit.map(|(bind, outbound)| {
            let key = Key::Outbound(outbound.name.clone());
            (addressed(Direction::Outbound, bind), (key, "/address"))
        }));
        if let Some(capture) = &self.capture {
            let ports = [
                (
                    Direction::Inbound,
                    capture.inbound_port,
                    "/capture/inboundPort",
                ),
                (
                    Direction::Outbound,
                    capture.outbound_port,
                    "/capture/outboundPort",
                ),
            ];
            for (direction, port, pointer) in ports {
                let captured = port
                    .into_iter()
                    .flat_map(|port| captured(direction, capture, port));
                places.extend(captured.map(|place| (place, (Key::Proxy, pointer))));
            }
        }
        places
    }
}

fn addressed(direction: Direction, bind: &Bind) -> Place {
    Place {
        direction,
        bind: bind.clone(),
        reach: Reach::Addressed,
    }
}

fn captured(direction: Direction, capture: &Capture, port: u16) -> Vec<Place> {
    let place = |host: &str, reach| Place {
        direction,
        bind: Bind {
            host: host.to_owned(),
            port,
        },
        reach,
    };
    match capture.families {
        IpFamilies::Dual => vec![
            place("0.0.0.0", Reach::Captured),
            place("::", Reach::CapturedIfAny),
        ],
        IpFamilies::Ipv4 => vec![place("0.0.0.0", Reach::Captured)],
        IpFamilies::Ipv6 => vec![place("::", Reach::Captured)],
    }
}
