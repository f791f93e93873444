//! Captured connections that no inbound or outbound is for: they go where they were addressed to, as they are.
//!
//! Never changes a byte, and never lets out what a `MeshPassthrough` keeps in (language 5.15).

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use mesh_bundle::decide::{Departure, Seen, depart};
use mesh_bundle::resource::{Protocol, Timeouts};
use tokio::net::TcpStream;

use crate::capture::{self, Meant, meant};
use crate::hello::{Spoken, protocol};
use crate::http;
use crate::metrics::{Direction, NO_FLAG, RequestStats};
use crate::refusal::Refusal;
use crate::session::{Session, Standing};
use crate::shared::Shared;
use crate::stream::{HttpVersion, Stream};
use crate::table::{Bind, Instance, Table};
use crate::tcp::{Activity, relay};
use crate::upstream::{Load, Upstreams, Via};

/// To connect to where a client wanted to connect.
pub(crate) const CONNECT_WAIT: Duration = Duration::from_secs(10);
/// As metrics and logs name where all of these go: addresses would be labels without an end.
const LABEL: &str = "passthrough";

/// Where a connection goes that is for nothing of the configuration.
#[derive(Debug)]
pub(crate) struct Passing {
    pub(crate) direction: Direction,
    pub(crate) to: SocketAddr,
    /// What was seen of it, where it mattered.
    spoken: Option<Spoken>,
    pub(crate) label: Arc<str>,
    pub(crate) instance: Instance,
    pub(crate) load: Arc<Load>,
    pub(crate) stats: OnceLock<Arc<RequestStats>>,
}

impl Passing {
    fn new(direction: Direction, to: SocketAddr, spoken: Option<Spoken>) -> Self {
        let host = to.ip().to_string();
        let mut instance = Instance::new(host, to.port());
        if direction == Direction::Inbound {
            instance.from = capture::source(&instance.host);
        }
        let passing = Self {
            direction,
            to,
            spoken,
            label: LABEL.into(),
            instance,
            load: Arc::default(),
            stats: OnceLock::new(),
        };
        Upstreams::alone(&Via::passing(&passing), &passing.instance);
        passing
    }

    pub(crate) fn bind(&self) -> Bind {
        Bind {
            host: self.to.ip().to_string(),
            port: self.to.port(),
        }
    }

    /// HTTP as which its requests are sent on.
    pub(crate) fn protocol(&self) -> Protocol {
        match self.spoken {
            Some(Spoken::Http(HttpVersion::One)) => Protocol::Http,
            Some(Spoken::Http(HttpVersion::Two)) => Protocol::Http2,
            _ => Protocol::Tcp,
        }
    }

    /// Of a request to `host`, or of the connection as a whole.
    pub(crate) fn departure<'t>(&self, table: &'t Table, host: Option<&str>) -> Departure<'t> {
        let seen = self.spoken.as_ref().map(|spoken| match spoken {
            Spoken::Tls(name) => Seen::Tls(name.as_deref()),
            Spoken::Http(HttpVersion::One) => Seen::Http(host),
            Spoken::Http(HttpVersion::Two) => Seen::Http2(host),
            Spoken::Bytes => Seen::Bytes,
        });
        depart(table.passthrough.as_ref(), self.to, seen)
    }

    /// What it may do under some table. Where requests are asked one by one, the connection itself may stay.
    pub(crate) fn standing<'t>(&self, table: &'t Table) -> Standing<'t> {
        let good = Standing::Good {
            shadow_denied: false,
        };
        if self.direction == Direction::Inbound {
            return match meant(table, self.direction, self.to) {
                Meant::Unknown => good,
                Meant::Known(_) | Meant::Unclear => Standing::Withdrawn,
            };
        }
        match self.departure(table, None) {
            Departure::Stays(origin) if !self.protocol().is_http() => {
                Standing::Refused(Refusal::Passthrough, origin)
            }
            Departure::Leaves(_) | Departure::Stays(_) | Departure::Depends => good,
        }
    }
}

/// Serves one connection until it ends.
pub(crate) async fn serve(
    shared: &Arc<Shared>,
    direction: Direction,
    to: SocketAddr,
    tcp: TcpStream,
) {
    let remote = tcp.peer_addr().ok();
    let unasked = Passing::new(direction, to, None);
    let depends = direction == Direction::Outbound
        && unasked.departure(&shared.table(), None) == Departure::Depends;
    let (passing, stream) = if depends {
        let Ok((spoken, tcp)) = protocol(tcp).await else {
            return;
        };
        let passing = Passing::new(direction, to, Some(spoken));
        (passing, Stream::Plain(tcp))
    } else {
        (unasked, Stream::plain(tcp))
    };
    let is_http = passing.protocol().is_http();
    let session = Session::passing(shared, passing, remote, &shared.table());
    let timeouts = Timeouts::default();
    match is_http {
        true => Box::pin(http::serve(&session, stream, &timeouts)).await,
        false => bytes(&session, stream, &timeouts).await,
    }
}

async fn bytes(session: &Session, stream: Stream, timeouts: &Timeouts) {
    let Some(passing) = &session.passing else {
        return;
    };
    let _under_way = session.shared.begin();
    let activity = Activity::now();
    let table = session.shared.table();
    let count = |flag| {
        let metrics = &session.shared.metrics;
        metrics.connection(passing.direction, &session.source, &passing.label, flag);
    };
    match session.standing(&table) {
        Standing::Good { .. } => {}
        Standing::Withdrawn => return,
        Standing::Refused(refusal, origin) => {
            session.refused(refusal, origin, &table);
            return count(refusal.row().flag);
        }
    }
    let via = Via::passing(passing);
    let upstreams = &session.shared.upstreams;
    let connected = match upstreams.connect(&via, &passing.instance, None).await {
        Ok(connected) => connected,
        Err(refusal) => {
            session.refused(refusal, None, &table);
            return count(refusal.row().flag);
        }
    };
    drop(table);
    let idle = timeouts.idle.value.limit();
    let stop = session.until_refused();
    let ended = relay(stream, connected.stream, &activity, idle, stop).await;
    count(ended.map_or_else(|refusal| refusal.row().flag, |()| NO_FLAG));
}

impl Drop for Passing {
    fn drop(&mut self) {
        if let Some(pool) = self.instance.known_pool() {
            pool.retire();
        }
    }
}
