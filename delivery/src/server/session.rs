//! One session: the publisher's messages out, the proxy's messages in, one task for both.
//!
//! Never prepares a message before the last one was taken: a slow proxy costs what it holds, not what it missed.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;

use mesh_bundle::{Digest, Kri};
use tokio::sync::watch;
use tokio::time::{Instant, timeout};
use tonic::{Status, Streaming};

use super::Shared;
use super::calls::{busy, denied, malformed};
use super::connection::Peer;
use super::live::{End, ended};
use super::rate::Bucket;
use crate::authority::{Authority, Report};
use crate::generated as wire;
use crate::message::{Denied, FromProxy, ProxyName, ToProxy};
use crate::publisher::{Publisher, Unasked, Wanted};

/// Certificate requests that wait for their turn; a proxy has one for each of its identities.
const REQUESTS: usize = 16;

pub(super) struct Session<A: Authority> {
    shared: Arc<Shared<A>>,
    peer: Arc<Peer>,
    proxy: ProxyName,
    number: u64,
    inbound: Streaming<wire::FromProxy>,
    wanted: watch::Receiver<Option<Arc<Wanted>>>,
    end: watch::Receiver<Option<End>>,
    publisher: Publisher,
    /// What the authority was told that the proxy holds.
    reported: Option<Digest>,
    requests: VecDeque<(Option<Kri>, Vec<u8>)>,
    issuing: Option<Issuing>,
    messages: Bucket,
    answer_by: Option<Instant>,
}

type Issuing = Pin<Box<dyn Future<Output = ToProxy> + Send>>;

/// What happens next on a session.
enum Happened {
    Ended(End),
    Received(Option<wire::FromProxy>),
    Broken(Status),
    Wanted,
    Withdrawn,
    Issued(ToProxy),
    NoAnswer,
}

impl<A: Authority> Session<A> {
    pub(super) fn new(
        shared: Arc<Shared<A>>,
        peer: Arc<Peer>,
        (proxy, number): (ProxyName, u64),
        inbound: Streaming<wire::FromProxy>,
        mut wanted: watch::Receiver<Option<Arc<Wanted>>>,
        publisher: Publisher,
    ) -> Self {
        wanted.mark_changed();
        Self {
            end: peer.ender.watch(),
            shared,
            peer,
            proxy,
            number,
            inbound,
            wanted,
            publisher,
            reported: None,
            requests: VecDeque::new(),
            issuing: None,
            messages: Bucket::of_messages(Instant::now()),
            answer_by: None,
        }
    }

    /// The next message to send, or how the session ends.
    pub(super) async fn next(&mut self) -> Result<ToProxy, Status> {
        self.peer.offers(None);
        loop {
            let end = self.end.borrow().clone();
            if let Some(reason) = end {
                return Err(farewell(reason));
            }
            self.issue();
            // First what came in meanwhile: what is sent should be the newest.
            if self.wanted.has_changed().unwrap_or(false) {
                self.want();
            }
            if let Some(message) = self.publisher.next_message() {
                if self.publisher.awaits_answer() {
                    let now = Instant::now();
                    self.answer_by.get_or_insert(now + self.shared.pace.answer);
                }
                return Ok(message);
            }
            match self.happens().await {
                Happened::Ended(reason) => return Err(farewell(reason)),
                Happened::Broken(status) => return Err(status),
                Happened::Received(Some(message)) => self.receive(message)?,
                Happened::Received(None) => return Err(farewell(End::Over)),
                Happened::Wanted => self.want(),
                Happened::Withdrawn => {
                    let reason = "the Dataplane is not in the published commit any more";
                    return Err(denied(Denied::Unavailable(reason.to_owned())));
                }
                Happened::Issued(message) => {
                    self.issuing = None;
                    return Ok(message);
                }
                Happened::NoAnswer => {
                    return Err(Status::deadline_exceeded("a change was not answered"));
                }
            }
        }
    }

    async fn happens(&mut self) -> Happened {
        let answer_by = self.answer_by;
        let issuing = self.issuing.as_mut();
        tokio::select! {
            biased;
            reason = ended(&mut self.end) => Happened::Ended(reason),
            message = self.inbound.message() => match message {
                Ok(message) => Happened::Received(message),
                Err(status) => Happened::Broken(status),
            },
            changed = self.wanted.changed() => match changed {
                Ok(()) => Happened::Wanted,
                Err(_) => Happened::Withdrawn,
            },
            message = issued(issuing) => Happened::Issued(message),
            () = until(answer_by) => Happened::NoAnswer,
        }
    }

