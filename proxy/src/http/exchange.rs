//! One request's time: its limits, what cuts it short, and how it is counted when it ends.
//!
//! Never asks for the time on its own when nothing happens: one timer waits for the next limit.

use std::sync::Arc;
use std::time::Duration;

use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri, header};
use http_body::Body as _;
use mesh_bundle::decide::CompiledRetry;
use mesh_bundle::resource::ConnectionLimits;
use mesh_bundle::{Origin, REFUSAL_HEADER, Sourced};
use tokio::time::Instant;

use super::body::Counted;
use super::bootstrap::Bootstrap;
use super::ending::Ending;
use super::pace::Pace;
use super::serve::{Busy, Connection};
use super::timers::{Timers, Watchdog};
use super::tries::{Again, Orders, send_until_answered};
use super::upgrade::{Down, Switch};
use super::{Body, Received, RequestBody, answer, head};
use crate::access_log::Log;
use crate::metrics::{NO_FLAG, RequestStats};
use crate::refusal::Refusal;
use crate::table::Table;
use crate::tcp::Activity;
use crate::upstream::{Answer, Lease, Load, Outgoing, Place, Trying, Upgrade, Upstreams, Via};

/// A request that has begun and has no answer yet.
pub(super) struct Begun<'c> {
    connection: &'c Arc<Connection>,
    table: Arc<Table>,
    pub(super) activity: Arc<Activity>,
    rest: Rest,
    grpc: bool,
    is_tunnel: bool,
    bootstrap: Option<Bootstrap>,
    down: Down,
}

/// What stays with a request until its response has ended.
pub(super) struct Rest {
    pub(super) busy: Busy,
    pub(super) log: Option<Box<Log>>,
}

/// How a request is sent on.
pub(super) struct Plan<'a> {
    pub(super) via: Via<'a>,
    pub(super) timers: Timers<'a>,
    /// When it is sent again.
    pub(super) retry: Option<&'a CompiledRetry>,
    /// What is under way to the same place, and how much may be.
    pub(super) load: &'a Load,
    pub(super) most: &'a ConnectionLimits,
    /// For what the request may become.
    pub(super) idle: Option<Duration>,
    pub(super) stats: &'a Arc<RequestStats>,
    /// Of the route, for the log.
    pub(super) origin: Option<&'a Origin>,
    /// How fast the body of the response may go.
    pub(super) bits_per_second: Option<u64>,
}

impl Plan<'_> {
    /// The line that made the request end so: that of the limit that was reached, or that of the route.
    fn cause(&self, refusal: Refusal) -> Option<&Origin> {
        let tried = || self.retry?.retry.per_try_timeout.origin.as_ref();
        let limit = match refusal {
            Refusal::TryTimeout => tried(),
            _ => self.timers.cause(refusal),
        };
        limit.or(self.origin)
    }

    fn send(
        &self,
        upstreams: &Upstreams,
        via: Via<'_>,
        in_turn: Orders<'_, '_>,
        outgoing: (&Outgoing, RequestBody),
    ) -> impl Future<Output = Result<Answer, Refusal>> + Send {
        let again = self.retry.map(|policy| Again {
            policy,
            load: self.load,
            limits: self.most,
        });
        send_until_answered(upstreams, via, in_turn, outgoing, again, self.stats)
    }
}

impl<'c> Begun<'c> {
    pub(super) fn new(
        connection: &'c Arc<Connection>,
        table: Arc<Table>,
        busy: Busy,
        request: &mut Request<Received>,
    ) -> Self {
        Self {
            connection,
            table,
            activity: Arc::new(Activity::now()),
            rest: Rest { busy, log: None },
            grpc: answer::is_grpc(request.headers()),
            is_tunnel: request.method() == Method::CONNECT,
            bootstrap: request.extensions().get().cloned(),
            down: Down::of(request),
        }
    }

    /// When a call is over whose client has said how long it waits: then, or when its limit is reached.
    pub(super) fn deadline(
        &self,
        given: Duration,
        limit: &Sourced<mesh_bundle::Duration>,
    ) -> Instant {
        let least = limit.value.limit().map_or(given, |limit| limit.min(given));
        self.activity.began() + least
    }

