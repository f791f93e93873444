//! The two calls of the protocol, as one connection makes them.
//!
//! Never reads a message of a session before it is known who sends it.

use std::sync::{Arc, PoisonError};

use tokio::time::{Instant, timeout};
use tonic::{Code, Request, Response, Status, Streaming};

use super::Shared;
use super::connection::Peer;
use super::session::{Outgoing, Session};
use crate::authority::{Authority, Report};
use crate::bounds;
use crate::generated as wire;
use crate::generated::delivery_server::Delivery;
use crate::message::{Denied, FromProxy, Hello};
use crate::publisher::Publisher;
use crate::wire::words;

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

#[tonic::async_trait]
impl<A: Authority> Delivery for Calls<A> {
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

    type SessionStream = Outgoing<A>;

    async fn session(
        &self,
        request: Request<Streaming<wire::FromProxy>>,
    ) -> Result<Response<Outgoing<A>>, Status> {
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
        let mut inbound = request.into_inner();
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
        Ok(Response::new(Outgoing::new(session)))
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
