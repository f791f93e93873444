//! Where requests and connections go: instances, connections to them, and pools of those that outlive a request.
//!
//! Never sends a request twice that an upstream may have seen: only one that no byte was written of goes elsewhere.

mod connect;
mod dial;
mod follow;
mod ledger;
mod load;
mod multiplex;
mod outlier;
mod pool;
mod send;
mod timing;
mod upgrade;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use crate::clock::unix_now;
use crate::passing::{CONNECT_WAIT, Passing};
use crate::refusal::Refusal;
use crate::table::{ClusterTable, Hop, InboundTable, Instance};
use crate::tls::ClientSide;
use mesh_bundle::resource::{ConnectionLimits, Protocol};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;

pub(crate) use connect::Connected;
use connect::connect;
pub(crate) use load::{Load, Place, Room};
pub(crate) use outlier::{Fate, Judge, Trying};
pub(crate) use pool::{Lease, Pool};
pub(crate) use send::{Answer, Outgoing, send};
pub(crate) use timing::{Ewma, Timing};
pub(crate) use upgrade::Upgrade;

/// A connection to one instance that nothing uses is closed after this long, or after the configured time where that is
/// less: workloads close theirs after a minute or so, and a request should not meet that.
const IDLE: Duration = Duration::from_secs(50);

/// All pools of a data plane, by where they lead. They outlive tables.
#[derive(Debug, Default)]
pub(crate) struct Upstreams {
    pools: Mutex<HashMap<PoolKey, Arc<Pool>>>,
    /// By the name of the cluster or inbound.
    loads: Mutex<HashMap<Arc<str>, Arc<Load>>>,
    pub(crate) ejections: Ejections,
}

/// How often an instance was left out, by its cluster and what it was judged by.
#[derive(Debug, Clone, Default)]
pub(crate) struct Ejections(Family<EjectionLabels, Counter>);

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct EjectionLabels {
    destination: Arc<str>,
    detector: &'static str,
}

impl Ejections {
    pub(crate) fn family(&self) -> impl prometheus_client::registry::Metric {
        Family::clone(&self.0)
    }

    fn count(&self, destination: &Arc<str>, detector: &'static str) {
        let labels = EjectionLabels {
            destination: Arc::clone(destination),
            detector,
        };
        self.0.get_or_create(&labels).inc();
    }
}

/// What makes two connections interchangeable.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct PoolKey {
    /// The cluster or inbound: two services may share an address, and have different identities.
    pub(crate) owner: Arc<str>,
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) kind: Kind,
    pub(crate) protocol: Protocol,
    /// Of TLS with a server of no mesh; empty for everything else.
    pub(crate) outside: Arc<str>,
}

/// What is spoken on a pooled connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    /// HTTP/1.1, one request at a time.
    One,
    /// HTTP/2 with prior knowledge.
    Two,
    /// HTTP/2 over mesh TLS.
    Mesh,
}

/// What an upstream is to whoever sends to it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Via<'a> {
    pub(crate) owner: &'a Arc<str>,
    pub(crate) protocol: Protocol,
    pub(crate) hop: &'a Hop,
    pub(crate) connect_timeout: Duration,
    /// `None`: connections are not limited.
    pub(crate) room: Option<Room<'a>>,
    /// `None`: the workload.
    cluster: Option<&'a ClusterTable>,
    trying: Option<&'a Trying>,
    /// It says nothing about traffic.
    is_probe: bool,
}

impl<'a> Via<'a> {
    pub(crate) fn cluster(cluster: &'a ClusterTable) -> Self {
        Self {
            owner: &cluster.label,
            protocol: cluster.protocol,
            hop: &cluster.hop,
            connect_timeout: cluster.connect_timeout,
            room: None,
            cluster: Some(cluster),
            trying: None,
            is_probe: false,
        }
    }

    pub(crate) fn workload(inbound: &'a InboundTable) -> Self {
        Self {
            owner: &inbound.label,
            protocol: inbound.inbound.protocol,
            hop: &Hop::Plain,
            connect_timeout: inbound.policy.timeouts.connect.value.as_std(),
            room: None,
            cluster: None,
            trying: None,
            is_probe: false,
        }
    }

    /// Where a captured connection was addressed to.
    pub(crate) fn passing(passing: &'a Passing) -> Self {
        Self {
            owner: &passing.label,
            protocol: passing.protocol(),
            hop: &Hop::Plain,
            connect_timeout: CONNECT_WAIT,
            room: None,
            cluster: None,
            trying: None,
            is_probe: false,
        }
    }

    /// With as many connections as may be.
    pub(crate) fn within(self, load: &'a Load, limits: &ConnectionLimits) -> Self {
        let room = Some(load.room(limits));
        Self { room, ..self }
    }

    /// With a place to look up where a request is when its time is over.
    pub(crate) fn noting(self, trying: &'a Trying) -> Self {
        let trying = Some(trying);
        Self { trying, ..self }
    }

    /// For what is no traffic: nobody is judged by it.
    pub(crate) fn probing(self) -> Self {
        Self {
            cluster: None,
            is_probe: true,
            ..self
        }
    }

    /// `None`: nobody looks at how long responses take.
    fn measures(&self) -> Option<Ewma> {
        self.cluster?.balance.measures()
    }

