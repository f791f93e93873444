//! One request to one of the instances of a cluster, or to the workload.
//!
//! Never buffers a body, so a request can be tried elsewhere only as long as nothing of it was written.

use std::sync::Arc;

use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri, Version, header};
use hyper::body::Incoming;

use super::replay::Kept;
use super::{Fate, Kind, Lease, Pool, Upstreams, Via, dial};
use crate::http::{RequestBody, grpc_status};
use crate::refusal::Refusal;
use crate::table::{Hop, Instance};

/// Connections of one instance that may turn out to be closed.
const MOST_STALE: usize = 3;

/// A request as the next hop shall see it, without what depends on the version of HTTP.
#[derive(Debug)]
pub(crate) struct Outgoing {
    pub(crate) method: Method,
    /// What the client asked for, or what a filter put in its place.
    pub(crate) authority: HeaderValue,
    /// A filter has: then it is not replaced by the name of an instance.
    pub(crate) rewritten: bool,
    pub(crate) target: PathAndQuery,
    pub(crate) headers: HeaderMap,
    pub(crate) body: RequestBody,
    /// It asks for another protocol after the response.
    pub(crate) upgrade: Option<HeaderValue>,
}

/// A response whose body is still under way.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) response: Response<Incoming>,
    pub(crate) lease: Lease,
    /// Who gave it.
    pub(crate) instance: Arc<str>,
}

/// Sends a request to the first of the instances that takes it.
pub(crate) async fn send<'a>(
    upstreams: &Upstreams,
    via: Via<'_>,
    instances: impl Iterator<Item = &'a Instance>,
    outgoing: Outgoing,
) -> Result<Answer, Refusal> {
    via.kind()?;
    if outgoing.upgrade.is_some() {
        return upgrade(upstreams, via, instances, outgoing).await;
    }
    let rewritten = outgoing.rewritten;
    let mut request = outgoing.into_request();
    let mut last = Refusal::NoEndpoint;
    for instance in instances {
        address(&mut request, instance, rewritten);
        match send_to(upstreams, &via, instance, request).await {
            Ok(answer) => return Ok(answer),
            Err((why, None)) => return Err(why),
            Err((why, Some(unsent))) => (last, request) = (why, unsent),
        }
    }
    Err(last)
}

/// Why it failed, and the request where nothing of it was sent.
type Unsent = (Refusal, Option<Request<RequestBody>>);

/// Sends to one instance, and tells whoever judges it what became of that.
async fn send_to(
    upstreams: &Upstreams,
    via: &Via<'_>,
    instance: &Instance,
    request: Request<RequestBody>,
) -> Result<Answer, Unsent> {
    let pool = match upstreams.pool(via, instance) {
        Ok(pool) => pool,
        Err(why) => return Err((why, Some(request))),
    };
    if !via.is_probe {
        pool.findings.sent_traffic();
    }
    let judge = upstreams.judge(via);
    if let Some(judge) = judge {
        judge.begins(pool);
    }
    let sent = send_over(pool, via, instance, request).await;
    let fate = match &sent {
        Ok(answer) => Some(Fate::Status(status(&answer.response))),
        // That is a limit of ours.
        Err((Refusal::Overflow, _)) => None,
        Err(_) => Some(Fate::Broken),
    };
    if let Some((judge, fate)) = judge.zip(fate) {
        judge.saw(pool, fate);
    }
    sent
}

async fn send_over(
    pool: &Arc<Pool>,
    via: &Via<'_>,
    instance: &Instance,
    mut request: Request<RequestBody>,
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
            Err(why) => return Err((why, Some(request))),
        };
        let sent = match &mut lease {
            Lease::One { sender, used, .. } => {
                let spoken = spoken(request, None).map_err(|why| (why, None))?;
                let again = *used && spoken.method().is_idempotent();
                let (spoken, kept) = match again {
                    true => {
                        let (spoken, kept) = Kept::copy(spoken);
                        (spoken, Some(kept))
                    }
                    false => (spoken, None),
                };
                let sent = sender.try_send_request(spoken).await;
                sent.map_err(|mut failed| match (failed.take_message(), kept) {
                    (Some(unsent), _) => (Refusal::Closed, Some(unsent)),
                    // The workload has closed an idle connection while the request was on its way (RFC 9112 9.3.1).
                    (None, Some(kept)) if failure(failed.error()) == Refusal::Closed => {
                        (Refusal::Closed, kept.restore())
                    }
                    (None, _) => (failure(failed.error()), None),
                })
            }
            Lease::Two(share) => {
                let scheme = Some(scheme.clone());
                let spoken = spoken(request, scheme).map_err(|why| (why, None))?;
                let (spoken, kept) = Kept::copy(spoken);
                let sent = share.sender().try_send_request(spoken).await;
                sent.map_err(|mut failed| {
                    pool.discard(share);
                    match failed.take_message() {
                        Some(unsent) => (Refusal::Closed, Some(unsent)),
                        None if is_unprocessed(failed.error()) => {
                            (Refusal::Unprocessed, kept.restore())
                        }
                        None => (failure(failed.error()), None),
                    }
                })
            }
            Lease::Own { .. } => return Err((Refusal::Closed, Some(request))),
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
            Err((_, Some(unsent))) => request = unsent,
            Err(failed) => return Err(failed),
        }
    }
    Err((Refusal::Closed, Some(request)))
}

