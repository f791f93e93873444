//! Connections to one instance: idle ones of HTTP/1.1, shared ones of HTTP/2.
//!
//! Never gives out a connection that the last message has not left cleanly, and never holds more than a bound.

mod lease;
mod share;

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use hyper::client::conn::http1;
use mesh_bundle::resource::Protocol;
use tokio::time::{Instant, timeout};

use super::load::Count;
use super::multiplex;
use super::outlier::Health;
use super::{Connected, Kind, Place, PoolKey, Timing, connect, dial};
use crate::health_check::Findings;
use crate::http::{Pulse, RequestBody};
use crate::refusal::Refusal;
use crate::table::{Bind, Instance as Target};
use crate::tls::{ALPN_TCP, ClientSide, TlsPeer};
pub(crate) use share::Share;
use share::Shared;

/// To one instance, idle or not: more than any workload serves at once, fewer than a process may have descriptors.
const MOST_CONNECTIONS: usize = 4_096;
/// Idle ones beyond this are closed.
const MOST_IDLE: usize = 256;
/// How long a finished connection may take to be ready for the next request.
const READY_WAIT: Duration = Duration::from_secs(5);
/// An instance that no connection could be made to is tried last for this long.
const SHUNNED: Duration = Duration::from_secs(1);

/// The connections to one instance.
#[derive(Debug)]
pub(crate) struct Pool {
    key: PoolKey,
    one: Mutex<Vec<IdleOne>>,
    two: Mutex<Vec<Arc<Shared>>>,
    /// One at a time opens a shared connection; the others find it when they come in.
    opening: tokio::sync::Mutex<()>,
    /// The far proxy takes bytes only, so each connection carries one request at a time.
    tunnels: AtomicBool,
    open: AtomicUsize,
    requests: Arc<Count>,
    pub(crate) health: Arc<Health>,
    pub(crate) findings: Arc<Findings>,
    pub(crate) timing: Arc<Timing>,
    /// When it came to others that were there already.
    joined: OnceLock<Instant>,
    failed: Mutex<Option<(Instant, Refusal)>>,
    retired: AtomicBool,
}

#[derive(Debug)]
struct IdleOne {
    sender: http1::SendRequest<RequestBody>,
    since: Instant,
    counted: Counted,
    /// Of the table under which it was opened.
    serial: u64,
}

/// What a request holds while it uses a connection.
#[derive(Debug)]
pub(crate) enum Lease {
    One {
        pool: Arc<Pool>,
        sender: http1::SendRequest<RequestBody>,
        counted: Counted,
        serial: u64,
        /// It has served a request before this one.
        used: bool,
        _busy: Place,
    },
    Two(Share),
    /// Its own connection, which is never used again.
    Own {
        _place: Option<Place>,
        _busy: Option<Place>,
    },
}