    fn kind(&self) -> Result<Kind, Refusal> {
        match (self.hop, self.protocol) {
            (Hop::Unready, _) => Err(Refusal::NoCertificate),
            (Hop::Locked, _) => Err(Refusal::NoSecret),
            (Hop::Mesh(_), _) => Ok(Kind::Mesh),
            (Hop::Plain | Hop::Outside(_), Protocol::Http2 | Protocol::Grpc) => Ok(Kind::Two),
            (Hop::Plain | Hop::Outside(_), Protocol::Http | Protocol::Tcp) => Ok(Kind::One),
        }
    }

    fn key(&self, instance: &Instance) -> Result<PoolKey, Refusal> {
        Ok(PoolKey {
            owner: Arc::clone(self.owner),
            host: instance.host.clone(),
            port: instance.port,
            kind: self.kind()?,
            protocol: self.protocol,
            outside: match self.hop {
                Hop::Outside(tls) => Arc::clone(&tls.settings),
                Hop::Plain | Hop::Mesh(_) | Hop::Unready | Hop::Locked => "".into(),
            },
        })
    }
}

impl Upstreams {
    /// Makes an instance one whose connections nobody else uses, and which end with whoever holds it.
    pub(crate) fn alone(via: &Via<'_>, instance: &Instance) {
        if let Ok(key) = via.key(instance) {
            instance.pool.get_or_init(|| Arc::new(Pool::new(key)));
        }
    }

    /// The pool of an instance, found once for each table.
    fn pool<'a>(&self, via: &Via<'_>, instance: &'a Instance) -> Result<&'a Arc<Pool>, Refusal> {
        if let Some(pool) = instance.pool.get() {
            return Ok(pool);
        }
        let key = via.key(instance)?;
        Ok(instance.pool.get_or_init(|| {
            let mut pools = self.pools.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(
                pools
                    .entry(key)
                    .or_insert_with_key(|key| Arc::new(Pool::new(key.clone()))),
            )
        }))
    }

    /// The same instance with a pool that nobody else uses, and that ends with it.
    pub(crate) fn apart(via: &Via<'_>, instance: &Instance) -> Result<Instance, Refusal> {
        let apart = Instance::new(instance.host.clone(), instance.port);
        let pool = Arc::new(Pool::new(via.key(instance)?));
        apart.pool.get_or_init(|| pool);
        Ok(apart)
    }

    /// The pool of an instance, where its cluster can be spoken to.
    pub(crate) fn pool_of<'a>(
        &self,
        cluster: &ClusterTable,
        instance: &'a Instance,
    ) -> Option<&'a Arc<Pool>> {
        self.pool(&Via::cluster(cluster), instance).ok()
    }

    /// What is under way to a cluster, found once for each table.
    pub(crate) fn load<'a>(&self, cluster: &'a ClusterTable) -> &'a Arc<Load> {
        self.load_of(&cluster.label, &cluster.load)
    }

    /// Who judges the instances; `None` where nobody does.
    pub(crate) fn judge<'a>(&'a self, via: &Via<'a>) -> Option<Judge<'a>> {
        let cluster = via.cluster?;
        Some(Judge {
            detection: cluster.detection.as_deref()?,
            cluster,
            judged: &self.load(cluster).judged,
            ejections: &self.ejections,
            trying: via.trying,
        })
    }

    /// The same for anything that has a name.
    pub(crate) fn load_of<'a>(
        &self,
        name: &Arc<str>,
        found: &'a OnceLock<Arc<Load>>,
    ) -> &'a Arc<Load> {
        found.get_or_init(|| {
            let mut loads = self.loads.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(loads.entry(Arc::clone(name)).or_default())
        })
    }

    /// A connection that is nobody else's.
    pub(crate) async fn connect(
        &self,
        via: &Via<'_>,
        instance: &Instance,
        tls: Option<&ClientSide>,
    ) -> Result<Connected, Refusal> {
        let pool = self.pool(via, instance)?;
        if !via.is_probe {
            pool.findings.sent_traffic();
        }
        let place = match via.room {
            None => None,
            Some(room) => Some(room.connection(false).ok_or(Refusal::Overflow)?),
        };
        let measuring = via.measures().map(|by| pool.timing.begin(by));
        let connected = pool.open(instance, tls, via.connect_timeout).await;
        if let Some(measuring) = measuring {
            let broken = connected.is_err().then_some(Fate::Broken);
            measuring.end(broken.or(Some(Fate::Status(200))));
        }
        if let Some(judge) = self.judge(via) {
            let fate = connected
                .as_ref()
                .map_or(Fate::Broken, |_| Fate::Status(200));
            judge.saw(pool, fate);
        }
        let connected = connected?;
        Ok(Connected {
            place,
            busy: Some(pool.busy()),
            ..connected
        })
    }

    /// Closes what nothing has used for too long. Called every few seconds.
    pub(crate) fn sweep(&self) {
        let pools = self.pools.lock().unwrap_or_else(PoisonError::into_inner);
        let now = unix_now();
        pools.values().for_each(|pool| pool.sweep(IDLE, now));
    }

    /// Closes what is idle; what is under way ends by itself.
    pub(crate) fn retire(&self) {
        let mut pools = self.pools.lock().unwrap_or_else(PoisonError::into_inner);
        pools.drain().for_each(|(_, pool)| pool.retire());
    }
}
