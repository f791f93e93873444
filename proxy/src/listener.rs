//! Accepting: one task for each listener, one task for each connection.
//!
//! Never ends because of an error of accepting: it waits a moment and goes on.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, lookup_host};
use tokio::task::JoinHandle;
use tokio::time::sleep;

use crate::account::Refused;
use crate::metrics::Direction;
use crate::refusal::Refusal;
use crate::shared::{Phase, Shared};
use crate::table::Bind;
use crate::{inbound, outbound};

/// Without descriptors or memory accepting fails at once, and again at once: others need time to give some back.
const PAUSE: Duration = Duration::from_millis(50);

/// A socket that listens. Dropped, it is closed; what it has accepted goes on.
#[derive(Debug)]
pub(crate) struct Listener {
    accepting: JoinHandle<()>,
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// Takes the address, without accepting yet.
pub(crate) async fn bind(bind: &Bind) -> io::Result<TcpListener> {
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for address in lookup_host((bind.host.as_str(), bind.port)).await? {
        match TcpListener::bind(address).await {
            Ok(listener) => return Ok(listener),
            Err(why) => last = why,
        }
    }
    Err(last)
}

impl Listener {
    pub(crate) fn start(
        shared: Arc<Shared>,
        direction: Direction,
        bind: Bind,
        socket: TcpListener,
        runtime: &tokio::runtime::Handle,
    ) -> Self {
        let accepting = runtime.spawn(accept(shared, direction, bind, socket));
        Self { accepting }
    }
}

async fn accept(shared: Arc<Shared>, direction: Direction, bind: Bind, socket: TcpListener) {
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
                match direction {
                    Direction::Inbound => inbound::serve(&shared, &bind, tcp).await,
                    Direction::Outbound => outbound::serve(&shared, &bind, tcp).await,
                }
            };
            tokio::select! {
                () = Box::pin(serving) => {}
                _ = news.wait_for(|phase| *phase == Phase::Over) => {}
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
