//! One HTTP connection from downstream: its versions, its limits, its end.
//!
//! Never ends a request that is under way because something else has changed: the connection is drained instead.

use std::convert::Infallible;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use mesh_bundle::resource::Timeouts;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until, timeout};

use super::alarms::Alarms;
use super::heads::Heads;
use super::overdue::Watch;
use super::streams::Streams;
use super::{Body, Received, inbound, outbound, passing};
use crate::http2;
use crate::metrics::Direction;
use crate::refusal::Refusal;
use crate::session::{Session, Standing, revoked};
use crate::shared::{Phase, UnderWay};
use crate::stream::{HttpVersion, Stream};
use crate::tls::{ALPN_H1, ALPN_H2};
use crate::woken::Woken;

/// The head of a request, and of a message at all.
const HEAD_BYTES: usize = 64 * 1024;
/// From the first byte of a head to its last, where the configuration asks for no less.
const HEAD_WAIT: Duration = Duration::from_secs(15);
/// Of one connection at once.
pub(super) const MOST_STREAMS: u32 = 100;

/// What is known of a connection while it serves.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) session: Arc<Session>,
    pub(super) active: AtomicUsize,
    idle_since: Mutex<Instant>,
    /// Bytes of a head have come, and not all of it: its time is running.
    pub(super) in_head: AtomicBool,
    /// An answer to a request is due, or has not been sent as a whole.
    pub(super) due: AtomicBool,
    /// Another request has begun.
    begun: Notify,
    /// Of its requests.
    pub(super) alarms: Alarms,
}

/// A request is under way.
#[derive(Debug)]
pub(crate) struct Busy {
    connection: Arc<Connection>,
    _under_way: UnderWay,
}

impl Busy {
    /// Tells why a response does not come to its end.
    pub(super) fn tell(&self, refusal: Refusal) {
        let session = &self.connection.session;
        session.refused(refusal, None, &session.shared.table());
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        let connection = &self.connection;
        if connection.active.fetch_sub(1, Ordering::AcqRel) == 1 {
            let idle_since = connection.idle_since.lock();
            *idle_since.unwrap_or_else(PoisonError::into_inner) = Instant::now();
        }
    }
}

impl Connection {
    fn begin(self: &Arc<Self>) -> Busy {
        self.in_head.store(false, Ordering::Relaxed);
        self.due.store(true, Ordering::Relaxed);
        self.active.fetch_add(1, Ordering::Acquire);
        self.begun.notify_one();
        Busy {
            connection: Arc::clone(self),
            _under_way: self.session.shared.begin(),
        }
    }

    /// When it has been idle for so long, if nothing happens.
    fn idle_at(&self, limit: Duration) -> Instant {
        let since = match self.active.load(Ordering::Acquire) {
            0 => *self
                .idle_since
                .lock()
                .unwrap_or_else(PoisonError::into_inner),
            _ => Instant::now(),
        };
        since + limit
    }
}

/// Serves a connection until it ends.
pub(crate) async fn serve(session: &Arc<Session>, mut stream: Stream, timeouts: &Timeouts) {
    let alpn = session.peer.as_ref().map(|peer| peer.alpn.as_slice());
    let head_wait = timeouts.request_headers.value.limit();
    let head_wait = head_wait.map_or(HEAD_WAIT, |limit| limit.min(HEAD_WAIT));
    let version = match alpn {
        Some(alpn) if alpn == ALPN_H2 => HttpVersion::Two,
        Some(alpn) if alpn == ALPN_H1 => HttpVersion::One,
        // The workload may open connections long before it uses them.
        _ => {
            let wait = match session.direction {
                Direction::Inbound => Some(head_wait),
                Direction::Outbound => timeouts.idle.value.limit(),
            };
            let wait = wait.unwrap_or(Duration::from_secs(3_600));
            match timeout(wait, stream.http_version()).await {
                Ok(Ok(version)) => version,
                Ok(Err(_)) | Err(_) => return,
            }
        }
    };
    let connection = Arc::new(Connection {
        session: Arc::clone(session),
        active: AtomicUsize::new(0),
        idle_since: Mutex::new(Instant::now()),
        in_head: AtomicBool::new(true),
        due: AtomicBool::new(false),
        begun: Notify::new(),
        alarms: Alarms::default(),
    });
    match version {
        HttpVersion::One => {
            let requests = {
                let connection = Arc::clone(&connection);
                service_fn(move |request: Request<Incoming>| {
                    Answering(answer(&connection, request.map(Received::One)))
                })
            };
            let io = Heads::new(stream, Arc::clone(&connection), head_wait);
            let served = one().serve_connection(TokioIo::new(io), requests);
            drive(Requests(served.with_upgrades()), &connection, timeouts).await;
        }
        HttpVersion::Two => {
            let served = Streams::new(stream, &connection);
            drive(served, &connection, timeouts).await;
        }
    }
}

/// What becomes of a request. It has a place of its own: tasks are moved several times, and a connection that rests needs
/// no room for one.
pub(super) type Answer = Pin<Box<dyn Future<Output = Response<Body>> + Send>>;

/// The same for a library that asks whether it can fail.
struct Answering(Answer);

impl Future for Answering {
    type Output = Result<Response<Body>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.as_mut().poll(cx).map(Ok)
    }
}

