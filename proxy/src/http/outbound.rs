//! A request of the workload: which route, what is done to it, which cluster, how long it may take.
//!
//! Never chooses by the host that was asked for: the listener is the destination (language 4.14).

use std::borrow::Cow;
use std::sync::Arc;

use http::request::Parts;
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderValue, header};
use hyper::{Request, Response};
use mesh_bundle::Origin;
use mesh_bundle::decide::{
    self, Affinity, Choice, CompiledRoute, RouteTable, affinity, choose, location, normalise,
    rewrite_path,
};

use super::exchange::{Begun, Plan, target};
use super::head::{self, Head, joined};
use super::serve::{Busy, Connection};
use super::timers::Timers;
use super::{Body, Received, RequestBody, answer, mirror};
use crate::access_log::{RequestView, of_outbound};
use crate::dice::roll;
use crate::metrics::{Direction, RequestStats};
use crate::refusal::Refusal;
use crate::session::Session;
use crate::table::{ClusterTable, DestinationTable, RouteEntry, Step, TrafficTable};
use crate::trace;
use crate::upstream::{Load, Outgoing, Upgrade, Via};

pub(super) async fn answer(
    connection: Arc<Connection>,
    busy: Busy,
    mut request: Request<Received>,
) -> Response<Body> {
    let session = &connection.session;
    let table = session.shared.table();
    let mut begun = Begun::new(&connection, Arc::clone(&table), busy, &mut request);
    let outbound = table.outbounds.get(&session.bind);
    let Some((destination, routing)) = outbound.and_then(|outbound| {
        let destination = &*outbound.destination;
        Some((destination, Routing::of(destination)?))
    }) else {
        return begun.refuse(Refusal::Withdrawn, None, None);
    };
    let (mut parts, body) = request.into_parts();
    let asked = Some(RequestView::of_parts(&parts));
    let (log, context) = of_outbound(session, &table, destination, asked);
    begun.log(log);
    trace::inject(&table, context, &mut parts.headers);
    let found = head::request(&mut parts).and_then(|head| routing.find(&parts, head, session));
    let routed = match found {
        Ok(routed) => routed,
        Err(refusal) => {
            let stats = routing.stats(session, destination);
            return begun.refuse(refusal, None, Some(stats));
        }
    };
    let stats = entry_stats(session, destination, routed.entry);
    if let Some(log) = begun.logged() {
        log.routed(routed.entry);
    }
    let mut response = match pass(&begun, &routed, parts, body, session) {
        Ok(Passed::Send(sending, cluster, origin)) => {
            let load = session.shared.upstreams.load(cluster);
            let plan = plan(&routed, cluster, load, origin, stats);
            match begun
                .send(
                    plan,
                    &|| Box::new(cluster.usable(routed.affinity.hash)),
                    (&sending.0, sending.1),
                )
                .await
            {
                Ok(mut response) => {
                    if cluster.balance.looks_at_hashes() {
                        set_cookies(&routed.affinity, response.headers_mut());
                    }
                    response
                }
                Err(refused) => return refused,
            }
        }
        Ok(Passed::Own(response)) => begun.count(response, stats),
        Err((refusal, origin)) => return begun.refuse(refusal, origin, Some(stats)),
    };
    for step in &routed.entry.steps {
        if let Step::ResponseHeaders(edit) = step {
            edit.apply(response.headers_mut());
        }
    }
    response
}

/// The routes of a destination.
struct Routing<'t> {
    table: &'t RouteTable,
    entries: &'t [RouteEntry],
    stats: &'t std::sync::OnceLock<Arc<RequestStats>>,
}

/// A request that has found its route.
struct Routed<'t> {
    compiled: &'t CompiledRoute,
    entry: &'t RouteEntry,
    head: Head,
    /// [`decide::NormalPath::forwarded`].
    target: PathAndQuery,
    /// Of what the client sent: filters do not change where it goes.
    affinity: Affinity<'t>,
}

enum Passed<'t> {
    Send(Box<(Outgoing, RequestBody)>, &'t ClusterTable, &'t Origin),
    Own(Response<Body>),
}

impl<'t> Routing<'t> {
    fn of(destination: &'t DestinationTable) -> Option<Self> {
        match &destination.traffic {
            TrafficTable::Http {
                table,
                routes,
                stats,
            } => Some(Self {
                table,
                entries: routes,
                stats,
            }),
            TrafficTable::Tcp { .. } => None,
        }
    }

    fn find(&self, parts: &Parts, head: Head, session: &Session) -> Result<Routed<'t>, Refusal> {
        let path = normalise(head.path(parts)).map_err(|_| Refusal::BadPath)?;
        let asked = Asked {
            parts,
            path: &path.matched,
            authority: &head.authority,
        };
        let position = self.table.position(&asked).ok_or(Refusal::NoRoute)?;
        let found = self
            .table
            .routes()
            .get(position)
            .zip(self.entries.get(position));
        let (compiled, entry) = found.ok_or(Refusal::NoRoute)?;
        let named = compiled.route.matches.method.as_deref() == Some(parts.method.as_str());
        if matches!(head.upgrade, Some(Upgrade::Tunnel)) && !named {
            return Err(Refusal::Method);
        }
        let target = target(&parts.uri, &path.forwarded)?;
        let client = session.remote.map(|remote| remote.ip());
        let affinity = affinity(&entry.hash_policies, Some(&asked), client, roll);
        Ok(Routed {
            compiled,
            entry,
            head,
            target,
            affinity,
        })
    }

    fn stats(&self, session: &Session, destination: &DestinationTable) -> &'t Arc<RequestStats> {
        self.stats.get_or_init(|| {
            let metrics = &session.shared.metrics;
            let (source, label) = (&session.source, &destination.label);
            metrics.flow(Direction::Outbound, source, label, &"".into())
        })
    }
}

