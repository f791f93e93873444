//! May a captured connection leave the mesh, where no outbound is for it (language 5.15)?
//!
//! Never asks for more of a connection than an answer needs: a server may have to speak first.

use std::net::{IpAddr, SocketAddr};

use crate::origin::Origin;
use crate::resource::{
    Passthrough, PassthroughDestination, PassthroughMatch, PassthroughMode, PassthroughProtocol,
};

/// What the first bytes of a connection, or one request on it, tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen<'a> {
    /// Nothing that is known here.
    Bytes,
    /// TLS, with the server name that is asked for.
    Tls(Option<&'a str>),
    /// HTTP/1.1, with the host that is asked for; a port behind it means nothing.
    Http(Option<&'a str>),
    /// HTTP/2, gRPC included, with the authority that is asked for.
    Http2(Option<&'a str>),
}

/// What becomes of a connection that no outbound is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Departure<'a> {
    /// It leaves as it is. Without an origin no policy is about it.
    Leaves(Option<&'a Origin>),
    /// It does not leave.
    Stays(Option<&'a Origin>),
    /// It depends on what is spoken: ask again with what was seen.
    Depends,
}

/// Decides about a connection to an address; `seen` is `None` before anything was read of it.
#[must_use]
pub fn depart<'a>(
    policy: Option<&'a Passthrough>,
    to: SocketAddr,
    seen: Option<Seen<'_>>,
) -> Departure<'a> {
    let Some(policy) = policy else {
        return Departure::Leaves(None);
    };
    let set_by = policy.mode.origin.as_ref();
    match policy.mode.value {
        PassthroughMode::All => return Departure::Leaves(set_by),
        PassthroughMode::None => return Departure::Stays(set_by),
        PassthroughMode::Matched => {}
    }
    let mut possible = false;
    for entry in policy.matches.iter().filter(|entry| is_about(entry, to)) {
        match fits(entry, to, seen) {
            Some(true) => return Departure::Leaves(Some(&entry.origin)),
            Some(false) => {}
            None => possible = true,
        }
    }
    match possible {
        true => Departure::Depends,
        false => Departure::Stays(set_by),
    }
}

/// By its address, it could be.
fn is_about(entry: &PassthroughMatch, to: SocketAddr) -> bool {
    entry.port.is_none_or(|port| port == to.port())
        && by_address(&entry.destination, to.ip()) != Some(false)
}

/// `None`: not to be told before something was seen.
fn fits(entry: &PassthroughMatch, to: SocketAddr, seen: Option<Seen<'_>>) -> Option<bool> {
    let by_address = by_address(&entry.destination, to.ip());
    if matches!(
        entry.protocol,
        PassthroughProtocol::Tcp | PassthroughProtocol::Mysql
    ) {
        // A domain cannot be seen in bytes; the compiler lets none through.
        return Some(by_address == Some(true));
    }
    let spoken = match (entry.protocol, seen?) {
        (PassthroughProtocol::Tls, Seen::Tls(name))
        | (PassthroughProtocol::Http, Seen::Http(name))
        | (PassthroughProtocol::Http2 | PassthroughProtocol::Grpc, Seen::Http2(name)) => Some(name),
        _ => None,
    };
    let named = |name: Option<&str>| name.is_some_and(|name| by_name(&entry.destination, name));
    Some(spoken.is_some_and(|name| by_address.unwrap_or_else(|| named(name))))
}

/// `None` for names.
fn by_address(destination: &PassthroughDestination, to: IpAddr) -> Option<bool> {
    match destination {
        PassthroughDestination::Address { ip } => Some(*ip == to),
        PassthroughDestination::Range { network, length } => Some(within(*network, *length, to)),
        PassthroughDestination::Domain { .. } | PassthroughDestination::Subdomains { .. } => None,
    }
}

fn within(network: IpAddr, length: u8, ip: IpAddr) -> bool {
    let same = |network: u128, ip: u128, bits: u8| {
        let behind = u32::from(bits.saturating_sub(length));
        network.checked_shr(behind).unwrap_or(0) == ip.checked_shr(behind).unwrap_or(0)
    };
    match (network, ip) {
        (IpAddr::V4(network), IpAddr::V4(ip)) => {
            same(network.to_bits().into(), ip.to_bits().into(), 32)
        }
        (IpAddr::V6(network), IpAddr::V6(ip)) => same(network.to_bits(), ip.to_bits(), 128),
        _ => false,
    }
}

fn by_name(destination: &PassthroughDestination, asked: &str) -> bool {
    let asked = host(asked).to_ascii_lowercase();
    match destination {
        PassthroughDestination::Domain { name } => asked == *name,
        PassthroughDestination::Subdomains { of } if of.is_empty() => true,
        PassthroughDestination::Subdomains { of } => {
            let below = asked.strip_suffix(of.as_str());
            below.is_some_and(|below| below.len() > 1 && below.ends_with('.'))
        }
        PassthroughDestination::Address { .. } | PassthroughDestination::Range { .. } => false,
    }
}

/// A name without its port and the dot of the root.
fn host(name: &str) -> &str {
    let host = match name.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        _ => name,
    };
    host.strip_suffix('.').unwrap_or(host)
}

#[cfg(test)]
mod tests;
