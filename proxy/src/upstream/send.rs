//! One request to one of the instances of a cluster, or to the workload.
//!
//! Never buffers a body, so a request can be tried elsewhere only as long as nothing of it was written.

use std::sync::Arc;

use http::uri::{self, Authority, PathAndQuery, Scheme};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri, Version, header};
use hyper::client::conn::http1;
use tokio::time::Instant;

use super::multiplex::Exchange;
use super::pool::Share;
use super::upgrade::Upgrade;
use super::{Fate, Kind, Lease, Pool, Upstreams, Via, dial};
use crate::http::{Received, Recording, RequestBody, grpc_status, told_deadline};
use crate::http2::{self, RequestHead};
use crate::refusal::Refusal;
use crate::table::{Hop, Instance};

/// Connections of one instance that may turn out to be closed.
const MOST_STALE: usize = 3;

/// The head of a request as the next hop shall see it, without what depends on the version of HTTP and on the instance.
#[derive(Debug)]
pub(crate) struct Outgoing {
    pub(crate) method: Method,
    /// What the client asked for, or what a filter put in its place.
    pub(crate) authority: HeaderValue,
    /// A filter has: then it is not replaced by the name of an instance.
    pub(crate) rewritten: bool,
    pub(crate) target: PathAndQuery,
    pub(crate) headers: HeaderMap,
    /// It asks for something else than HTTP after the response.
    pub(crate) upgrade: Option<Upgrade>,
    /// Of a gRPC call whose client has said how long it waits: when that is over.
    pub(crate) deadline: Option<Instant>,
}

/// A response whose body is still under way.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) response: Response<Received>,
    pub(crate) lease: Lease,
    /// Who gave it.
    pub(crate) instance: Arc<str>,
}

/// Sends a request to the first of the instances that takes it.
pub(crate) async fn send<'a>(
    upstreams: &Upstreams,
    via: Via<'_>,
    instances: impl Iterator<Item = &'a Instance>,
    outgoing: &Outgoing,
    mut body: RequestBody,
) -> Result<Answer, Refusal> {
    via.kind()?;
    if outgoing.upgrade.is_some() {
        // Rare, and larger than all the rest.
        return Box::pin(upgrade(upstreams, via, instances, outgoing, body)).await;
    }
    let mut last = Refusal::NoEndpoint;
    for instance in instances {
        match send_to(upstreams, &via, instance, outgoing, body).await {
            Ok(answer) => return Ok(answer),
            Err((why, None)) => return Err(why),
            Err((why, Some(unsent))) => (last, body) = (why, unsent),
        }
    }
    Err(last)
}

/// Why it failed, and the body where nothing of the request was sent, or nothing that was looked at.
type Unsent = (Refusal, Option<RequestBody>);

/// Sends to one instance, and tells whoever judges it what became of that.
async fn send_to(
    upstreams: &Upstreams,
    via: &Via<'_>,
    instance: &Instance,
    outgoing: &Outgoing,
    body: RequestBody,
) -> Result<Answer, Unsent> {
    let pool = match upstreams.pool(via, instance) {
        Ok(pool) => pool,
        Err(why) => return Err((why, Some(body))),
    };
    if !via.is_probe {
        pool.findings.sent_traffic();
    }
    let judge = upstreams.judge(via);
    if let Some(judge) = judge {
        judge.begins(pool);
    }
    let measuring = via.measures().map(|by| pool.timing.begin(by));
    let sent = send_over(pool, via, instance, outgoing, body).await;
    let fate = match &sent {
        Ok(answer) => Some(Fate::Status(status(&answer.response))),
        // That is a limit of ours.
        Err((Refusal::Overflow, _)) => None,
        Err(_) => Some(Fate::Broken),
    };
    if let Some(measuring) = measuring {
        measuring.end(fate);
    }
    if let Some((judge, fate)) = judge.zip(fate) {
        judge.saw(pool, fate);
    }
    sent
}

