//! `WebSocket`: after both sides have agreed, bytes.
//!
//! Never begins before the upstream has said 101, and never lets such a connection serve another request.

use std::sync::Arc;
use std::time::Duration;

use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::time::timeout;

use super::exchange::Ending;
use crate::session::Session;
use crate::tcp::{Activity, relay};
use crate::upstream::{Lease, Place};

/// The 101 has been written or it never will be.
const SWITCH_WAIT: Duration = Duration::from_secs(15);

/// Both ends of what a request became.
pub(super) struct Switch {
    pub(super) down: OnUpgrade,
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
        let session = Arc::clone(session);
        tokio::spawn(async move {
            let Self {
                down,
                up,
                activity,
                idle,
                mut ending,
                held: _held,
            } = self;
            let both = async { tokio::try_join!(down, up) };
            let Ok(Ok((down, up))) = timeout(SWITCH_WAIT, both).await else {
                return;
            };
            let stop = session.until_refused();
            match relay(TokioIo::new(down), TokioIo::new(up), &activity, idle, stop).await {
                Ok(()) => ending.complete(),
                Err(refusal) => ending.cut(refusal),
            }
        });
    }
}