fn entry_stats<'t>(
    session: &Session,
    destination: &DestinationTable,
    entry: &'t RouteEntry,
) -> &'t Arc<RequestStats> {
    entry.stats.get_or_init(|| {
        let metrics = &session.shared.metrics;
        let (source, label) = (&session.source, &destination.label);
        metrics.flow(Direction::Outbound, source, label, &entry.label)
    })
}

fn plan<'a>(
    routed: &'a Routed<'_>,
    cluster: &'a ClusterTable,
    load: &'a Load,
    origin: &'a Origin,
    stats: &'a Arc<RequestStats>,
) -> Plan<'a> {
    let timeouts = &routed.entry.timeouts;
    Plan {
        via: Via::cluster(cluster).within(load, &cluster.limits),
        timers: Timers {
            request: &timeouts.request,
            stream_idle: &timeouts.stream_idle,
            max_stream: &timeouts.max_stream,
        },
        retry: routed.entry.retry.as_ref(),
        load,
        most: &cluster.limits,
        idle: timeouts.idle.value.limit(),
        stats,
        origin: Some(origin),
        bits_per_second: None,
    }
}

/// Applies the filters in their order, and chooses who serves the request.
fn pass<'t>(
    begun: &Begun<'_>,
    routed: &Routed<'t>,
    parts: Parts,
    body: Received,
    session: &Arc<Session>,
) -> Result<Passed<'t>, (Refusal, Option<&'t Origin>)> {
    let route = &routed.compiled.route;
    let origin = Some(&route.origin);
    let prefix = routed.compiled.matched_prefix();
    let mut authority = routed.head.authority.clone();
    let mut rewritten = false;
    let mut target = routed.target.clone();
    let mut headers = parts.headers;
    let mut mirrors = Vec::new();
    for step in &routed.entry.steps {
        match step {
            Step::RequestHeaders(edit) => edit.apply(&mut headers),
            Step::ResponseHeaders(_) | Step::Nothing => {}
            Step::Rewrite {
                authority: name,
                path,
            } => {
                if let Some(name) = name {
                    authority = name.clone();
                    rewritten = true;
                }
                if let Some(rewrite) = path {
                    let path = rewrite_path(rewrite, target.path(), prefix);
                    target = with_path(&target, &path).map_err(|refusal| (refusal, origin))?;
                }
            }
            Step::Redirect(redirect) => {
                let asked = authority.to_str().unwrap_or_default();
                let (path, query) = (target.path(), target.query());
                let location = location(redirect, "http", asked, path, query, prefix);
                let response = answer::redirect(redirect.status, &location);
                let response = response.ok_or((Refusal::BadPath, origin))?;
                return Ok(Passed::Own(response));
            }
            Step::Mirror {
                parts_per_million,
                cluster,
            } => {
                if roll() % 1_000_000 < u64::from(*parts_per_million) {
                    mirrors.push(cluster);
                }
            }
        }
    }
    let (cluster, origin) = match choose(&route.backends, roll()) {
        Choice::Unresolved { origin: at } => {
            return Err((Refusal::Unresolved, at.or(origin)));
        }
        Choice::Cluster { kri, origin: at } => {
            let mut backends = routed.entry.backends.iter();
            let found = backends.find(|backend| backend.kri == *kri);
            let found = found.ok_or((Refusal::Unresolved, Some(at)))?;
            (&*found.cluster, at)
        }
    };
    let limit = &routed.entry.timeouts.request;
    let given = routed.head.deadline;
    let deadline = given.map(|given| begun.deadline(given, limit));
    let outgoing = Outgoing {
        method: parts.method,
        authority,
        rewritten,
        target,
        headers,
        upgrade: routed.head.upgrade.clone(),
        deadline,
    };
    let copy = mirror::start(session, &outgoing, &mirrors, &body, &routed.entry.timeouts);
    let body = RequestBody::stream(body, &begun.activity, copy);
    Ok(Passed::Send(Box::new((outgoing, body)), cluster, origin))
}

/// Tells the client what brings it back to the same instance.
fn set_cookies(affinity: &Affinity<'_>, headers: &mut HeaderMap) {
    for cookie in &affinity.cookies {
        // The compiler has checked the name; one that is none leads to no instance, which is no reason to fail.
        if let Ok(cookie) = HeaderValue::from_str(&cookie.to_string()) {
            headers.append(header::SET_COOKIE, cookie);
        }
    }
}

fn with_path(target: &PathAndQuery, path: &str) -> Result<PathAndQuery, Refusal> {
    let target = match target.query() {
        Some(query) => format!("{path}?{query}"),
        None => path.to_owned(),
    };
    PathAndQuery::try_from(target).map_err(|_| Refusal::BadPath)
}

/// The request as routes look at it.
struct Asked<'a> {
    parts: &'a Parts,
    path: &'a str,
    authority: &'a HeaderValue,
}

impl decide::Request for Asked<'_> {
    fn method(&self) -> &str {
        self.parts.method.as_str()
    }

    fn path(&self) -> &str {
        self.path
    }

    fn query(&self) -> Option<&str> {
        self.parts.uri.query()
    }

    fn header(&self, name: &str) -> Option<Cow<'_, [u8]>> {
        if name == header::HOST.as_str() {
            return Some(Cow::Borrowed(self.authority.as_bytes()));
        }
        joined(&self.parts.headers, name)
    }
}