/// Begins a request.
pub(super) fn answer(connection: &Arc<Connection>, request: Request<Received>) -> Answer {
    let busy = connection.begin();
    let connection = Arc::clone(connection);
    // Each is made where it stays.
    let session = &connection.session;
    match (&session.passing, session.direction) {
        (Some(_), _) => Box::pin(passing::answer(connection, busy, request)),
        (None, Direction::Inbound) => Box::pin(inbound::answer(connection, busy, request)),
        (None, Direction::Outbound) => Box::pin(outbound::answer(connection, busy, request)),
    }
}

fn one() -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        // `Heads` sees to it: this one would count the time between two requests too.
        .header_read_timeout(None)
        .max_buf_size(HEAD_BYTES)
        .max_header_size(HEAD_BYTES)
        .auto_date_header(false);
    builder
}

/// A connection that can be told to take no more requests.
pub(super) trait Graceful: Future<Output = Result<(), Ended>> {
    /// Whether that costs a request which is on its way: HTTP/1 has no word for it but the end of an answer.
    const ONLY_WITH_AN_ANSWER: bool;

    fn drain(self: Pin<&mut Self>);
}

/// Why a connection ended.
#[derive(Debug, thiserror::Error)]
pub(super) enum Ended {
    #[error(transparent)]
    One(hyper::Error),
    #[error(transparent)]
    Two(http2::Error),
}

impl Ended {
    /// What came could not be understood, so no request was there to refuse.
    fn unreadable(&self) -> Option<Refusal> {
        let bad = match self {
            Self::One(why) if why.is_parse_too_large() => return Some(Refusal::HeadTooLarge),
            Self::One(why) => why.is_parse(),
            Self::Two(why) => matches!(why, http2::Error::Violated(_)),
        };
        bad.then_some(Refusal::BadRequest)
    }
}

/// A connection of HTTP/1.
struct Requests<S>(http1::UpgradeableConnection<TokioIo<Heads>, S>)
where
    S: Service<Request<Incoming>, Response = Response<Body>, Error = Infallible>;

impl<S> Future for Requests<S>
where
    S: Service<Request<Incoming>, Response = Response<Body>, Error = Infallible> + Unpin,
    S::Future: Unpin,
{
    type Output = Result<(), Ended>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(cx).map_err(Ended::One)
    }
}

impl<S> Graceful for Requests<S>
where
    S: Service<Request<Incoming>, Response = Response<Body>, Error = Infallible> + Unpin,
    S::Future: Unpin,
{
    const ONLY_WITH_AN_ANSWER: bool = true;

    fn drain(mut self: Pin<&mut Self>) {
        Pin::new(&mut self.0).graceful_shutdown();
    }
}

/// Runs a connection, and looks up when the world changes or time is over.
async fn drive<G: Graceful>(served: G, connection: &Connection, timeouts: &Timeouts) {
    let mut served = pin!(Some(served));
    let mut watch = Watch::default();
    let mut news = connection.session.shared.news();
    let bell = Arc::default();
    let idle = timeouts.idle.value.limit();
    let last = timeouts.max_connection.value.limit();
    let last = last.map(|limit| Instant::now() + limit);
    let mut draining = false;
    // Who comes now has not heard that this proxy leaves. It is told with its first request and not before, or it would
    // close the connection that it has just opened for that request.
    let late = *news.borrow() == Phase::Draining;
    loop {
        let phase = *news.borrow_and_update();
        if phase == Phase::Over {
            return;
        }
        let gone = !follow(connection);
        let now = Instant::now();
        let end = [idle.map(|limit| connection.idle_at(limit)), last];
        let end = end.into_iter().flatten().min().filter(|_| !draining);
        let due = end.is_some_and(|end| end <= now);
        let busy = connection.active.load(Ordering::Acquire) > 0;
        let leaving = phase == Phase::Draining && (busy || !(late || G::ONLY_WITH_AN_ANSWER));
        if !draining && (gone || due || leaving) {
            draining = true;
            if let Some(served) = served.as_mut().as_pin_mut() {
                served.drain();
            }
            continue;
        }
        let sooner = connection.alarms.sooner();
        connection.alarms.ring(now);
        let wake = [end, connection.alarms.next()].into_iter().flatten().min();
        let side = pin!(async {
            tokio::select! {
                told = news.changed() => told.is_ok(),
                () = connection.begun.notified(), if phase == Phase::Draining && !draining => true,
                () = sooner => true,
                () = at(wake) => true,
            }
        });
        tokio::select! {
            biased;
            ended = poll_fn(|cx| watch.poll(served.as_mut(), cx)) => {
                if let Some(Err(why)) = ended {
                    tracing::debug!(%why, "connection ended");
                    if let Some(refusal) = why.unreadable() {
                        let session = &connection.session;
                        session.refused(refusal, None, &session.shared.table());
                    }
                }
                return;
            }
            goes_on = Woken::new(&bell, side) => if !goes_on { return },
        }
    }
}

async fn at(wake: Option<Instant>) {
    match wake {
        Some(wake) => sleep_until(wake).await,
        None => std::future::pending().await,
    }
}

/// Asks whether the peer may still do what it does, and ends its requests where not. False where the listener is gone.
fn follow(connection: &Connection) -> bool {
    let session = &connection.session;
    let table = session.shared.table();
    match session.standing(&table) {
        Standing::Good { .. } => true,
        Standing::Withdrawn => false,
        Standing::Refused(refusal, origin) => {
            if connection.active.load(Ordering::Acquire) > 0 {
                session.refused(revoked(refusal), origin, &table);
            }
            connection.alarms.revoke(table.serial);
            // Who is only not permitted may ask again, and be told so; who is not believed has nothing to ask.
            refusal == Refusal::Permission
        }
    }
}
