//! A connection for the workload: what is it, who is it, may it.
//!
//! Never opens a connection to the workload before the policy has permitted it.

mod ahead;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use mesh_bundle::decide::connection_limit;
use mesh_bundle::resource::TlsMode;
use rustls::ServerConfig;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::{TlsAcceptor, TlsStream};

use ahead::{Ahead, Heard};

use crate::access_log::{Log, of_inbound};
use crate::account::Refused;
use crate::hello::{Hello, detect};
use crate::http;
use crate::metrics::{Direction, NO_FLAG};
use crate::refusal::Refusal;
use crate::session::{Session, Standing};
use crate::shared::Shared;
use crate::stream::{Rewound, Stream};
use crate::table::{Bind, InboundTable, Table};
use crate::tcp::{Activity, relay};
use crate::tls::TlsPeer;
use crate::upstream::{Connected, Via};

/// For a whole handshake: longer than any honest one takes over a bad network.
const HANDSHAKE_WAIT: Duration = Duration::from_secs(10);

/// Serves one connection until it ends.
pub(crate) async fn serve(shared: &Arc<Shared>, bind: &Bind, tcp: TcpStream) {
    let table = shared.table();
    let Some(inbound) = table.inbounds.get(bind).cloned() else {
        return;
    };
    let remote = tcp.peer_addr().ok();
    let nobody = || Session::inbound(shared, bind, (remote, None), Arc::clone(&table.trust));
    let permissive = inbound.policy.tls.value == TlsMode::Permissive;
    let mut ahead = Ahead::default();
    if permissive && !inbound.inbound.protocol.is_http() {
        let session = nobody();
        match ahead::look(&session, &table, &inbound, &tcp).await {
            Heard::Workload(ahead) => {
                return bytes(&session, &table, &inbound, Stream::plain(tcp), ahead).await;
            }
            Heard::Client(found) => ahead = found,
            Heard::Refused => return,
        }
    }
    let (stream, peer) = match admit(&table, &inbound, tcp).await {
        Ok(Admitted::Mesh(stream, peer)) => {
            // What was taken for nobody is not for somebody.
            ahead = Ahead::default();
            (stream, Some(*peer))
        }
        Ok(Admitted::Plain(stream)) => (stream, None),
        Ok(Admitted::Foreign(stream)) => {
            return bytes(&nobody(), &table, &inbound, stream, ahead).await;
        }
        Err(Unwelcome { refusal, reason }) => {
            let refused = Refused {
                direction: Direction::Inbound,
                refusal,
                reason: reason.as_deref(),
                remote,
                peer: None,
                place: &inbound.name,
                origin: inbound.policy.tls.origin.as_ref(),
                revision: &table.revision,
            };
            return refused.tell(&shared.metrics);
        }
    };
    let session = Session::inbound(shared, bind, (remote, peer), Arc::clone(&table.trust));
    if inbound.inbound.protocol.is_http() && !is_within_rate(&session, &table, &inbound) {
        // Otherwise its requests are logged, each by itself.
        let log = of_inbound(&session, &table, &inbound, None).0;
        return count(&session, &inbound, log, Refusal::RateLimit.row().flag);
    }
    match inbound.inbound.protocol.is_http() {
        true => Box::pin(http::serve(&session, stream, &inbound.policy.timeouts)).await,
        false => bytes(&session, &table, &inbound, stream, ahead).await,
    }
}

enum Admitted {
    /// The peer has proved who it is.
    Mesh(Stream, Box<TlsPeer>),
    /// It came as it is, and that is accepted.
    Plain(Stream),
    /// TLS that is not for this proxy.
    Foreign(Stream),
}

/// Why a connection is not admitted.
struct Unwelcome {
    refusal: Refusal,
    reason: Option<String>,
}

impl From<Refusal> for Unwelcome {
    fn from(refusal: Refusal) -> Self {
        Self {
            refusal,
            reason: None,
        }
    }
}

async fn admit(
    table: &Table,
    inbound: &InboundTable,
    tcp: TcpStream,
) -> Result<Admitted, Unwelcome> {
    match (inbound.policy.tls.value, &inbound.tls) {
        (TlsMode::Disabled, _) => Ok(Admitted::Plain(Stream::plain(tcp))),
        (TlsMode::Strict, None) => Err(Refusal::NoCertificate.into()),
        (TlsMode::Strict, Some(config)) => {
            let tcp = Rewound::new(Bytes::new(), tcp);
            terminate(table, inbound, config, tcp).await
        }
        (TlsMode::Permissive, config) => {
            let (kind, tcp) = detect(tcp).await.map_err(|_| Refusal::Handshake)?;
            match (kind, config) {
                (Hello::Mesh, Some(config)) => terminate(table, inbound, config, tcp).await,
                (Hello::Mesh, None) => Err(Refusal::NoCertificate.into()),
                (Hello::Tls(_), _) => Ok(Admitted::Foreign(Stream::Plain(tcp))),
                (Hello::Other, _) => Ok(Admitted::Plain(Stream::Plain(tcp))),
            }
        }
    }
}

