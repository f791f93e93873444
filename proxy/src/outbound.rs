//! A connection of the workload: requests go one way, bytes another.
//!
//! Never looks at where the workload believes it is connected to: the listener is the destination.

use std::sync::Arc;

use mesh_bundle::Origin;
use mesh_bundle::decide::{Choice, affinity, choose};
use mesh_bundle::resource::{Retry, TcpRoute};
use tokio::net::TcpStream;
use tokio::time::Instant;

use crate::access_log::{Log, of_outbound};
use crate::dice::roll;
use crate::http;
use crate::metrics::{Direction, NO_FLAG};
use crate::refusal::Refusal;
use crate::session::Session;
use crate::shared::Shared;
use crate::stream::Stream;
use crate::table::{Backend, Bind, ClusterTable, DestinationTable, Hop, TrafficTable};
use crate::tcp::{Activity, relay};
use crate::upstream::{Connected, Via};

/// Serves one connection until it ends.
pub(crate) async fn serve(shared: &Arc<Shared>, bind: &Bind, tcp: TcpStream) {
    let table = shared.table();
    let Some(outbound) = table.outbounds.get(bind) else {
        return;
    };
    let destination = Arc::clone(&outbound.destination);
    let session = Session::outbound(shared, bind, tcp.peer_addr().ok(), &table);
    let stream = Stream::plain(tcp);
    let (route, backends) = match &destination.traffic {
        TrafficTable::Http { .. } => {
            drop(table);
            return Box::pin(http::serve(
                &session,
                stream,
                &destination.destination.timeouts,
            ))
            .await;
        }
        TrafficTable::Tcp { route, backends } => (route, backends),
    };
    let _under_way = shared.begin();
    let activity = Arc::new(Activity::now());
    let mut log = of_outbound(&session, &table, &destination, None).0;
    if let Some(log) = &mut log {
        log.count(&activity);
    }
    let opened = match choice(route, backends) {
        Ok((cluster, origin)) => match open(
            shared,
            cluster,
            hash(&session, &destination),
            attempts(&destination),
        )
        .await
        {
            Ok((connected, instance)) => Ok((connected, instance, cluster)),
            Err(refusal) => Err((refusal, Some(origin))),
        },
        Err(refused) => Err(refused),
    };
    let (connected, instance, cluster) = match opened {
        Ok(opened) => opened,
        Err((refusal, origin)) => {
            session.refused(refusal, origin, &table);
            return count(&session, &destination, log, refusal.row().flag);
        }
    };
    if let Some(log) = &mut log {
        log.sent_to(&cluster.label);
        log.taken_by(&instance);
    }
    let cluster = cluster.kri.clone();
    drop(table);
    let idle = destination.destination.timeouts.idle.value.limit();
    let _places = (connected.place, connected.busy);
    let peer = connected.peer;
    let stop = async {
        tokio::select! {
            refusal = session.until_refused() => refusal,
            refusal = session.until_distrusted(peer.as_ref(), &cluster) => refusal,
        }
    };
    let ended = relay(stream, connected.stream, &activity, idle, stop).await;
    let flag = ended.map_or_else(|refusal| refusal.row().flag, |()| NO_FLAG);
    count(&session, &destination, log, flag);
}

/// The split, rolled once for each connection.
fn choice<'t>(
    route: &'t TcpRoute,
    backends: &'t [Backend],
) -> Result<(&'t ClusterTable, &'t Origin), (Refusal, Option<&'t Origin>)> {
    match choose(&route.backends, roll()) {
        Choice::Unresolved { origin } => Err((Refusal::Unresolved, origin.or(Some(&route.origin)))),
        Choice::Cluster { kri, origin } => {
            let found = backends.iter().find(|backend| backend.kri == *kri);
            let found = found.ok_or((Refusal::Unresolved, Some(origin)))?;
            Ok((&found.cluster, origin))
        }
    }
}

/// What connections have in common that go to the same instance.
fn hash(session: &Session, destination: &DestinationTable) -> Option<u64> {
    let policies = destination.destination.hash_policies.as_ref()?;
    let client = session.remote.map(|remote| remote.ip());
    affinity(&policies.value, None, client, roll).hash
}

/// How often to connect; `None`: once to each of a few instances.
fn attempts(destination: &DestinationTable) -> Option<usize> {
    match &destination.destination.retry {
        Some(Retry::Connections(retry)) => usize::try_from(retry.max_connect_attempts.value).ok(),
        _ => None,
    }
}

/// A connection to the first instance that takes one.
async fn open(
    shared: &Shared,
    cluster: &ClusterTable,
    hash: Option<u64>,
    attempts: Option<usize>,
) -> Result<(Connected, Arc<str>), Refusal> {
    let tls = match &cluster.hop {
        Hop::Plain => None,
        Hop::Mesh(tls) => Some(&tls.tcp),
        Hop::Outside(tls) => Some(&tls.tcp),
        Hop::Unready => return Err(Refusal::NoCertificate),
        Hop::Locked => return Err(Refusal::NoSecret),
    };
    let mut last = Refusal::NoEndpoint;
    let instances: Vec<_> = cluster.in_turn(hash).collect();
    let attempts = attempts.unwrap_or(instances.len());
    let load = shared.upstreams.load(cluster);
    load.sent(Instant::now());
    for (number, instance) in instances.iter().cycle().take(attempts).enumerate() {
        // The first attempt at each is none that is made again.
        if number >= instances.len() && !load.sends_again(&cluster.limits) {
            break;
        }
        let via = Via::cluster(cluster).within(load, &cluster.limits);
        match shared.upstreams.connect(&via, instance, tls).await {
            Ok(connected) => return Ok((connected, Arc::clone(&instance.label))),
            Err(refusal) => last = refusal,
        }
    }
    Err(last)
}

fn count(
    session: &Session,
    destination: &DestinationTable,
    log: Option<Box<Log>>,
    flag: &'static str,
) {
    if let Some(mut log) = log {
        log.end(0, flag);
    }
    let metrics = &session.shared.metrics;
    metrics.connection(
        Direction::Outbound,
        &session.source,
        &destination.label,
        flag,
    );
}
