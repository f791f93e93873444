//! One request, sent until it is answered well or there is no reason to send it again (language 5.4).
//!
//! Never sends again what the client has seen the beginning of, and never more than the service is allowed, at once and of
//! its requests altogether: an outage must not be multiplied by those who wait for its end.

use std::pin::pin;
use std::time::Duration;

use http::HeaderName;
use mesh_bundle::decide::{CompiledRetry, Outcome, asked_wait, is_retriable, wait};
use mesh_bundle::resource::{ConnectionLimits, RequestRetry};
use tokio::time::{sleep, timeout};

use super::head::joined;
use super::recorded::Recording;
use super::selection::{Candidates, Selection};
use super::{RequestBody, answer};
use crate::clock::unix_now;
use crate::dice::roll;
use crate::metrics::RequestStats;
use crate::refusal::Refusal;
use crate::table::{Instance, MOST_INSTANCES};
use crate::upstream::{Answer, Load, Outgoing, Upstreams, Via, send};

static RATE_LIMITED: HeaderName = HeaderName::from_static("x-envoy-ratelimited");

/// What a request may be sent again by.
#[derive(Debug, Clone, Copy)]
pub(super) struct Again<'a> {
    pub(super) policy: &'a CompiledRetry,
    /// What else is under way to the same service.
    pub(super) load: &'a Load,
    pub(super) limits: &'a ConnectionLimits,
}

/// Instances, in the order in which they are tried. It has a place of its own: futures around it hold several.
pub(super) type Order<'i> = Box<dyn Iterator<Item = &'i Instance> + Send + 'i>;
/// What gives another one for each try.
pub(super) type Orders<'o, 'i> = &'o (dyn Fn() -> Order<'i> + Send + Sync);

/// Sends a request to one of the instances that `in_turn` gives, and to others when that fails.
pub(super) async fn send_until_answered(
    upstreams: &Upstreams,
    via: Via<'_>,
    in_turn: Orders<'_, '_>,
    (outgoing, body): (&Outgoing, RequestBody),
    again: Option<Again<'_>>,
    stats: &RequestStats,
) -> Result<Answer, Refusal> {
    let again = again.filter(|again| again.policy.retry.num_retries.value > 0);
    let again = again.filter(|_| outgoing.upgrade.is_none());
    let policy = again.map(|again| &again.policy.retry);
    let limit = policy.and_then(|policy| policy.per_try_timeout.value.limit());
    // What is sent once only is not kept.
    let (body, mut once) = match again {
        Some(_) => (Recording::new(body), None),
        None => (None, Some(body)),
    };
    let about = again.is_some_and(|again| {
        let header = |name: &str| joined(&outgoing.headers, name);
        again.policy.is_about(outgoing.method.as_str(), header)
    });
    let mut selection = policy.and_then(Selection::of);
    let mut number = 0;
    // Held while the request is one that was sent before.
    let mut _place;
    loop {
        let chosen = selection.as_ref().map(|chosen| chosen.choose(in_turn()));
        let any = || in_turn().take(MOST_INSTANCES);
        let any = chosen.is_none().then(any).into_iter().flatten();
        let instances = chosen.iter().flat_map(Candidates::in_turn).chain(any);
        let copy = body.as_ref().map(Recording::read).or_else(|| once.take());
        let copy = copy.unwrap_or(RequestBody::Empty);
        let mut sent = pin!(send(upstreams, via, instances, outgoing, copy));
        let sent = match limit {
            None => sent.await,
            Some(limit) => timeout(limit, sent.as_mut()).await.unwrap_or_else(|_| {
                if let Some(judge) = upstreams.judge(&via) {
                    judge.late();
                }
                Err(Refusal::TryTimeout)
            }),
        };
        let Some(again) = again else { return sent };
        let policy = &again.policy.retry;
        if let Some((selection, chosen)) = selection.as_mut().zip(chosen.as_ref()) {
            selection.tried(chosen);
        }
        let retriable = about && is_reason(again.policy, outgoing.method.as_str(), &sent);
        let whole = body.as_ref().is_none_or(Recording::is_whole);
        if !retriable || number >= policy.num_retries.value || !whole {
            return sent;
        }
        _place = None;
        let Some(place) = again.load.retry(again.limits) else {
            stats.not_sent_again();
            return sent;
        };
        _place = Some(place);
        number += 1;
        stats.sent_again();
        let asked = asked(policy, &sent);
        drop(sent);
        sleep(asked.unwrap_or_else(|| wait(&policy.back_off, number, roll()))).await;
    }
}

/// Is what became of a try a reason to send the request again?
fn is_reason(policy: &CompiledRetry, method: &str, sent: &Result<Answer, Refusal>) -> bool {
    let asks = |answer: &Answer| {
        let headers = answer.response.headers();
        policy.asks_for_more(|name| joined(headers, name))
    };
    let outcome = outcome(sent).is_some_and(|it| is_retriable(&policy.retry, method, it));
    outcome || sent.as_ref().is_ok_and(asks)
}

/// The wait that a response asks for.
fn asked(policy: &RequestRetry, sent: &Result<Answer, Refusal>) -> Option<Duration> {
    let (back_off, answer) = (policy.rate_limited_back_off.as_ref()?, sent.as_ref().ok()?);
    let header = |name: &str| joined(answer.response.headers(), name);
    asked_wait(back_off, header, Duration::from_secs(unix_now()), roll())
}

/// What became of a try; `None` where it would become the same again.
fn outcome(sent: &Result<Answer, Refusal>) -> Option<Outcome> {
    match sent {
        Ok(Answer { response, .. }) => Some(Outcome::Response {
            status: response.status().as_u16(),
            grpc: answer::grpc_status(response.headers()),
            rate_limited: response.headers().contains_key(&RATE_LIMITED),
        }),
        Err(Refusal::Connect | Refusal::ConnectTimeout) => Some(Outcome::NoConnection),
        Err(Refusal::Closed | Refusal::BadResponse) => Some(Outcome::Reset),
        Err(Refusal::Unprocessed) => Some(Outcome::Unprocessed),
        Err(Refusal::TryTimeout) => Some(Outcome::TryTimeout),
        Err(_) => None,
    }
}