async fn terminate(
    table: &Table,
    inbound: &InboundTable,
    config: &Arc<ServerConfig>,
    tcp: Rewound<TcpStream>,
) -> Result<Admitted, Unwelcome> {
    let acceptor = TlsAcceptor::from(Arc::clone(config));
    let accepted = timeout(HANDSHAKE_WAIT, acceptor.accept(tcp.into_wire())).await;
    let tls = accepted
        .map_err(|_| Refusal::HandshakeTimeout)?
        .map_err(|why| unwelcome(&why))?;
    let (_, connection) = tls.get_ref();
    let peer = TlsPeer::of(connection, connection.server_name());
    let peer = peer.map_err(|_| Refusal::PeerIdentity)?;
    let local = table.identity.as_ref().map(|identity| identity.id.as_str());
    let local = local.unwrap_or_default();
    peer.log(Direction::Inbound, local, &inbound.name, connection);
    let stream = Stream::tls(TlsStream::Server(tls));
    Ok(Admitted::Mesh(stream, Box::new(peer)))
}

fn unwelcome(why: &io::Error) -> Unwelcome {
    use rustls::CertificateError::Other;
    let inner = why.get_ref().and_then(|inner| inner.downcast_ref());
    let (refusal, reason) = match inner {
        Some(rustls::Error::InvalidCertificate(Other(why))) => {
            (Refusal::PeerIdentity, why.0.to_string())
        }
        Some(
            why @ (rustls::Error::InvalidCertificate(_) | rustls::Error::NoCertificatesPresented),
        ) => (Refusal::PeerIdentity, why.to_string()),
        _ => (Refusal::Handshake, why.to_string()),
    };
    Unwelcome {
        refusal,
        reason: Some(reason),
    }
}

/// Bytes for the workload, as long as the peer is permitted.
async fn bytes(
    session: &Session,
    table: &Table,
    inbound: &InboundTable,
    stream: Stream,
    ahead: Ahead,
) {
    let _under_way = session.shared.begin();
    let activity = Arc::new(Activity::now());
    let mut log = of_inbound(session, table, inbound, None).0;
    if let Some(log) = &mut log {
        log.count(&activity);
    }
    match session.standing(table) {
        Standing::Good { shadow_denied } => {
            if shadow_denied {
                session.shared.metrics.shadow_denied();
            }
        }
        Standing::Withdrawn => return,
        Standing::Refused(refusal, origin) => {
            session.refused(refusal, origin, table);
            return count(session, inbound, log, refusal.row().flag);
        }
    }
    if !ahead.counted && !is_within_rate(session, table, inbound) {
        return count(session, inbound, log, Refusal::RateLimit.row().flag);
    }
    let timeouts = &inbound.policy.timeouts;
    let workload = match ahead.opened {
        Some(opened) => Ok(opened),
        None => open(session, inbound).await,
    };
    let workload = match workload {
        Ok(connected) => connected,
        Err(refusal) => {
            session.refused(refusal, None, table);
            return count(session, inbound, log, refusal.row().flag);
        }
    };
    if let Some(log) = &mut log {
        log.taken_by(&inbound.workload.label);
    }
    let idle = timeouts.idle.value.limit();
    let stop = session.until_refused();
    let ended = relay(stream, workload.stream, &activity, idle, stop).await;
    let flag = ended.map_or_else(|refusal| refusal.row().flag, |()| NO_FLAG);
    count(session, inbound, log, flag);
}

/// A connection to the workload.
async fn open(session: &Session, inbound: &InboundTable) -> Result<Connected, Refusal> {
    let upstreams = &session.shared.upstreams;
    let load = upstreams.load_of(&inbound.label, &inbound.load);
    let via = Via::workload(inbound).within(load, &inbound.limits);
    upstreams.connect(&via, &inbound.workload, None).await
}

/// Takes a token for a connection; false where there is none, which is told. Who is not permitted takes none.
fn is_within_rate(session: &Session, table: &Table, inbound: &InboundTable) -> bool {
    let limits = &inbound.policy.rate_limits;
    let Some(limited) = connection_limit(limits, &session.peer()) else {
        return true;
    };
    let permitted = matches!(session.standing(table), Standing::Good { .. });
    if !permitted || session.shared.limiters.connection(inbound, &limited) {
        return true;
    }
    let origin = limited.rate.num.origin.as_ref();
    session.refused(Refusal::RateLimit, origin, table);
    false
}

fn count(session: &Session, inbound: &InboundTable, log: Option<Box<Log>>, flag: &'static str) {
    if let Some(mut log) = log {
        log.end(0, flag);
    }
    let metrics = &session.shared.metrics;
    metrics.connection(Direction::Inbound, &session.source, &inbound.label, flag);
}
