//! The time of one request: its limits, and what cuts it short.
//!
//! Never asks for the time on its own when nothing happens: one timer waits for the next limit.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use mesh_bundle::{Origin, Sourced};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use crate::refusal::Refusal;
use crate::tcp::Activity;

/// Resolves when the request must end.
pub(crate) type Watchdog = Pin<Box<dyn Future<Output = Refusal> + Send>>;

/// The limits of one request, each with its line; zero is none.
#[derive(Debug, Clone, Copy)]
pub(super) struct Timers<'a> {
    pub(super) request: &'a Sourced<mesh_bundle::Duration>,
    pub(super) stream_idle: &'a Sourced<mesh_bundle::Duration>,
    pub(super) max_stream: &'a Sourced<mesh_bundle::Duration>,
}

impl<'a> Timers<'a> {
    /// The line of the limit that is behind a refusal.
    pub(super) fn cause(&self, refusal: Refusal) -> Option<&'a Origin> {
        let limit = match refusal {
            Refusal::RequestTimeout => self.request,
            Refusal::StreamIdle => self.stream_idle,
            Refusal::MaxStream => self.max_stream,
            _ => return None,
        };
        limit.origin.as_ref()
    }
}

/// Watches over one request. `revoked` holds the serial of the last table that refuses the peer: one later than the table
/// that permitted this request ends it.
pub(super) fn watchdog(
    timers: &Timers<'_>,
    activity: Arc<Activity>,
    mut revoked: watch::Receiver<u64>,
    permitted_by: u64,
) -> Watchdog {
    let fixed = [
        (timers.request.value.limit(), Refusal::RequestTimeout),
        (timers.max_stream.value.limit(), Refusal::MaxStream),
    ];
    let idle = timers.stream_idle.value.limit();
    Box::pin(async move {
        let began = activity.began();
        let fixed = fixed
            .into_iter()
            .filter_map(|(limit, refusal)| Some((began + limit?, refusal)))
            .min_by_key(|(deadline, _)| *deadline);
        let revoked = async {
            // Without a connection there is nobody to tell, and the request goes with it.
            if revoked
                .wait_for(|serial| *serial > permitted_by)
                .await
                .is_err()
            {
                std::future::pending::<()>().await;
            }
        };
        tokio::select! {
            () = revoked => Refusal::Revoked,
            refusal = alarm(fixed, idle, &activity) => refusal,
        }
    })
}

/// Waits for whichever limit comes first.
async fn alarm(
    fixed: Option<(Instant, Refusal)>,
    idle: Option<Duration>,
    activity: &Activity,
) -> Refusal {
    loop {
        let idle = idle.map(|limit| (activity.last() + limit, Refusal::StreamIdle));
        let next = [fixed, idle].into_iter().flatten();
        let Some((deadline, refusal)) = next.min_by_key(|(deadline, _)| *deadline) else {
            return std::future::pending().await;
        };
        if deadline <= Instant::now() {
            return refusal;
        }
        sleep_until(deadline).await;
    }
}
