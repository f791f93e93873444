//! The two calls of the protocol, as one connection makes them.
//!
//! Never reads a message of a session before it is known who sends it.

use std::pin::Pin;
use std::sync::{Arc, PoisonError};

use http::header::{CONTENT_TYPE, HeaderValue};
use hyper::body::Incoming;
use tokio::time::{Instant, timeout};
use tonic::body::Body;
use tonic::codec::Codec as _;
use tonic::server::{Grpc, UnaryService};
use tonic::{Code, Request, Response, Status, Streaming};

use super::Shared;
use super::connection::Peer;
use super::outgoing::Outgoing;
use super::session::Session;
use crate::authority::{Authority, Report};
use crate::bounds;
use crate::codec::Lean;
use crate::generated as wire;
use crate::message::{Denied, FromProxy, Hello};
use crate::publisher::Publisher;
use crate::wire::words;

/// Where the calls of the protocol are found.
const ENROLL: &str = "/mesh.delivery.v1.Delivery/Enroll";
const SESSION: &str = "/mesh.delivery.v1.Delivery/Session";

pub(super) struct Calls<A> {
    shared: Arc<Shared<A>>,
    peer: Arc<Peer>,
}

impl<A> Calls<A> {
    pub(super) fn new(shared: Arc<Shared<A>>, peer: Arc<Peer>) -> Self {
        Self { shared, peer }
    }

    fn may_attempt(&self) -> bool {
        let attempts = self.shared.attempts.lock();
        let mut attempts = attempts.unwrap_or_else(PoisonError::into_inner);
        attempts.admits(self.peer.remote.ip(), Instant::now())
    }
}

impl<A: Authority> Calls<A> {
    /// What a request is answered.
    pub(super) async fn answer(
        self: Arc<Self>,
        request: http::Request<Incoming>,
    ) -> http::Response<Body> {
        match request.uri().path() {
            ENROLL => {
                let codec = Lean::<wire::EnrollResponse, wire::EnrollRequest>::default();
                let mut grpc = Grpc::new(codec).max_decoding_message_size(bounds::FROM_PROXY);
                grpc.unary(Enroll(self), request).await
            }
            SESSION => match self.session(request.into_body()).await {
                Ok(outgoing) => {
                    let mut response = http::Response::new(Body::new(outgoing));
                    let kind = HeaderValue::from_static("application/grpc");
                    response.headers_mut().insert(CONTENT_TYPE, kind);
                    response
                }
                Err(status) => status.into_http(),
            },
            _ => Status::unimplemented("no such call").into_http(),
        }
    }

    async fn enroll(
        &self,
        request: Request<wire::EnrollRequest>,
    ) -> Result<Response<wire::EnrollResponse>, Status> {
        let Shared {
            authority, pace, ..
        } = self.shared.as_ref();
        if !self.may_attempt() {
            return Err(busy("too many enrolments from this address"));
        }
        let enrollment = request.into_inner().try_into().map_err(malformed)?;
        let judged = async {
            let _turn = self.shared.enrolments.acquire().await;
            authority.enroll(enrollment, self.peer.remote).await
        };
        let enrolled = timeout(pace.authority, judged)
            .await
            .map_err(|_| busy("enrolment takes too long"))?
            .map_err(denied)?;
        Ok(Response::new(enrolled.into()))
    }

    async fn session(&self, body: Incoming) -> Result<Outgoing<A>, Status> {
        let Shared {
            authority,
            live,
            pace,
            ..
        } = self.shared.as_ref();
        let proxy = self.peer.admit(authority.as_ref()).map_err(denied)?;
        let wanted = authority.wanted(&proxy).ok_or_else(|| {
            let reason = "the published commit has no such Dataplane".to_owned();
            denied(Denied::Unavailable(reason))
        })?;
        let decoder = Lean::<wire::ToProxy, wire::FromProxy>::default().decoder();
        let mut inbound = Streaming::new_request(decoder, body, None, Some(bounds::FROM_PROXY));
        let hello = timeout(pace.hello, hello(&mut inbound))
            .await
            .map_err(|_| Status::deadline_exceeded("no hello in time"))??;
        let (number, known) = live.enter(&proxy, self.peer.ender.clone());
        self.peer.is_admitted();
        let publisher = Publisher::new(hello.root, known).with(&hello.capabilities);
        let session = Session::new(
            self.shared.clone(),
            self.peer.clone(),
            (proxy.clone(), number),
            inbound,
            wanted,
            publisher,
        );
        authority.report(
            &proxy,
            Report::Connected {
                session: number,
                hello,
            },
        );
        Ok(Outgoing::new(session))
    }
}

/// The call that is answered with one message.
struct Enroll<A>(Arc<Calls<A>>);

type Enrolled = Result<Response<wire::EnrollResponse>, Status>;

impl<A: Authority> UnaryService<wire::EnrollRequest> for Enroll<A> {
    type Response = wire::EnrollResponse;
    type Future = Pin<Box<dyn Future<Output = Enrolled> + Send>>;

    fn call(&mut self, request: Request<wire::EnrollRequest>) -> Self::Future {
        let calls = Arc::clone(&self.0);
        Box::pin(async move { calls.enroll(request).await })
    }
}

async fn hello(inbound: &mut Streaming<wire::FromProxy>) -> Result<Hello, Status> {
    match inbound.message().await?.map(FromProxy::try_from) {
        Some(Ok(FromProxy::Hello(hello))) => Ok(hello),
        Some(Ok(_)) => Err(Status::invalid_argument("a session begins with a hello")),
        Some(Err(error)) => Err(malformed(error)),
        None => Err(Status::invalid_argument("a session without a hello")),
    }
}

pub(super) fn malformed(error: crate::wire::Malformed) -> Status {
    Status::invalid_argument(error.to_string())
}

pub(super) fn busy(reason: &str) -> Status {
    Status::resource_exhausted(reason)
}

pub(super) fn denied(denied: Denied) -> Status {
    let (code, reason) = match denied {
        Denied::Unauthenticated(reason) => (Code::Unauthenticated, reason),
        Denied::Forbidden(reason) => (Code::PermissionDenied, reason),
        Denied::Invalid(reason) => (Code::InvalidArgument, reason),
        Denied::Unavailable(reason) => (Code::Unavailable, reason),
    };
    Status::new(code, words(&reason, bounds::REASON))
}