    fn want(&mut self) {
        let wanted = self.wanted.borrow_and_update().clone();
        if let Some(wanted) = wanted {
            self.publisher.want(wanted.clone());
            self.report_held(wanted.revision().to_owned());
        }
    }

    fn receive(&mut self, message: wire::FromProxy) -> Result<(), Status> {
        if !self.messages.take(Instant::now()) {
            return Err(busy("more messages than a proxy has to send"));
        }
        let session = self.number;
        match FromProxy::try_from(message).map_err(malformed)? {
            FromProxy::Hello(_) => return Err(Status::invalid_argument("a second hello")),
            FromProxy::Ack { root } => {
                let revision = self.publisher.acked(root).map_err(unasked)?;
                self.answer_by = None;
                self.reported = Some(root);
                self.report(Report::Acked {
                    session,
                    root,
                    revision,
                });
            }
            FromProxy::Nack {
                root,
                key,
                pointer,
                reason,
            } => {
                let revision = self.publisher.nacked(root).map_err(unasked)?;
                self.answer_by = None;
                self.report(Report::Nacked {
                    session,
                    root,
                    revision,
                    key,
                    pointer,
                    reason,
                });
            }
            FromProxy::CertificateRequest { issuer, csr } => {
                if self.requests.len() >= REQUESTS {
                    return Err(busy(
                        "more certificate requests than a proxy has identities",
                    ));
                }
                self.requests.push_back((issuer, csr));
            }
            FromProxy::Status {
                ready,
                draining,
                unhealthy,
            } => self.report(Report::Status {
                unhealthy,
                session,
                ready,
                draining,
            }),
            FromProxy::Traffic(traffic) => {
                let asked = self.publisher.measured();
                asked.map_err(|error| Status::failed_precondition(error.to_string()))?;
                self.report(Report::Traffic { session, traffic });
            }
        }
        Ok(())
    }

    /// One signature at a time for each session.
    fn issue(&mut self) {
        if self.issuing.is_some() {
            return;
        }
        let Some((issuer, csr)) = self.requests.pop_front() else {
            return;
        };
        let (authority, proxy) = (self.shared.authority.clone(), self.proxy.clone());
        let peer = self.peer.clone();
        let patience = self.shared.pace.authority;
        self.issuing = Some(Box::pin(async move {
            let issued = authority.issue(&proxy, &peer.chain, issuer.as_ref(), &csr);
            let reason = match timeout(patience, issued).await {
                Ok(Ok(certificate)) => return ToProxy::Certificate(certificate),
                Ok(Err(denied)) => denied.to_string(),
                Err(_) => "meshd took too long to sign".to_owned(),
            };
            ToProxy::CertificateRefused { issuer, reason }
        }));
    }

    /// A proxy that came with what is wanted has acknowledged it before.
    fn report_held(&mut self, revision: String) {
        let held = self.publisher.acknowledged().map(|(root, _)| root);
        let Some(root) = held.filter(|_| self.publisher.is_settled()) else {
            return;
        };
        if self.reported.replace(root) != Some(root) {
            let session = self.number;
            self.report(Report::Acked {
                session,
                root,
                revision,
            });
        }
    }

    /// A message is handed out.
    pub(super) fn offers(&self) {
        self.peer.offers(Some(Instant::now()));
    }

    fn report(&self, report: Report) {
        self.shared.authority.report(&self.proxy, report);
    }
}

impl<A: Authority> Drop for Session<A> {
    fn drop(&mut self) {
        let known = self.publisher.acknowledged();
        self.shared.live.leave(&self.proxy, self.number, known);
        let session = self.number;
        self.report(Report::Disconnected { session });
        self.peer.ender.end(End::Over);
    }
}

/// Never ready where nothing is under way.
async fn issued(issuing: Option<&mut Issuing>) -> ToProxy {
    match issuing {
        Some(issuing) => issuing.await,
        None => std::future::pending().await,
    }
}

async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

fn unasked(error: Unasked) -> Status {
    Status::failed_precondition(error.to_string())
}

fn farewell(reason: End) -> Status {
    match reason {
        End::Replaced => Status::aborted("a newer session of this Dataplane took over"),
        End::Stopping => Status::unavailable("meshd is stopping"),
        End::Denied(reason) => denied(reason),
        End::Over => Status::cancelled("the session is over"),
    }
}
