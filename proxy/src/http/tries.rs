//! One request, sent until it is answered well or there is no reason to send it again (language 5.4).
//!
//! Never sends again what the client has seen the beginning of, and never more at once than the service is allowed: an
//! outage must not be multiplied by those who wait for its end.

use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderValue, Method};
use mesh_bundle::decide::{Outcome, is_retriable, wait};
use mesh_bundle::resource::RequestRetry;
use tokio::time::{sleep, timeout};

use super::recorded::Recording;
use super::{RequestBody, answer};
use crate::dice::roll;
use crate::metrics::RequestStats;
use crate::refusal::Refusal;
use crate::table::Instance;
use crate::upstream::{Answer, Load, Outgoing, Upstreams, Via, send};

/// What a request may be sent again by.
#[derive(Debug, Clone, Copy)]
pub(super) struct Again<'a> {
    pub(super) policy: &'a RequestRetry,
    /// What else is under way to the same service.
    pub(super) load: &'a Load,
    pub(super) most_at_once: u32,
}

/// A request that can be sent several times.
struct Request {
    method: Method,
    authority: HeaderValue,
    target: PathAndQuery,
    headers: HeaderMap,
    rewritten: bool,
    /// `None`: there is no body.
    body: Option<Recording>,
}

/// Sends a request to one of the instances that `in_turn` gives, and to others when that fails.
pub(super) async fn send_until_answered<'i, I>(
    upstreams: &Upstreams,
    via: Via<'_>,
    in_turn: impl Fn() -> I,
    outgoing: Outgoing,
    again: Option<Again<'_>>,
    stats: &RequestStats,
) -> Result<Answer, Refusal>
where
    I: Iterator<Item = &'i Instance> + Clone,
{
    let again = again.filter(|again| again.policy.num_retries.value > 0);
    let Some(again) = again.filter(|_| outgoing.upgrade.is_none()) else {
        return send(upstreams, via, in_turn(), outgoing).await;
    };
    let policy = again.policy;
    let limit = policy.per_try_timeout.value.limit();
    let request = Request::of(outgoing);
    let mut number = 0;
    // Held while the request is one that was sent before.
    let mut _place;
    loop {
        let sent = send(upstreams, via, in_turn(), request.copy());
        let sent = match limit {
            None => sent.await,
            Some(limit) => timeout(limit, sent).await.unwrap_or_else(|_| {
                if let Some(judge) = upstreams.judge(&via) {
                    judge.late();
                }
                Err(Refusal::TryTimeout)
            }),
        };
        let retriable = outcome(&sent)
            .is_some_and(|outcome| is_retriable(policy, request.method.as_str(), outcome));
        if !retriable || number >= policy.num_retries.value || !request.is_whole() {
            return sent;
        }
        _place = None;
        let Some(place) = again.load.retry(again.most_at_once) else {
            return sent;
        };
        _place = Some(place);
        number += 1;
        stats.sent_again();
        drop(sent);
        sleep(wait(&policy.back_off, number, roll())).await;
    }
}

/// What became of a try; `None` where it would become the same again.
fn outcome(sent: &Result<Answer, Refusal>) -> Option<Outcome> {
    match sent {
        Ok(Answer { response, .. }) => Some(Outcome::Response {
            status: response.status().as_u16(),
            grpc: answer::grpc_status(response.headers()),
            rate_limited: response.headers().contains_key("x-envoy-ratelimited"),
        }),
        Err(Refusal::Connect | Refusal::ConnectTimeout) => Some(Outcome::NoConnection),
        Err(Refusal::Closed | Refusal::BadResponse) => Some(Outcome::Reset),
        Err(Refusal::Unprocessed) => Some(Outcome::Unprocessed),
        Err(Refusal::TryTimeout) => Some(Outcome::TryTimeout),
        Err(_) => None,
    }
}

impl Request {
    fn of(outgoing: Outgoing) -> Self {
        Self {
            method: outgoing.method,
            authority: outgoing.authority,
            target: outgoing.target,
            headers: outgoing.headers,
            rewritten: outgoing.rewritten,
            body: match outgoing.body {
                RequestBody::Empty => None,
                body => Some(Recording::new(body)),
            },
        }
    }

    fn is_whole(&self) -> bool {
        self.body.as_ref().is_none_or(Recording::is_whole)
    }

    fn copy(&self) -> Outgoing {
        Outgoing {
            method: self.method.clone(),
            authority: self.authority.clone(),
            target: self.target.clone(),
            headers: self.headers.clone(),
            rewritten: self.rewritten,
            body: self
                .body
                .as_ref()
                .map_or(RequestBody::Empty, Recording::read),
            upgrade: None,
        }
    }
}
