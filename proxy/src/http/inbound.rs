//! A request for the workload: is it well formed, may its peer send it, how long may it take.
//!
//! Never asks the workload before it has asked the policy.

use std::iter::once;
use std::sync::Arc;

use hyper::body::Incoming;
use hyper::{Request, Response};
use mesh_bundle::Origin;
use mesh_bundle::decide::{limits, normalise};
use mesh_bundle::resource::TlsMode;

use super::exchange::{Begun, Limits, Plan, target};
use super::head::{self, CLIENT_CERT};
use super::serve::{Busy, Connection};
use super::{Body, RequestBody};
use crate::metrics::{Direction, RequestStats};
use crate::refusal::Refusal;
use crate::session::{Session, Standing};
use crate::table::{InboundTable, Table};
use crate::upstream::{Outgoing, Via};

pub(super) async fn answer(
    connection: &Arc<Connection>,
    busy: Busy,
    mut request: Request<Incoming>,
) -> Response<Body> {
    let table = connection.session.shared.table();
    let begun = Begun::new(connection, Arc::clone(&table), busy, &mut request);
    let Some(inbound) = table.inbounds.get(&connection.session.bind) else {
        return begun.refuse(Refusal::Withdrawn, None, None);
    };
    let stats = stats(&connection.session, inbound);
    let outgoing = match admit(&connection.session, &table, inbound, &begun, request) {
        Ok(outgoing) => outgoing,
        Err((refusal, origin)) => return begun.refuse(refusal, origin, Some(stats)),
    };
    let peer = connection.session.peer();
    let timeouts = limits(&inbound.policy, &peer);
    let limits = Limits {
        request: timeouts.request.value.limit(),
        stream_idle: timeouts.stream_idle.value.limit(),
        max_stream: inbound.policy.timeouts.max_stream.value.limit(),
    };
    let plan = Plan {
        via: Via::workload(inbound),
        limits,
        idle: inbound.policy.timeouts.idle.value.limit(),
        stats,
        origin: None,
    };
    let sent = begun.send(plan, once(&inbound.workload), outgoing).await;
    sent.unwrap_or_else(|refused| refused)
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
    request: Request<Incoming>,
) -> Result<Outgoing, (Refusal, Option<&'t Origin>)> {
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
    let path = normalise(parts.uri.path()).map_err(|_| (Refusal::BadPath, None))?;
    let target = target(&parts.uri, &path.forwarded).map_err(|refusal| (refusal, None))?;
    parts.headers.remove(CLIENT_CERT);
    if let Some(peer) = &session.peer
        && inbound.policy.tls.value != TlsMode::Disabled
        && let Ok(value) = format!("URI={}", peer.id).parse()
    {
        parts.headers.insert(CLIENT_CERT, value);
    }
    Ok(Outgoing {
        method: parts.method,
        authority: head.authority,
        target,
        headers: parts.headers,
        body: RequestBody::stream(body, &begun.activity, None),
        upgrade: head.upgrade,
    })
}