async fn send_over(
    pool: &Arc<Pool>,
    via: &Via<'_>,
    instance: &Instance,
    outgoing: &Outgoing,
    mut body: RequestBody,
) -> Result<Answer, Unsent> {
    let tls = match via.hop {
        Hop::Mesh(tls) => Some(&tls.h2),
        Hop::Outside(tls) => match via.kind() {
            Ok(Kind::Two) => Some(&tls.h2),
            _ => Some(&tls.h1),
        },
        Hop::Plain | Hop::Unready | Hop::Locked => None,
    };
    let scheme = match via.hop {
        Hop::Outside(_) => Scheme::HTTPS,
        _ => Scheme::HTTP,
    };
    for attempt in 0..=MOST_STALE {
        let fresh = attempt == MOST_STALE;
        let lease = pool.lease(instance, tls, via, fresh).await;
        let mut lease = match lease {
            Ok(lease) => lease,
            Err(why) => return Err((why, Some(body))),
        };
        let sent = match &mut lease {
            Lease::One { sender, used, .. } => {
                let head = one(outgoing, instance).map_err(|why| (why, None))?;
                // The workload may close an idle connection while the request is on its way (RFC 9112 9.3.1).
                let again = *used && outgoing.method.is_idempotent();
                send_one(sender, head, body, again).await
            }
            Lease::Two(share) => {
                let sent = match send_two(share, outgoing, instance, &scheme, body) {
                    Err(unsent) => Err(unsent),
                    Ok((exchange, recording)) => {
                        let answer = exchange.await;
                        if let (Ok(_), Some(recording)) = (&answer, &recording) {
                            recording.forget();
                        }
                        answer.map_err(|why| unanswered(why, recording.as_ref()))
                    }
                };
                if sent.is_err() {
                    pool.discard(share);
                }
                sent
            }
            Lease::Own { .. } => return Err((Refusal::Closed, Some(body))),
        };
        match sent {
            // Nobody asked for it, so what follows on the connection means nothing.
            Ok(response) if response.status() == StatusCode::SWITCHING_PROTOCOLS => {
                return Err((Refusal::BadResponse, None));
            }
            Ok(response) => {
                let instance = Arc::clone(&instance.label);
                return Ok(Answer {
                    response,
                    lease,
                    instance,
                });
            }
            Err((_, Some(unsent))) => body = unsent,
            Err(failed) => return Err(failed),
        }
    }
    Err((Refusal::Closed, Some(body)))
}

/// `again`: it may be sent again where nothing of its body was read and the connection is closed.
async fn send_one(
    sender: &mut http1::SendRequest<RequestBody>,
    head: Request<()>,
    mut body: RequestBody,
    again: bool,
) -> Result<Response<Received>, Unsent> {
    let mut recording = None;
    if again {
        recording = Recording::of(body);
        body = from_beginning(recording.as_ref());
    }
    let sent = sender.try_send_request(head.map(|()| body)).await;
    sent.map(|response| response.map(Received::One))
        .map_err(|mut failed| {
            if let Some(unsent) = failed.take_message() {
                return (Refusal::Closed, Some(unsent.into_body()));
            }
            let why = failure(failed.error());
            let recording = recording.as_ref();
            let whole = recording.is_none_or(Recording::is_whole);
            let again = again && why == Refusal::Closed && whole;
            (why, again.then(|| from_beginning(recording)))
        })
}

/// The same on a connection that others use too.
fn send_two(
    share: &Share,
    outgoing: &Outgoing,
    instance: &Instance,
    scheme: &Scheme,
    body: RequestBody,
) -> Result<(Exchange, Option<Recording>), Unsent> {
    let head = two(outgoing, instance, scheme);
    let recording = Recording::until_answered(body);
    match share.begin(&head, from_beginning(recording.as_ref())) {
        Ok(exchange) => Ok((exchange, recording)),
        Err(why) => {
            tracing::debug!(%why, "not sent");
            Err((Refusal::Closed, Some(from_beginning(recording.as_ref()))))
        }
    }
}

/// What an error means, and the body where the request may be sent again: whatever its method, since nobody has looked at it.
fn unanswered(why: http2::Error, recording: Option<&Recording>) -> Unsent {
    tracing::debug!(%why, "no response");
    if why != http2::Error::Unprocessed {
        return (Refusal::Closed, None);
    }
    let again = recording.is_none_or(Recording::is_whole);
    (
        Refusal::Unprocessed,
        again.then(|| from_beginning(recording)),
    )
}

fn from_beginning(recording: Option<&Recording>) -> RequestBody {
    recording.map_or(RequestBody::Empty, Recording::read)
}

/// What a response says about who gave it: a gRPC status in words of HTTP (gRPC, "HTTP to gRPC Status Code Mapping", read
/// the other way), else its own.
fn status(response: &Response<Received>) -> u16 {
    match grpc_status(response.headers()) {
        Some(2 | 13 | 15) => 500,
        Some(12) => 501,
        Some(14) => 503,
        Some(4) => 504,
        _ => response.status().as_u16(),
    }
}

