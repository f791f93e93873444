//! Connections that were addressed to somebody else, and were brought here by the host.
//!
//! Never guesses: what was addressed to the port itself was not captured, and is refused.

mod host;
mod ruleset;

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use socket2::SockRef;
use tokio::net::TcpStream;

use crate::account::Refused;
use crate::metrics::Direction;
use crate::refusal::Refusal;
use crate::shared::Shared;
use crate::table::{Bind, Table};
use crate::{inbound, outbound, passing};

pub(crate) use host::{Capture as Command, run};

/// Where connections to the workload come from, if it does not listen on loopback: the host tells by it that they need not
/// be captured again.
const SOURCE: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 6);

/// Whom a captured connection is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Meant {
    /// An inbound or outbound, by its address in the table.
    Known(Bind),
    /// Nothing that the configuration knows.
    Unknown,
    /// Several inbounds could be meant.
    Unclear,
}

/// The address that connections to a workload come from, where a host captures what comes to it.
pub(crate) fn source(workload: &str) -> Option<IpAddr> {
    match workload.parse().ok()? {
        IpAddr::V4(ip) => (!ip.is_loopback()).then_some(SOURCE.into()),
        IpAddr::V6(ip) => (!ip.is_loopback()).then_some(Ipv6Addr::LOCALHOST.into()),
    }
}

/// Serves one connection until it ends.
pub(crate) async fn serve(shared: &Arc<Shared>, direction: Direction, tcp: TcpStream) {
    let Ok(to) = original(&tcp) else {
        return refuse(shared, direction, Refusal::NotCaptured, &tcp);
    };
    let meant = meant(&shared.table(), direction, to);
    match (meant, direction) {
        (Meant::Known(bind), Direction::Inbound) => inbound::serve(shared, &bind, tcp).await,
        (Meant::Known(bind), Direction::Outbound) => outbound::serve(shared, &bind, tcp).await,
        (Meant::Unknown, _) => passing::serve(shared, direction, to, tcp).await,
        (Meant::Unclear, _) => refuse(shared, direction, Refusal::UnclearInbound, &tcp),
    }
}

/// What the client believes to be connected to.
///
/// # Errors
/// It was addressed to this listener.
fn original(tcp: &TcpStream) -> io::Result<SocketAddr> {
    let own = tcp.local_addr()?;
    let socket = SockRef::from(tcp);
    let to = match own {
        SocketAddr::V4(_) => socket.original_dst_v4()?,
        SocketAddr::V6(_) => socket.original_dst_v6()?,
    };
    let to = to.as_socket().filter(|to| *to != own);
    to.ok_or_else(|| io::ErrorKind::AddrNotAvailable.into())
}

/// Finds out whom a connection is for.
///
/// An inbound is meant by its address, by its port on any other address of the host, and by the port of its workload: a peer
/// that goes past the proxy to the workload is asked for the same as any other.
pub(crate) fn meant(table: &Table, direction: Direction, to: SocketAddr) -> Meant {
    let bind = Bind {
        host: to.ip().to_string(),
        port: to.port(),
    };
    if direction == Direction::Outbound {
        return match table.outbounds.contains_key(&bind) {
            true => Meant::Known(bind),
            false => Meant::Unknown,
        };
    }
    if table.inbounds.contains_key(&bind) {
        return Meant::Known(bind);
    }
    let by_port = table.inbounds.keys().filter(|bind| bind.port == to.port());
    let of_workload = table.inbounds.iter().filter(|(_, inbound)| {
        let workload = &inbound.workload;
        let loopback = workload.address().is_some_and(|at| at.ip().is_loopback());
        workload.port == to.port() && !loopback
    });
    let mut found: Vec<&Bind> = by_port.collect();
    if found.is_empty() {
        found.extend(of_workload.map(|(bind, _)| bind));
    }
    match found.as_slice() {
        [] => Meant::Unknown,
        [one] => Meant::Known((*one).clone()),
        _ => Meant::Unclear,
    }
}

fn refuse(shared: &Shared, direction: Direction, refusal: Refusal, tcp: &TcpStream) {
    let table = shared.table();
    let refused = Refused {
        direction,
        refusal,
        reason: None,
        remote: tcp.peer_addr().ok(),
        peer: None,
        place: "capture",
        origin: table.capture.as_ref().map(|capture| &capture.origin),
        revision: &table.revision,
    };
    refused.tell(&shared.metrics);
}

#[cfg(test)]
mod tests;