/// One of the pool's connections; dropped with it.
#[derive(Debug)]
pub(crate) struct Counted {
    pool: Arc<Pool>,
    /// Among those of the service.
    place: Option<Arc<Place>>,
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.pool.open.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Counted {
    /// It can serve another request.
    fn lend(&self) {
        if let Some(place) = &self.place {
            place.lend();
        }
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Pool {
    pub(crate) fn new(key: PoolKey) -> Self {
        Self {
            key,
            one: Mutex::default(),
            two: Mutex::default(),
            opening: tokio::sync::Mutex::default(),
            tunnels: AtomicBool::new(false),
            open: AtomicUsize::new(0),
            requests: Arc::default(),
            health: Arc::default(),
            findings: Arc::default(),
            timing: Arc::default(),
            joined: OnceLock::new(),
            failed: Mutex::default(),
            retired: AtomicBool::new(false),
        }
    }

    /// One without connections, which knows of its instance what this one does.
    pub(super) fn renewed(&self) -> Self {
        Self {
            requests: Arc::clone(&self.requests),
            health: Arc::clone(&self.health),
            findings: Arc::clone(&self.findings),
            timing: Arc::clone(&self.timing),
            joined: self.joined.clone(),
            ..Self::new(self.key.clone())
        }
    }

    /// No connection could be made to it a moment ago.
    pub(crate) fn is_shunned(&self) -> bool {
        locked(&self.failed).is_some_and(|(at, _)| at.elapsed() < SHUNNED)
    }

    /// It comes to others that are there already.
    pub(crate) fn joins(&self) {
        self.joined.get_or_init(Instant::now);
    }

    /// Since when it has been well, where it has not been so from the beginning.
    pub(crate) fn well_since(&self) -> Option<Instant> {
        let joined = self.joined.get().copied();
        let back = self.health.back_since();
        joined.max(back).max(self.findings.well_since())
    }

    #[cfg(test)]
    pub(crate) fn shun(&self) {
        *locked(&self.failed) = Some((Instant::now(), Refusal::Closed));
    }

    /// One more request or connection that it has to do with.
    pub(crate) fn busy(&self) -> Place {
        self.requests.place()
    }

    /// How many there are.
    pub(crate) fn requests(&self) -> u32 {
        self.requests.now()
    }

    /// Where it leads.
    pub(super) fn place(&self) -> Bind {
        Bind {
            host: self.key.host.clone(),
            port: self.key.port,
        }
    }

    /// One request at a time, as far as it is known.
    fn is_single(&self) -> bool {
        match self.key.kind {
            Kind::One => true,
            Kind::Two => false,
            Kind::Mesh => self.tunnels.load(Ordering::Relaxed),
        }
    }

    /// A new connection. To an inbound that is declared for bytes, what its workload speaks goes through a tunnel.
    async fn dial(
        self: &Arc<Self>,
        target: &Target,
        tls: Option<&ClientSide>,
        limit: Duration,
        place: Option<Place>,
    ) -> Result<Lease, Refusal> {
        let serial = tls.map_or(0, |side| side.serial);
        let place = place.map(Arc::new);
        let weak = place.as_ref().map(Arc::downgrade);
        let counted = self.count(place)?;
        let connected = self.open(target, tls, limit).await?;
        let single = match &connected.peer {
            None => self.key.kind == Kind::One,
            Some(peer) => peer.alpn == ALPN_TCP && self.key.protocol == Protocol::Http,
        };
        self.tunnels.store(single, Ordering::Relaxed);
        if single {
            let sender = dial::one(connected.stream).await?;
            return Ok(self.single(sender, counted, serial, false));
        }
        let peer = connected.peer;
        let pulse = Arc::new(Pulse::default());
        let (client, driver) = multiplex::open(connected.stream, &pulse, counted);
        let shared = Arc::new(Shared {
            client,
            pulse,
            used: Mutex::new(Instant::now()),
            peer,
            serial: AtomicU64::new(serial),
            driver,
            place: weak,
        });
        let share = self.share_of(&shared);
        if !self.retired.load(Ordering::Acquire) {
            locked(&self.two).push(shared);
        }
        Ok(Lease::Two(share))
    }

    fn single(
        self: &Arc<Self>,
        sender: http1::SendRequest<RequestBody>,
        counted: Counted,
        serial: u64,
        used: bool,
    ) -> Lease {
        Lease::One {
            pool: Arc::clone(self),
            sender,
            counted,
            serial,
            used,
            _busy: self.busy(),
        }
    }

    fn pop(&self, serial: u64) -> Option<IdleOne> {
        let mut one = locked(&self.one);
        one.retain(|idle| idle.serial >= serial);
        one.pop()
    }

    fn count(self: &Arc<Self>, place: Option<Arc<Place>>) -> Result<Counted, Refusal> {
        let counted = Counted {
            pool: Arc::clone(self),
            place,
        };
        match self.open.fetch_add(1, Ordering::Relaxed) {
            open if open < MOST_CONNECTIONS => Ok(counted),
            _ => Err(Refusal::Overflow),
        }
    }

    /// Connects, and remembers whether that could be done.
    pub(super) async fn open(
        &self,
        target: &Target,
        tls: Option<&ClientSide>,
        limit: Duration,
    ) -> Result<Connected, Refusal> {
        let connected = connect(target, &self.key.owner, tls, limit).await;
        let failed = connected.as_ref().err();
        *locked(&self.failed) = failed.map(|why| (Instant::now(), *why));
        connected
    }

    /// A connection comes back after its response has ended.
    fn put_back(&self, sender: http1::SendRequest<RequestBody>, counted: Counted, serial: u64) {
        if self.retired.load(Ordering::Acquire) || sender.is_closed() {
            return;
        }
        let idle = IdleOne {
            sender,
            since: Instant::now(),
            counted,
            serial,
        };
        let mut one = locked(&self.one);
        if one.len() < MOST_IDLE {
            idle.counted.lend();
            one.push(idle);
        }
    }

    /// Closes what is idle, and keeps nothing that comes back.
    pub(crate) fn retire(&self) {
        self.retired.store(true, Ordering::Release);
        locked(&self.one).clear();
        locked(&self.two).clear();
    }

    /// Cuts the connections to peers that are not what they must be any more.
    pub(super) fn keep_peers(&self, serial: u64, is_good: impl Fn(&TlsPeer) -> bool) {
        locked(&self.two).retain(|shared| {
            let good = shared.peer.as_ref().is_none_or(&is_good);
            match good {
                true => shared.serial.store(serial, Ordering::Relaxed),
                false => shared.driver.abort(),
            }
            good
        });
    }

    /// Closes what nothing has used for so long. What was opened to a certificate that has ended takes no more requests: when
    /// the authority that signed it is trusted no more, nothing is under way on it.
    pub(super) fn sweep(&self, idle: Duration, now: u64) {
        locked(&self.one)
            .retain(|waiting| !waiting.sender.is_closed() && waiting.since.elapsed() < idle);
        locked(&self.two).retain(|shared| {
            let busy = shared.pulse.streams.load(Ordering::Relaxed) > 0;
            let used = *locked(&shared.used);
            let ended = shared.peer.as_ref().is_some_and(|it| it.has_ended(now));
            !shared.driver.is_finished() && !ended && (busy || used.elapsed() < idle)
        });
    }
}

impl Lease {
    /// The response has been read to its end: the connection may serve another.
    pub(crate) fn finish(self) {
        let Self::One {
            pool,
            mut sender,
            counted,
            serial,
            ..
        } = self
        else {
            return;
        };
        if sender.is_ready() {
            return pool.put_back(sender, counted, serial);
        }
        // The connection's own task has yet to notice that the message is over.
        tokio::spawn(async move {
            if let Ok(Ok(())) = timeout(READY_WAIT, sender.ready()).await {
                pool.put_back(sender, counted, serial);
            }
        });
    }
}
