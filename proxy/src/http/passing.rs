//! A request of the workload to somebody who is not of the mesh, where a policy lets some hosts be reached and others not.
//!
//! Never changes it: what may leave leaves as it is.

use std::iter::once;
use std::sync::Arc;

use hyper::{Request, Response};
use mesh_bundle::decide::Departure;
use mesh_bundle::resource::{ConnectionLimits, Timeouts};
use mesh_bundle::{Duration, Sourced};

use super::exchange::{Begun, Plan};
use super::head;
use super::serve::{Busy, Connection};
use super::timers::Timers;
use super::{Body, Received, RequestBody};
use crate::refusal::Refusal;
use crate::upstream::{Outgoing, Upgrade, Via};

pub(super) async fn answer(
    connection: Arc<Connection>,
    busy: Busy,
    mut request: Request<Received>,
) -> Response<Body> {
    let session = &connection.session;
    let table = session.shared.table();
    let begun = Begun::new(&connection, Arc::clone(&table), busy, &mut request);
    let Some(passing) = &session.passing else {
        return begun.refuse(Refusal::Withdrawn, None, None);
    };
    let stats = passing.stats.get_or_init(|| {
        let metrics = &session.shared.metrics;
        metrics.flow(
            passing.direction,
            &session.source,
            &passing.label,
            &"".into(),
        )
    });
    let (mut parts, body) = request.into_parts();
    let head = match head::request(&mut parts) {
        Ok(head) => head,
        Err(refusal) => return begun.refuse(refusal, None, Some(stats)),
    };
    let origin = match passing.departure(&table, head.authority.to_str().ok()) {
        Departure::Leaves(origin) => origin,
        Departure::Stays(origin) => {
            return begun.refuse(Refusal::Passthrough, origin, Some(stats));
        }
        Departure::Depends => return begun.refuse(Refusal::Passthrough, None, Some(stats)),
    };
    if matches!(head.upgrade, Some(Upgrade::Tunnel)) {
        // The policy is about whom the request goes to, and nobody would see what follows.
        return begun.refuse(Refusal::Method, origin, Some(stats));
    }
    let Some(target) = parts.uri.path_and_query().cloned() else {
        return begun.refuse(Refusal::BadPath, None, Some(stats));
    };
    let outgoing = Outgoing {
        method: parts.method,
        authority: head.authority,
        rewritten: false,
        target,
        headers: parts.headers,
        upgrade: head.upgrade,
        // Nothing that leaves the mesh is changed.
        deadline: None,
    };
    let timeouts = Timeouts::default();
    // Nobody who knows the application has said how long its requests take.
    let endless = Sourced::built_in(Duration::from_secs(0));
    let most = ConnectionLimits::default();
    let plan = Plan {
        via: Via::passing(passing),
        timers: Timers {
            request: &endless,
            stream_idle: &timeouts.stream_idle,
            max_stream: &endless,
        },
        retry: None,
        load: &passing.load,
        most: &most,
        idle: timeouts.idle.value.limit(),
        stats,
        origin,
        bits_per_second: None,
    };
    let body = RequestBody::stream(body, &begun.activity, None);
    let sent = begun
        .send(
            plan,
            &|| Box::new(once(&passing.instance)),
            (&outgoing, body),
        )
        .await;
    sent.unwrap_or_else(|refused| refused)
}