/// On a connection of its own, which afterwards belongs to the other protocol or to nobody.
async fn upgrade<'a>(
    upstreams: &Upstreams,
    via: Via<'_>,
    instances: impl Iterator<Item = &'a Instance>,
    outgoing: &Outgoing,
    body: RequestBody,
) -> Result<Answer, Refusal> {
    let tls = match via.hop {
        Hop::Mesh(tls) => Some(&tls.h1),
        Hop::Outside(tls) => Some(&tls.h1),
        Hop::Plain | Hop::Unready | Hop::Locked => None,
    };
    let mut last = Refusal::NoEndpoint;
    for instance in instances {
        match upstreams.connect(&via, instance, tls).await {
            Err(why) => last = why,
            Ok(connected) => {
                let mut sender = dial::upgradable(connected.stream).await?;
                let request = one(outgoing, instance)?.map(|()| body);
                let response = sender.send_request(request).await;
                let response = response.map_err(|why| failure(&why))?;
                let lease = Lease::Own {
                    _place: connected.place,
                    _busy: connected.busy,
                };
                let instance = Arc::clone(&instance.label);
                return Ok(Answer {
                    response: response.map(Received::One),
                    lease,
                    instance,
                });
            }
        }
    }
    Err(last)
}

fn failure(why: &hyper::Error) -> Refusal {
    tracing::debug!(%why, "no response");
    match why.is_parse() {
        true => Refusal::BadResponse,
        false => Refusal::Closed,
    }
}

impl Outgoing {
    /// Outside of the mesh, hosts are known by the names of their addresses.
    fn host<'a>(&'a self, instance: &'a Instance) -> &'a HeaderValue {
        let name = instance.authority.as_ref().filter(|_| !self.rewritten);
        name.unwrap_or(&self.authority)
    }

    fn head(&self, uri: Uri, version: Version) -> Request<()> {
        let mut request = Request::new(());
        *request.method_mut() = self.method.clone();
        *request.uri_mut() = uri;
        *request.version_mut() = version;
        *request.headers_mut() = self.headers.clone();
        if let Some((name, left)) = self.deadline.and_then(told_deadline) {
            request.headers_mut().insert(name, left);
        }
        request
    }
}

/// In the form of HTTP/1.1.
fn one(outgoing: &Outgoing, instance: &Instance) -> Result<Request<()>, Refusal> {
    let mut parts = uri::Parts::default();
    match outgoing.upgrade {
        Some(Upgrade::Tunnel) => {
            let asked = outgoing.authority.as_bytes();
            parts.authority = Some(Authority::try_from(asked).map_err(|_| Refusal::BadRequest)?);
        }
        _ => parts.path_and_query = Some(outgoing.target.clone()),
    }
    let uri = Uri::from_parts(parts).map_err(|_| Refusal::BadRequest)?;
    let mut request = outgoing.head(uri, Version::HTTP_11);
    let headers = request.headers_mut();
    join_cookies(headers);
    headers.insert(header::HOST, outgoing.host(instance).clone());
    if let Some(upgrade) = &outgoing.upgrade {
        upgrade.tell(headers);
    }
    Ok(request)
}

/// In the form of HTTP/2.
fn two<'a>(outgoing: &'a Outgoing, instance: &'a Instance, scheme: &'a Scheme) -> RequestHead<'a> {
    RequestHead {
        method: &outgoing.method,
        scheme,
        authority: outgoing.host(instance).as_bytes(),
        path: outgoing.target.as_str(),
        headers: &outgoing.headers,
        instead: outgoing.deadline.and_then(told_deadline),
    }
}

/// HTTP/2 may cut the cookies into several fields; outside of it they are one (RFC 9113 8.2.3).
fn join_cookies(headers: &mut HeaderMap) {
    let mut cookies = headers.get_all(header::COOKIE).iter();
    let (Some(first), (1.., _)) = (cookies.next(), cookies.size_hint()) else {
        return;
    };
    let mut joined = first.as_bytes().to_vec();
    for cookie in cookies {
        joined.extend_from_slice(b"; ");
        joined.extend_from_slice(cookie.as_bytes());
    }
    // The parts are header values, and so is what is between them.
    if let Ok(cookies) = HeaderValue::from_bytes(&joined) {
        headers.insert(header::COOKIE, cookies);
    }
}