/// What a response says about who gave it: a gRPC status in words of HTTP (gRPC, "HTTP to gRPC Status Code Mapping", read
/// the other way), else its own.
fn status(response: &Response<Incoming>) -> u16 {
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
    outgoing: Outgoing,
) -> Result<Answer, Refusal> {
    let tls = match via.hop {
        Hop::Mesh(tls) => Some(&tls.h1),
        Hop::Outside(tls) => Some(&tls.h1),
        Hop::Plain | Hop::Unready | Hop::Locked => None,
    };
    let rewritten = outgoing.rewritten;
    let mut request = spoken(outgoing.into_request(), None)?;
    let mut last = Refusal::NoEndpoint;
    for instance in instances {
        match upstreams.connect(&via, instance, tls).await {
            Err(why) => last = why,
            Ok(connected) => {
                let mut sender = dial::upgradable(connected.stream).await?;
                address(&mut request, instance, rewritten);
                let response = sender.send_request(request).await;
                let response = response.map_err(|why| failure(&why))?;
                let lease = Lease::Own {
                    _place: connected.place,
                    _busy: connected.busy,
                };
                let instance = Arc::clone(&instance.label);
                return Ok(Answer {
                    response,
                    lease,
                    instance,
                });
            }
        }
    }
    Err(last)
}

/// The other side promises that it did not look at the request (RFC 9113, sections 6.8 and 8.7): it is about to close the
/// connection, and the request crossed that word on the way.
fn is_unprocessed(error: &hyper::Error) -> bool {
    let error = std::error::Error::source(error).and_then(|source| source.downcast_ref());
    error.is_some_and(|error: &h2::Error| {
        let reason = error.reason();
        error.is_remote()
            && (error.is_go_away() && reason == Some(h2::Reason::NO_ERROR)
                || error.is_reset() && reason == Some(h2::Reason::REFUSED_STREAM))
    })
}

fn failure(why: &hyper::Error) -> Refusal {
    tracing::debug!(%why, "no response");
    match why.is_parse() {
        true => Refusal::BadResponse,
        false => Refusal::Closed,
    }
}

impl Outgoing {
    /// In the form of HTTP/1.1.
    fn into_request(self) -> Request<RequestBody> {
        let mut request = Request::new(self.body);
        *request.method_mut() = self.method;
        *request.uri_mut() = self.target.into();
        *request.headers_mut() = self.headers;
        let headers = request.headers_mut();
        headers.insert(header::HOST, self.authority);
        if let Some(protocol) = self.upgrade {
            headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
            headers.insert(header::UPGRADE, protocol);
        }
        request
    }
}

/// Outside of the mesh, hosts are known by the names of their addresses.
fn address(request: &mut Request<RequestBody>, instance: &Instance, rewritten: bool) {
    if let Some(name) = instance.authority.as_ref().filter(|_| !rewritten) {
        request.headers_mut().insert(header::HOST, name.clone());
    }
}

/// The same request in the form of one version of HTTP, whichever it has now; a scheme is for HTTP/2.
fn spoken(
    mut request: Request<RequestBody>,
    scheme: Option<Scheme>,
) -> Result<Request<RequestBody>, Refusal> {
    let mut parts = std::mem::take(request.uri_mut()).into_parts();
    if let Some(scheme) = scheme {
        if let Some(host) = request.headers_mut().remove(header::HOST) {
            parts.authority =
                Some(Authority::try_from(host.as_bytes()).map_err(|_| Refusal::BadRequest)?);
        }
        parts.scheme = Some(scheme);
        *request.version_mut() = Version::HTTP_2;
    } else {
        if let Some(authority) = parts.authority.take() {
            let host = HeaderValue::from_str(authority.as_str());
            let host = host.map_err(|_| Refusal::BadRequest)?;
            request.headers_mut().insert(header::HOST, host);
        }
        parts.scheme = None;
        *request.version_mut() = Version::HTTP_11;
        join_cookies(request.headers_mut());
    }
    *request.uri_mut() = Uri::from_parts(parts).map_err(|_| Refusal::BadRequest)?;
    Ok(request)
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