    /// From now on a record is written of how it ends.
    pub(super) fn log(&mut self, log: Option<Box<Log>>) {
        self.rest.log = log;
        if let Some(log) = &mut self.rest.log {
            log.count(&self.activity);
        }
    }

    pub(super) fn logged(&mut self) -> Option<&mut Log> {
        self.rest.log.as_deref_mut()
    }

    /// Says no, tells of it, and counts it.
    pub(super) fn refuse(
        self,
        refusal: Refusal,
        origin: Option<&Origin>,
        stats: Option<&Arc<RequestStats>>,
    ) -> Response<Body> {
        self.refuse_as(refusal, origin, stats, |_| {})
    }

    /// The same, with an answer that is not quite that of the table.
    pub(super) fn refuse_as(
        mut self,
        refusal: Refusal,
        origin: Option<&Origin>,
        stats: Option<&Arc<RequestStats>>,
        change: impl FnOnce(&mut Response<Body>),
    ) -> Response<Body> {
        self.connection
            .session
            .refused(refusal, origin, &self.table);
        let mut response = answer::refuse(refusal, self.grpc);
        change(&mut response);
        let note = self.connection.session.note(refusal, origin, &self.table);
        answer::explain(&mut response, note);
        self.close_tunnel(response.headers_mut());
        if let Some(stats) = stats {
            let (code, row) = (response.status().as_u16(), refusal.row());
            let call = answer::grpc_status(response.headers()).filter(|_| self.grpc);
            // Whoever asks too often has not met a failure, in gRPC as in HTTP.
            let failed = match call {
                Some(status) => {
                    answer::is_failed_call(status) && row.status != StatusCode::TOO_MANY_REQUESTS
                }
                None => code >= 500,
            };
            stats.ended((code, row.flag, self.activity.began().elapsed()), failed);
        }
        self.own(&response, refusal.row().flag);
        response
    }

    /// An answer of this proxy's own that is no refusal.
    pub(super) fn count(
        mut self,
        response: Response<Body>,
        stats: &RequestStats,
    ) -> Response<Body> {
        let code = response.status().as_u16();
        let ended = (code, NO_FLAG, self.activity.began().elapsed());
        stats.ended(ended, code >= 500);
        self.own(&response, NO_FLAG);
        response
    }

    /// Notes an answer of this proxy's own.
    fn own(&mut self, response: &Response<Body>, flag: &'static str) {
        let length = response.body().size_hint().lower();
        self.activity
            .send(usize::try_from(length).unwrap_or(usize::MAX));
        if let Some(log) = self.logged() {
            log.answered(response.headers());
            log.end(response.status().as_u16(), flag);
        }
    }

