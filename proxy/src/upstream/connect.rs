//! Opening a connection to one instance, with a deadline over all of it: name, TCP, TLS.
//!
//! Never says why to the client: the reason is for the log.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use rustls_pki_types::ServerName;
use tokio::net::{TcpSocket, TcpStream, lookup_host};
use tokio::time::timeout;
use tokio_rustls::{TlsConnector, TlsStream};

use super::Place;
use crate::dice::roll;
use crate::metrics::Direction;
use crate::refusal::Refusal;
use crate::stream::{Stream, Wire};
use crate::table::Instance;
use crate::tls::{ClientSide, Peer, TlsPeer};

/// A connection, and who is at its end.
#[derive(Debug)]
pub(crate) struct Connected {
    pub(crate) stream: Stream,
    pub(crate) peer: Option<TlsPeer>,
    /// Among those that may be open at once, where that is limited.
    pub(crate) place: Option<Place>,
    /// Among those of the instance.
    pub(crate) busy: Option<Place>,
}

/// Connects, and proves both identities where the hop asks for it.
pub(crate) async fn connect(
    instance: &Instance,
    owner: &str,
    tls: Option<&ClientSide>,
    limit: Duration,
) -> Result<Connected, Refusal> {
    let attempt = async {
        let tcp = tcp(instance).await?;
        // Requests are written whole; waiting for more would only delay them.
        tcp.set_nodelay(true)?;
        match tls {
            None => Ok(Connected {
                stream: Stream::plain(tcp),
                peer: None,
                place: None,
                busy: None,
            }),
            Some(side) => match &side.peer {
                Peer::Mesh => handshake(tcp, owner, side).await,
                Peer::Outside(name) => outside(tcp, instance, name.clone(), side).await,
            },
        }
    };
    match timeout(limit, attempt).await {
        Ok(Ok(connected)) => Ok(connected),
        Ok(Err(why)) => {
            let Instance { host, port, .. } = instance;
            tracing::debug!(upstream = owner, host, port, %why, "no connection");
            Err(refusal(&why))
        }
        Err(_) => Err(Refusal::ConnectTimeout),
    }
}

async fn tcp(instance: &Instance) -> io::Result<TcpStream> {
    if let Some(address) = instance.address() {
        let Some(from) = instance.from else {
            return TcpStream::connect(address).await;
        };
        let socket = match address {
            SocketAddr::V4(_) => TcpSocket::new_v4()?,
            SocketAddr::V6(_) => TcpSocket::new_v6()?,
        };
        socket.bind(SocketAddr::new(from, 0))?;
        return socket.connect(address).await;
    }
    let name = (instance.host.as_str(), instance.port);
    let mut addresses: Vec<SocketAddr> = lookup_host(name).await?.collect();
    spread(&mut addresses, roll());
    TcpStream::connect(addresses.as_slice()).await
}

/// Each connection begins with another one of the addresses of a name, so that all of them are used.
fn spread(addresses: &mut [SocketAddr], roll: u64) {
    let count = u64::try_from(addresses.len()).unwrap_or(u64::MAX);
    let first = roll.checked_rem(count).map(usize::try_from);
    if let Some(Ok(first)) = first {
        addresses.rotate_left(first);
    }
}

async fn handshake(tcp: TcpStream, owner: &str, side: &ClientSide) -> io::Result<Connected> {
    // Only to fill the argument: peers are known by their SPIFFE ID, and no name is sent.
    let name = ServerName::IpAddress(tcp.peer_addr()?.ip().into());
    let tcp = Wire::new(Bytes::new(), tcp);
    let connector = TlsConnector::from(Arc::clone(&side.config));
    let tls = connector.connect(name, tcp).await?;
    let (_, connection) = tls.get_ref();
    let peer = TlsPeer::of(connection, None)?;
    peer.log(Direction::Outbound, &side.local, owner, connection);
    Ok(Connected {
        stream: Stream::tls(TlsStream::Client(tls)),
        peer: Some(peer),
        place: None,
        busy: None,
    })
}

/// With a server of no mesh: the handshake itself has proved all that is asked for.
async fn outside(
    tcp: TcpStream,
    instance: &Instance,
    name: Option<ServerName<'static>>,
    side: &ClientSide,
) -> io::Result<Connected> {
    let name = match name {
        Some(name) => name,
        None => ServerName::try_from(instance.host.clone()).map_err(io::Error::other)?,
    };
    let tcp = Wire::new(Bytes::new(), tcp);
    let connector = TlsConnector::from(Arc::clone(&side.config));
    let tls = connector.connect(name, tcp).await?;
    Ok(Connected {
        stream: Stream::tls(TlsStream::Client(tls)),
        peer: None,
        place: None,
        busy: None,
    })
}

fn refusal(why: &io::Error) -> Refusal {
    let inner = why.get_ref().and_then(|inner| inner.downcast_ref());
    match inner {
        Some(rustls::Error::InvalidCertificate(_)) => Refusal::ServerIdentity,
        _ if why.kind() == io::ErrorKind::TimedOut => Refusal::ConnectTimeout,
        _ => Refusal::Connect,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_address_comes_first_now_and_then_and_none_is_lost() {
        let address = |last: u8| SocketAddr::from(([192, 0, 2, last], 443));
        let all = [address(1), address(2), address(3)];
        let firsts: Vec<_> = (0..6)
            .map(|roll| {
                let mut addresses = all;
                spread(&mut addresses, roll);
                let mut sorted = addresses;
                sorted.sort();
                assert_eq!(sorted, all);
                addresses[0]
            })
            .collect();
        assert_eq!(firsts, [all, all].concat());
        spread(&mut [], 7);
    }
}
