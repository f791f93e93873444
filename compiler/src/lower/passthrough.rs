//! What may leave the mesh, in the order in which it is tried (language 5.15).
//!
//! Never depends on the order of policies: which entry counts for a connection is a matter of what the entries say.

use std::cmp::Reverse;
use std::net::IpAddr;

use mesh_bundle::resource::{
    Passthrough, PassthroughDestination, PassthroughMatch, PassthroughMode, PassthroughProtocol,
};
use mesh_bundle::{Origin, Resource, Sourced};
use serde::Deserialize;
use serde_json::Value;

use crate::kinds::mesh_passthrough::{self, PassthroughType};
use crate::policy::merge::Merged;

use super::Lowering;
use super::leaf::{Leaves, plain};

/// What is made of a merged conf.
pub(super) fn passthrough(
    of: Lowering<'_>,
    merged: &Merged,
    mut leaves: Leaves<'_>,
    _: Option<&str>,
) -> Resource {
    let mode = leaves.read(&["passthroughMode"], "mode", mode, plain);
    let mode = mode.unwrap_or(Sourced::built_in(PassthroughMode::Matched));
    let mut matches = Vec::new();
    if mode.value == PassthroughMode::Matched {
        // Of entries that say the same, that of the strongest policy is kept.
        let listed = merged.appended(&["appendMatch"]).into_iter().rev();
        matches.extend(listed.filter_map(|(value, setting)| {
            let entry = mesh_passthrough::PassthroughMatch::deserialize(value).ok()?;
            one(entry, of.lines.source(&setting.by))
        }));
    }
    matches.sort_by(|a: &PassthroughMatch, b| order(a).cmp(&order(b)));
    matches.dedup_by(|a, b| order(a) == order(b));
    Resource::Passthrough(Passthrough { mode, matches })
}

fn mode(value: &Value) -> Option<PassthroughMode> {
    let mode = mesh_passthrough::PassthroughMode::deserialize(value).ok()?;
    Some(match mode {
        mesh_passthrough::PassthroughMode::All => PassthroughMode::All,
        mesh_passthrough::PassthroughMode::Matched => PassthroughMode::Matched,
        mesh_passthrough::PassthroughMode::None => PassthroughMode::None,
    })
}

fn one(entry: mesh_passthrough::PassthroughMatch, origin: Origin) -> Option<PassthroughMatch> {
    let value = entry.value?;
    let protocol = entry.protocol;
    Some(PassthroughMatch {
        protocol: match protocol.unwrap_or(mesh_passthrough::PassthroughProtocol::Tcp) {
            mesh_passthrough::PassthroughProtocol::Tcp => PassthroughProtocol::Tcp,
            mesh_passthrough::PassthroughProtocol::Tls => PassthroughProtocol::Tls,
            mesh_passthrough::PassthroughProtocol::Grpc => PassthroughProtocol::Grpc,
            mesh_passthrough::PassthroughProtocol::Http => PassthroughProtocol::Http,
            mesh_passthrough::PassthroughProtocol::Http2 => PassthroughProtocol::Http2,
            mesh_passthrough::PassthroughProtocol::Mysql => PassthroughProtocol::Mysql,
        },
        destination: match entry.kind? {
            PassthroughType::Ip => PassthroughDestination::Address {
                ip: value.parse().ok()?,
            },
            PassthroughType::Cidr => range(&value)?,
            PassthroughType::Domain => domain(value),
        },
        port: entry.port.map(u16::try_from).transpose().ok()?,
        origin,
    })
}

fn domain(value: String) -> PassthroughDestination {
    match value.strip_prefix('*') {
        None => PassthroughDestination::Domain { name: value },
        Some(rest) => PassthroughDestination::Subdomains {
            of: rest.strip_prefix('.').unwrap_or(rest).to_owned(),
        },
    }
}

/// The bits behind the prefix become zero, so that two ways to write a range are one range.
fn range(text: &str) -> Option<PassthroughDestination> {
    let (address, length) = text.split_once('/')?;
    let length: u8 = length.parse().ok()?;
    let network = match address.parse().ok()? {
        IpAddr::V4(ip) => {
            let mask = u32::MAX.checked_shl(32_u32.checked_sub(length.into())?);
            IpAddr::V4((ip.to_bits() & mask.unwrap_or(0)).into())
        }
        IpAddr::V6(ip) => {
            let mask = u128::MAX.checked_shl(128_u32.checked_sub(length.into())?);
            IpAddr::V6((ip.to_bits() & mask.unwrap_or(0)).into())
        }
    };
    Some(PassthroughDestination::Range { network, length })
}

/// What is tried first is the least. Entries of equal order say the same.
fn order(entry: &PassthroughMatch) -> impl Ord {
    let class = match entry.protocol {
        PassthroughProtocol::Tls => 0_u8,
        PassthroughProtocol::Tcp | PassthroughProtocol::Mysql => 1,
        PassthroughProtocol::Http => 2,
        PassthroughProtocol::Http2 => 3,
        PassthroughProtocol::Grpc => 4,
    };
    let version = |ip: &IpAddr| u8::from(ip.is_ipv4());
    let (sort, precision) = match &entry.destination {
        PassthroughDestination::Address { ip } => (version(ip), 0),
        PassthroughDestination::Range { network, length } => {
            (2 + version(network), usize::from(*length))
        }
        PassthroughDestination::Domain { name } => (4, name.split('.').count()),
        PassthroughDestination::Subdomains { of } if of.is_empty() => (5, 0),
        PassthroughDestination::Subdomains { of } => (5, of.split('.').count()),
    };
    (
        class,
        sort,
        // No port is less than any.
        Reverse(entry.port),
        Reverse(precision),
        entry.destination.clone(),
        entry.protocol,
    )
}
