//! meshd's end of the wire: sockets, TLS, and one [`crate::publisher::Publisher`] for each session.
//!
//! Never decides who comes in, and never lets one peer take what others need: strangers, handshakes, messages, rates and
//! waits all have bounds, and what a proxy is slow to take is not queued for it.

mod calls;
mod connection;
mod live;
mod outgoing;
mod pace;
mod rate;
mod session;

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustls::ServerConfig;
use rustls::server::NoServerSessionStorage;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use crate::authority::Authority;
use live::Live;
use rate::Limiter;

pub(crate) use pace::Pace;

/// Connections that have not shown yet that they belong here. Each may make us hold one message of 128 KiB.
const STRANGERS: usize = 512;
/// Enrolments that are judged at the same time: each costs a signature.
const ENROLMENTS: usize = 32;
/// What HTTP/2 is called in TLS.
pub(crate) const ALPN: &[u8] = b"h2";

/// What all connections share.
pub(crate) struct Shared<A> {
    authority: Arc<A>,
    live: Live,
    enrolments: Semaphore,
    attempts: Mutex<Limiter>,
    pace: Pace,
}

/// Serves until `stop` is true or its sender is gone; then every session is ended in words, and this returns once all
/// connections are closed.
///
/// `tls` verifies client certificates against the control CA, and lets a client come without one: that is how a proxy
/// enrols. A session needs a certificate that [`Authority::admit`] knows.
///
/// # Errors
/// The listener cannot accept connections at all. Trouble that passes, such as a lack of file descriptors, is waited out.
pub async fn serve<A: Authority>(
    listener: TcpListener,
    tls: Arc<ServerConfig>,
    authority: Arc<A>,
    stop: watch::Receiver<bool>,
) -> io::Result<()> {
    serve_at(Pace::default(), listener, tls, authority, stop).await
}

pub(crate) async fn serve_at<A: Authority>(
    pace: Pace,
    listener: TcpListener,
    tls: Arc<ServerConfig>,
    authority: Arc<A>,
    mut stop: watch::Receiver<bool>,
) -> io::Result<()> {
    let acceptor = TlsAcceptor::from(Arc::new(configured(&tls)));
    let shared = Arc::new(Shared {
        authority,
        live: Live::default(),
        enrolments: Semaphore::new(ENROLMENTS),
        attempts: Mutex::default(),
        pace,
    });
    let strangers = Arc::new(Semaphore::new(STRANGERS));
    let mut connections = JoinSet::new();
    let mut back_off = BackOff::default();
    loop {
        let accepted = tokio::select! {
            biased;
            () = stopped(&mut stop) => break,
            Some(_) = connections.join_next(), if !connections.is_empty() => continue,
            accepted = accept(&listener, &strangers) => accepted,
        };
        match accepted {
            Ok((stream, remote, stranger)) => {
                back_off = BackOff::default();
                let (shared, stop) = (shared.clone(), stop.clone());
                let acceptor = acceptor.clone();
                connections.spawn(connection::run(
                    stream, remote, acceptor, shared, stranger, stop,
                ));
            }
            Err(error) if is_hopeless(&error) => return Err(error),
            Err(error) if is_the_peers(&error) => {}
            Err(error) => {
                let pause = back_off.next();
                tracing::warn!(%error, ?pause, "cannot accept connections");
                tokio::select! {
                    () = stopped(&mut stop) => break,
                    () = tokio::time::sleep(pause) => {}
                }
            }
        }
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
    Ok(())
}

/// A place for a stranger, then the stranger.
async fn accept(
    listener: &TcpListener,
    strangers: &Arc<Semaphore>,
) -> io::Result<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
    let place = strangers.clone().acquire_owned().await;
    let place = place.map_err(io::Error::other)?;
    let (stream, remote) = listener.accept().await?;
    Ok((stream, remote, place))
}

/// Certificates are verified on every connection: a resumed one would pass with what was valid once.
fn configured(tls: &ServerConfig) -> ServerConfig {
    let mut tls = tls.clone();
    tls.alpn_protocols = vec![ALPN.to_vec()];
    tls.session_storage = Arc::new(NoServerSessionStorage {});
    tls.send_tls13_tickets = 0;
    tls.max_early_data_size = 0;
    tls
}

async fn stopped(stop: &mut watch::Receiver<bool>) {
    // An error means that its owner is gone, which is a stop too.
    let _ = stop.wait_for(|stop| *stop).await;
}

fn is_hopeless(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::InvalidInput
}

/// The connection was gone before it was accepted.
fn is_the_peers(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(
        error.kind(),
        ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted
    )
}

/// Descriptors come back when connections end: soon, or not for a while.
struct BackOff(Duration);

impl Default for BackOff {
    fn default() -> Self {
        Self(Duration::from_millis(10))
    }
}

impl BackOff {
    fn next(&mut self) -> Duration {
        let now = self.0;
        self.0 = (now * 2).min(Duration::from_secs(1));
        now
    }
}
