//! Accepting: one task for each listener and thread, one task for each connection.
//!
//! Never ends because of an error of accepting: it waits a moment and goes on.

use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use socket2::{Domain, Socket, Type};
use tokio::net::{TcpListener, lookup_host};
use tokio::task::JoinHandle;
use tokio::time::sleep;

use crate::account::Refused;
use crate::metrics::Direction;
use crate::refusal::Refusal;
use crate::shared::{Phase, Shared};
use crate::table::{Place, Reach};
use crate::woken::Woken;
use crate::workers::Workers;
use crate::{capture, inbound, outbound};

/// Without descriptors or memory accepting fails at once, and again at once: others need time to give some back.
const PAUSE: Duration = Duration::from_millis(50);
/// Connections that wait to be accepted.
const BACKLOG: i32 = 1_024;

/// A socket that listens. Dropped, it is closed; what it has accepted goes on.
#[derive(Debug)]
pub(crate) struct Listener {
    accepting: Vec<JoinHandle<()>>,
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.accepting.iter().for_each(JoinHandle::abort);
    }
}

/// Takes the address, without accepting yet: one socket, as each of the workers has it. None where the host does not have
/// that version of IP, and nothing needs it.
pub(crate) async fn bind(place: &Place, workers: &Workers) -> io::Result<Vec<TcpListener>> {
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for address in lookup_host((place.bind.host.as_str(), place.bind.port)).await? {
        let bound = match place.reach {
            Reach::Addressed => TcpListener::bind(address)
                .await
                .and_then(TcpListener::into_std),
            Reach::Captured | Reach::CapturedIfAny => alone(address),
        };
        match bound {
            Ok(listener) => return share(&listener, workers),
            Err(why) => last = why,
        }
    }
    match place.reach == Reach::CapturedIfAny && is_unknown_family(&last) {
        true => Ok(Vec::new()),
        false => Err(last),
    }
}

/// A socket of one version of IP and not of the other.
fn alone(address: SocketAddr) -> io::Result<std::net::TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

fn is_unknown_family(why: &io::Error) -> bool {
    use io::ErrorKind::{AddrNotAvailable, Unsupported};
    // EAFNOSUPPORT has no kind.
    matches!(why.kind(), AddrNotAvailable | Unsupported) || why.raw_os_error() == Some(97)
}

impl Listener {
    pub(crate) fn start(
        shared: &Arc<Shared>,
        place: &Place,
        sockets: Vec<TcpListener>,
        workers: &Workers,
    ) -> Self {
        let accepting = workers.all().zip(sockets).map(|(worker, socket)| {
            worker.spawn(accept(Arc::clone(shared), place.clone(), socket))
        });
        let accepting = accepting.collect();
        Self { accepting }
    }
}

/// The same socket, watched by each of the workers.
fn share(listener: &std::net::TcpListener, workers: &Workers) -> io::Result<Vec<TcpListener>> {
    let each = workers.all().map(|worker| {
        let _inside = worker.enter();
        TcpListener::from_std(listener.try_clone()?)
    });
    each.collect()
}

async fn accept(shared: Arc<Shared>, place: Place, socket: TcpListener) {
    let Place {
        direction,
        bind,
        reach,
    } = place;
    loop {
        let (tcp, _) = match socket.accept().await {
            Ok(accepted) => accepted,
            Err(why) => {
                tracing::warn!(%bind, %why, "cannot accept");
                sleep(PAUSE).await;
                continue;
            }
        };
        let Ok(room) = Arc::clone(&shared.room).try_acquire_owned() else {
            let refused = Refused {
                direction,
                refusal: Refusal::ConnectionLimit,
                reason: None,
                remote: None,
                peer: None,
                place: &bind.to_string(),
                origin: None,
                revision: &shared.table().revision,
            };
            refused.tell(&shared.metrics);
            drop(tcp);
            continue;
        };
        let (shared, bind) = (Arc::clone(&shared), bind.clone());
        tokio::spawn(async move {
            // Small answers must not wait for an acknowledgement of the one before.
            let _ = tcp.set_nodelay(true);
            let open = Open::count(&shared);
            let mut news = shared.news();
            let serving = async {
                match (reach, direction) {
                    (Reach::Captured | Reach::CapturedIfAny, _) => {
                        capture::serve(&shared, direction, tcp).await;
                    }
                    (Reach::Addressed, Direction::Inbound) => {
                        inbound::serve(&shared, &bind, tcp).await;
                    }
                    (Reach::Addressed, Direction::Outbound) => {
                        outbound::serve(&shared, &bind, tcp).await;
                    }
                }
            };
            let over = pin!(news.wait_for(|phase| *phase == Phase::Over));
            tokio::select! {
                biased;
                () = Box::pin(serving) => {}
                _ = Woken::new(&Arc::default(), over) => {}
            }
            drop(open);
            drop(room);
        });
    }
}

/// A connection that counts as open.
struct Open<'a>(&'a Shared);

impl<'a> Open<'a> {
    fn count(shared: &'a Shared) -> Self {
        shared.metrics.open.inc();
        Self(shared)
    }
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.0.metrics.open.dec();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;
    use crate::table::Bind;
    use crate::workers::Threads;

    #[test]
    fn whoever_is_idle_accepts() {
        let threads = Threads::start(Some(2)).unwrap();
        let (workers, first) = (&threads.workers, threads.workers.first());
        let place = Place {
            direction: Direction::Inbound,
            bind: Bind {
                host: "127.0.0.1".to_owned(),
                port: 0,
            },
            reach: Reach::Addressed,
        };
        let (tell, told) = channel();
        let owned = workers.clone();
        first.spawn(async move { tell.send(bind(&place, &owned).await).unwrap() });
        let sockets = told.recv().unwrap().unwrap();
        let address = sockets[0].local_addr().unwrap();
        assert!(
            sockets
                .iter()
                .all(|socket| socket.local_addr().unwrap() == address)
        );
        let (tell, told) = channel();
        for (number, (worker, socket)) in workers.all().zip(sockets).enumerate() {
            let tell = tell.clone();
            worker.spawn(async move {
                while socket.accept().await.is_ok() {
                    tell.send(number).unwrap();
                }
            });
        }
        let (release, held) = channel::<()>();
        let (tell, busy) = channel();
        first.spawn(async move {
            tell.send(()).unwrap();
            // A thread that has its hands full.
            let _ = held.recv();
        });
        busy.recv().unwrap();
        let _connected = std::net::TcpStream::connect(address).unwrap();
        assert_eq!(told.recv_timeout(Duration::from_secs(10)), Ok(1));
        drop(release);
    }
}