    /// Sends the request on, and gives the answer as it comes. `Err` is a refusal.
    pub(super) async fn send(
        mut self,
        plan: Plan<'_>,
        in_turn: Orders<'_, '_>,
        (outgoing, body): (&Outgoing, RequestBody),
    ) -> Result<Response<Body>, Response<Body>> {
        if outgoing.deadline.is_some_and(|end| end <= Instant::now()) {
            return Err(self.refuse(Refusal::Deadline, plan.origin, Some(plan.stats)));
        }
        let Some(place) = plan.load.request(plan.most.max_requests.value) else {
            let origin = plan.most.max_requests.origin.as_ref().or(plan.origin);
            return Err(self.refuse(Refusal::Overflow, origin, Some(plan.stats)));
        };
        if plan.retry.is_some() {
            plan.load.sent(self.activity.began());
        }
        if let Some(log) = self.logged() {
            log.sent_to(plan.via.owner);
        }
        let (connection, activity) = (self.connection, &self.activity);
        let limits = (&plan.timers, outgoing.deadline);
        let mut watchdog = Watchdog::new(limits, connection, activity, self.table.serial);
        let upstreams = &self.connection.session.shared.upstreams;
        let trying = Trying::default();
        let via = plan.via.noting(&trying);
        let sent = tokio::select! {
            biased;
            sent = plan.send(upstreams, via, in_turn, (outgoing, body)) => sent,
            why = &mut watchdog => Err(why),
        };
        if let (Err(Refusal::RequestTimeout), Some(judge)) = (&sent, upstreams.judge(&via)) {
            judge.late();
        }
        let Answer {
            response,
            lease,
            instance,
        } = match sent {
            Ok(answer) => answer,
            Err(why) => {
                // The upstream has only heard that the request is over.
                let why = match self.activity.is_broken_off() {
                    true => Refusal::BadRequest,
                    false => why,
                };
                let origin = plan.cause(why);
                return Err(self.refuse(why, origin, Some(plan.stats)));
            }
        };
        self.activity.touch();
        if let Some(log) = self.logged() {
            log.taken_by(&instance);
            log.answered(response.headers());
        }
        let (asked, bootstrap) = (outgoing.upgrade.as_ref(), self.bootstrap.as_ref());
        let answered = bootstrap.is_none_or(|asked| asked.is_answered(response.headers()));
        if let Some(upgrade) = asked.filter(|asked| answered && asked.is_agreed(&response)) {
            return Ok(self.switch(&plan, upgrade, response, (place, lease)));
        }
        // Who has asked by an extended `CONNECT` takes every 2xx for a yes.
        let seems = bootstrap.is_some() && response.status().is_success();
        if seems || response.status() == StatusCode::SWITCHING_PROTOCOLS {
            return Err(self.refuse(Refusal::BadResponse, plan.origin, Some(plan.stats)));
        }
        let (mut parts, body) = response.into_parts();
        head::response(&mut parts.headers);
        self.close_tunnel(&mut parts.headers);
        if self.connection.session.shared.hides_refusals() {
            parts.headers.remove(REFUSAL_HEADER);
        }
        let (stats, code) = (Arc::clone(plan.stats), parts.status.as_u16());
        let ending = Ending::new(stats, self.activity.began(), code, self.rest);
        let ending = ending.answered(self.grpc, &parts.headers);
        let pace = plan.bits_per_second.map(Pace::new);
        let counted = Counted { ending, place };
        let body = Body::answer(body, watchdog, self.activity, lease, counted, pace);
        let mut response = Response::new(body);
        *response.status_mut() = parts.status;
        *response.headers_mut() = parts.headers;
        Ok(response)
    }

    /// What a client has sent for a tunnel that there is none of is no request.
    fn close_tunnel(&self, headers: &mut HeaderMap) {
        if self.is_tunnel {
            headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
    }

    fn switch(
        self,
        plan: &Plan<'_>,
        upgrade: &Upgrade,
        mut response: Response<Received>,
        held: (Place, Lease),
    ) -> Response<Body> {
        let status = match self.bootstrap {
            Some(_) => StatusCode::OK,
            None => response.status(),
        };
        let stats = Arc::clone(plan.stats);
        let (near, body) = self.down.hand_over();
        let switch = Switch {
            near,
            up: hyper::upgrade::on(&mut response),
            idle: plan.idle,
            activity: Arc::clone(&self.activity),
            ending: Ending::new(stats, self.activity.began(), status.as_u16(), self.rest),
            held,
        };
        switch.spawn(&self.connection.session);
        let mut headers: HeaderMap = std::mem::take(response.headers_mut());
        head::response(&mut headers);
        // A tunnel has no body whatever they say (RFC 9110 9.3.6), and 101 has none.
        headers.remove(header::CONTENT_LENGTH);
        upgrade.tell(&mut headers);
        if self.bootstrap.is_some() {
            Bootstrap::answer(&mut headers);
        }
        let mut switching = Response::new(body);
        *switching.status_mut() = status;
        *switching.headers_mut() = headers;
        switching
    }
}

/// The target of a request with another path.
pub(super) fn target(uri: &Uri, path: &str) -> Result<PathAndQuery, Refusal> {
    match uri.path_and_query() {
        Some(target) if target.path() == path => Ok(target.clone()),
        _ => {
            let target = match uri.query() {
                Some(query) => format!("{path}?{query}"),
                None => path.to_owned(),
            };
            PathAndQuery::try_from(target).map_err(|_| Refusal::BadPath)
        }
    }
}
