//! After both sides have agreed, bytes: `WebSocket`, tunnels, and whatever else a request may become.
//!
//! Never begins before the upstream has agreed, and never lets such a connection serve another request.

use std::sync::Arc;
use std::time::Duration;

use http::{Method, Request};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::bootstrap::Bootstrap;
use super::ending::Ending;
use super::tunnel::{Handover, Outgoing, Tunnel};
use super::{Body, Received};
use crate::refusal::Refusal;
use crate::session::Session;
use crate::tcp::{Activity, relay};
use crate::upstream::{Lease, Place};

/// The answer has been written or it never will be.
const SWITCH_WAIT: Duration = Duration::from_secs(15);

/// What of a request stays with who waits for its answer: the client's end of what it may become.
pub(super) enum Down {
    /// The whole connection.
    One(OnUpgrade),
    /// One stream of it.
    Two(Received),
}

impl Down {
    /// What a stream of HTTP/2 brings after such a head is no body.
    pub(super) fn of(request: &mut Request<Received>) -> Self {
        let becomes = |request: &Request<Received>| {
            request.method() == Method::CONNECT || Bootstrap::is_one(request.extensions())
        };
        match request.body() {
            Received::Two(_) if becomes(request) => {
                Self::Two(std::mem::replace(request.body_mut(), Received::Nothing))
            }
            _ => Self::One(hyper::upgrade::on(request)),
        }
    }

    /// Where that end is found once the answer has been sent, and the body of that answer.
    pub(super) fn hand_over(self) -> (Near, Body) {
        match self {
            Self::One(connection) => (Near::One(connection), Body::Own(None)),
            Self::Two(received) => {
                let (handover, outgoing): (Handover, _) = oneshot::channel();
                (Near::Two(received, outgoing), Body::Tunnel(handover))
            }
        }
    }
}

/// The client's end, as soon as there is one.
pub(super) enum Near {
    One(OnUpgrade),
    Two(Received, oneshot::Receiver<Outgoing>),
}

/// Both ends of what a request became.
pub(super) struct Switch {
    pub(super) near: Near,
    pub(super) up: OnUpgrade,
    pub(super) activity: Arc<Activity>,
    pub(super) idle: Option<Duration>,
    pub(super) ending: Ending,
    /// What counts as under way until it ends.
    pub(super) held: (Place, Lease),
}

impl Switch {
    /// Copies until it ends by itself, is idle for too long, or its peer loses its permission.
    pub(super) fn spawn(self, session: &Arc<Session>) {
        tokio::spawn(self.copy(Arc::clone(session)));
    }

    async fn copy(self, session: Arc<Session>) {
        let Self {
            near,
            up,
            activity,
            idle,
            mut ending,
            held: _held,
        } = self;
        let stop = session.until_refused();
        let both = Both {
            up,
            activity: &activity,
            idle,
        };
        let copied = match near {
            Near::One(down) => {
                let down = async { down.await.ok().map(TokioIo::new) };
                both.copy(down, |_| std::future::pending(), stop).await
            }
            Near::Two(received, outgoing) => {
                let down = async { Some(Tunnel::new(received, outgoing.await.ok()?)) };
                both.copy(down, Tunnel::given_up, stop).await
            }
        };
        match copied {
            Some(Ok(())) => ending.complete(),
            Some(Err(refusal)) => ending.cut(refusal),
            // The client went away.
            None => {}
        }
    }
}

struct Both<'a> {
    up: OnUpgrade,
    activity: &'a Activity,
    idle: Option<Duration>,
}

impl Both<'_> {
    async fn copy<D, G>(
        self,
        down: impl Future<Output = Option<D>>,
        given_up: impl FnOnce(&D) -> G,
        stop: impl Future<Output = Refusal>,
    ) -> Option<Result<(), Refusal>>
    where
        D: AsyncRead + AsyncWrite + Unpin,
        G: Future<Output = ()>,
    {
        let up = async { self.up.await.ok().map(TokioIo::new) };
        let both = async { tokio::join!(down, up) };
        let (Some(down), Some(up)) = timeout(SWITCH_WAIT, both).await.ok()? else {
            return None;
        };
        let given_up = given_up(&down);
        tokio::select! {
            copied = relay(down, up, self.activity, self.idle, stop) => Some(copied),
            () = given_up => None,
        }
    }
}
