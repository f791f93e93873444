//! One connection: TLS, HTTP/2, and the reasons to end it.
//!
//! Never waits without an end: a handshake, a stranger, a proxy that takes nothing, and the farewell have deadlines.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use rustls_pki_types::CertificateDer;
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::time::{Instant, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::calls::Calls;
use super::live::{End, Ender, ended};
use super::{ALPN, Shared, stopped};
use crate::authority::Authority;
use crate::bounds;
use crate::message::{Denied, ProxyName};

/// A proxy has one call at a time: its enrolment, or its session.
const CALLS: u32 = 1;
/// What is buffered for a call, and sent ahead by a peer: what a message may have.
const WINDOW: u32 = 128 << 10;
/// A call of ours has a handful of short headers.
const HEADERS: u32 = 16 << 10;

/// Who is at the other end, and how the connection stands.
pub(super) struct Peer {
    pub(super) remote: SocketAddr,
    /// As TLS verified it, leaf first; empty: none was shown.
    pub(super) chain: Vec<CertificateDer<'static>>,
    pub(super) ender: Ender,
    standing: Mutex<Standing>,
}

struct Standing {
    /// Given back when the peer is admitted.
    stranger: Option<OwnedSemaphorePermit>,
    /// A message waits to be taken since then.
    offering: Option<Instant>,
}

impl Peer {
    /// Who it is, at this moment.
    pub(super) fn admit<A: Authority>(&self, authority: &A) -> Result<ProxyName, Denied> {
        if self.chain.is_empty() {
            let reason = "a session needs a client certificate".to_owned();
            return Err(Denied::Unauthenticated(reason));
        }
        authority.admit(&self.chain)
    }

    pub(super) fn is_admitted(&self) {
        self.standing(|standing| standing.stranger = None);
    }

    /// A message is handed out, or the last one was taken.
    pub(super) fn offers(&self, since: Option<Instant>) {
        self.standing(|standing| standing.offering = since);
    }

    fn standing<T>(&self, look: impl FnOnce(&mut Standing) -> T) -> T {
        let mut standing = self.standing.lock().unwrap_or_else(PoisonError::into_inner);
        look(&mut standing)
    }
}

pub(super) async fn run<A: Authority>(
    stream: TcpStream,
    remote: SocketAddr,
    acceptor: TlsAcceptor,
    shared: Arc<Shared<A>>,
    stranger: OwnedSemaphorePermit,
    mut stop: watch::Receiver<bool>,
) {
    // Answers are small and waited for.
    let _ = stream.set_nodelay(true);
    // On its own, and gone when it is over: what a connection holds for days should be small.
    let handshake = Box::pin(timeout(shared.pace.handshake, acceptor.accept(stream)));
    let accepted = tokio::select! {
        () = stopped(&mut stop) => return,
        accepted = handshake => accepted,
    };
    let stream = match accepted {
        Ok(Ok(stream)) => Box::new(stream),
        Ok(Err(error)) => return tracing::debug!(%remote, %error, "no TLS"),
        Err(_) => return tracing::debug!(%remote, "TLS took too long"),
    };
    let (_, session) = stream.get_ref();
    if session.alpn_protocol() != Some(ALPN) {
        return tracing::debug!(%remote, "the peer speaks another protocol");
    }
    let chain = session.peer_certificates().unwrap_or_default();
    let peer = Arc::new(Peer {
        remote,
        chain: chain.iter().map(|der| der.clone().into_owned()).collect(),
        ender: Ender::default(),
        standing: Mutex::new(Standing {
            stranger: Some(stranger),
            offering: None,
        }),
    });
    speak(stream, &peer, &shared, stop).await;
    // Whatever its session still waits for is over.
    peer.ender.end(End::Over);
}

async fn speak<A: Authority>(
    stream: Box<TlsStream<TcpStream>>,
    peer: &Arc<Peer>,
    shared: &Arc<Shared<A>>,
    mut stop: watch::Receiver<bool>,
) {
    let calls = Arc::new(Calls::new(shared.clone(), peer.clone()));
    let service = service_fn(move |request| {
        let answer = Box::pin(Arc::clone(&calls).answer(request));
        async move { Ok::<_, Infallible>(answer.await) }
    });
    let (interval, patience) = shared.pace.ping;
    let connection = http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .max_concurrent_streams(CALLS)
        .initial_stream_window_size(WINDOW)
        .initial_connection_window_size(WINDOW)
        .max_header_list_size(HEADERS)
        .max_send_buf_size(bounds::FRAME)
        .keep_alive_interval(interval)
        .keep_alive_timeout(patience)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = std::pin::pin!(connection);
    let mut end = peer.ender.watch();
    let reason = tokio::select! {
        result = &mut connection => {
            if let Err(error) = result {
                tracing::debug!(remote = %peer.remote, %error, "connection lost");
            }
            return;
        }
        reason = ended(&mut end) => reason,
        () = stopped(&mut stop) => End::Stopping,
        reason = watch_over(peer, shared) => reason,
    };
    // The session says it in words; then the connection ends by itself.
    peer.ender.end(reason);
    connection.as_mut().graceful_shutdown();
    if timeout(shared.pace.farewell, connection).await.is_err() {
        tracing::debug!(remote = %peer.remote, "the peer did not take its farewell");
    }
}

/// Looks again and again, until there is a reason to end the connection.
async fn watch_over<A: Authority>(peer: &Peer, shared: &Shared<A>) -> End {
    tokio::time::sleep(shared.pace.stranger).await;
    if peer.standing(|standing| standing.stranger.is_some()) {
        let reason = "neither a session nor an enrolment in time".to_owned();
        return End::Denied(Denied::Unauthenticated(reason));
    }
    loop {
        match peer.admit(shared.authority.as_ref()) {
            // That meshd cannot tell right now takes nothing away from who was admitted.
            Ok(_) | Err(Denied::Unavailable(_)) => {}
            Err(denied) => return End::Denied(denied),
        }
        let offering = peer.standing(|standing| standing.offering);
        if offering.is_some_and(|since| since.elapsed() > shared.pace.take) {
            let reason = "the proxy does not take what it is sent".to_owned();
            return End::Denied(Denied::Unavailable(reason));
        }
        tokio::time::sleep(shared.pace.look).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::meshd::Book;

    fn size<A, B, C, D, E, S, F: Future>(_: impl FnOnce(A, B, C, D, E, S) -> F) -> usize {
        size_of::<F>()
    }

    /// There are ten thousand of them, and each stays for days.
    #[test]
    fn a_connection_stays_small() {
        let size = size(run::<Book>);
        assert!(size <= 4_096, "{size} bytes");
    }
}
