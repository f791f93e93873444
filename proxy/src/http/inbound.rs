//! A request for the workload: is it well formed, may its peer send it, how long may it take.
//!
//! Never asks the workload before it has asked the policy.

use std::iter::once;
use std::sync::Arc;

use http::{HeaderName, HeaderValue};
use hyper::{Request, Response};
use mesh_bundle::Origin;
use mesh_bundle::decide::{faults, limits, normalise, request_limit};
use mesh_bundle::resource::{HeaderPair, HttpRateLimit, TlsMode};
use tokio::time::sleep;

use super::exchange::{Begun, Plan, target};
use super::head::{self, CLIENT_CERT};
use super::serve::{Busy, Connection};
use super::timers::Timers;
use super::{Body, Received, RequestBody, answer};
use crate::access_log::{RequestView, of_inbound};
use crate::dice::roll;
use crate::metrics::{Direction, RequestStats};
use crate::refusal::Refusal;
use crate::session::{Session, Standing};
use crate::table::{InboundTable, Table};
use crate::trace;
use crate::upstream::{Outgoing, Via};

pub(super) async fn answer(
    connection: Arc<Connection>,
    busy: Busy,
    mut request: Request<Received>,
) -> Response<Body> {
    let table = connection.session.shared.table();
    let mut begun = Begun::new(&connection, Arc::clone(&table), busy, &mut request);
    let Some(inbound) = table.inbounds.get(&connection.session.bind) else {
        return begun.refuse(Refusal::Withdrawn, None, None);
    };
    let stats = stats(&connection.session, inbound);
    let asked = Some(RequestView::of(&request));
    let (log, context) = of_inbound(&connection.session, &table, inbound, asked);
    begun.log(log);
    trace::inject(&table, context, request.headers_mut());
    let (outgoing, body) = match admit(&connection.session, &table, inbound, &begun, request) {
        Ok(outgoing) => outgoing,
        Err((refusal, origin)) => return begun.refuse(refusal, origin, Some(stats)),
    };
    let peer = connection.session.peer();
    let met = faults(&inbound.policy.faults, &peer, chance);
    if !met.delay.is_zero() {
        sleep(met.delay).await;
    }
    connection.session.shared.metrics.faults(&met);
    if let Some(abort) = met.abort {
        let change = |response: &mut Response<Body>| answer::with_status(response, abort.status);
        return begun.refuse_as(Refusal::Fault, Some(abort.origin), Some(stats), change);
    }
    if let Some(limited) = request_limit(&inbound.policy.rate_limits, &peer)
        && !connection
            .session
            .shared
            .limiters
            .request(inbound, &limited)
    {
        let origin = limited.rate.num.origin.as_ref();
        let change = |response: &mut Response<Body>| limit_answer(response, limited.limit);
        return begun.refuse_as(Refusal::RateLimit, origin, Some(stats), change);
    }
    let timeouts = limits(&inbound.policy, &peer);
    let timers = Timers {
        request: timeouts.request,
        stream_idle: timeouts.stream_idle,
        max_stream: &inbound.policy.timeouts.max_stream,
    };
    let upstreams = &connection.session.shared.upstreams;
    let load = upstreams.load_of(&inbound.label, &inbound.load);
    let plan = Plan {
        via: Via::workload(inbound).within(load, &inbound.limits),
        timers,
        retry: None,
        load,
        most: &inbound.limits,
        idle: inbound.policy.timeouts.idle.value.limit(),
        stats,
        origin: None,
        bits_per_second: met.bits_per_second,
    };
    let sent = begun
        .send(
            plan,
            &|| Box::new(once(&inbound.workload)),
            (&outgoing, body),
        )
        .await;
    sent.unwrap_or_else(|refused| refused)
}

/// Below 1,000,000, each equally likely.
fn chance() -> u32 {
    u32::try_from(roll() % 1_000_000).unwrap_or_default()
}

/// The answer to a request that is too many, as its limit wants it.
fn limit_answer(response: &mut Response<Body>, limit: &HttpRateLimit) {
    if !answer::is_grpc(response.headers())
        && let Ok(status) = limit.status.value.try_into()
    {
        *response.status_mut() = status;
    }
    let headers = response.headers_mut();
    let pair = |header: &HeaderPair| {
        let name = HeaderName::try_from(&header.name).ok()?;
        Some((name, HeaderValue::try_from(&header.value).ok()?))
    };
    for header in limit.set_headers.iter().flat_map(|set| &set.value) {
        if let Some((name, value)) = pair(header) {
            headers.insert(name, value);
        }
    }
    for header in limit.add_headers.iter().flat_map(|add| &add.value) {
        if let Some((name, value)) = pair(header) {
            headers.append(name, value);
        }
    }
}

fn stats<'a>(session: &'a Session, inbound: &InboundTable) -> &'a Arc<RequestStats> {
    session.stats.get_or_init(|| {
        let metrics = &session.shared.metrics;
        let (source, label) = (&session.source, &inbound.label);
        metrics.flow(Direction::Inbound, source, label, &"".into())
    })
}

/// What the workload is asked, where the peer may ask it.
fn admit<'t>(
    session: &Session,
    table: &'t Table,
    inbound: &InboundTable,
    begun: &Begun<'_>,
    request: Request<Received>,
) -> Result<(Outgoing, RequestBody), (Refusal, Option<&'t Origin>)> {
    match session.standing(table) {
        Standing::Good { shadow_denied } => {
            if shadow_denied {
                session.shared.metrics.shadow_denied();
            }
        }
        Standing::Withdrawn => return Err((Refusal::Withdrawn, None)),
        Standing::Refused(refusal, origin) => return Err((refusal, origin)),
    }
    let (mut parts, body) = request.into_parts();
    let head = head::request(&mut parts).map_err(|refusal| (refusal, None))?;
    let path = normalise(head.path(&parts)).map_err(|_| (Refusal::BadPath, None))?;
    let target = target(&parts.uri, &path.forwarded).map_err(|refusal| (refusal, None))?;
    let deadline = head.deadline.map(|given| {
        let timeouts = limits(&inbound.policy, &session.peer());
        begun.deadline(given, timeouts.request)
    });
    parts.headers.remove(CLIENT_CERT);
    if inbound.policy.tls.value != TlsMode::Disabled
        && let Some(value) = session.client_cert()
    {
        parts.headers.insert(CLIENT_CERT, value);
    }
    let outgoing = Outgoing {
        method: parts.method,
        authority: head.authority,
        rewritten: false,
        target,
        headers: parts.headers,
        upgrade: head.upgrade,
        deadline,
    };
    Ok((outgoing, RequestBody::stream(body, &begun.activity, None)))
}
