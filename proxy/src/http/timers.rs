//! The time of one request: its limits, and what cuts it short.
//!
//! Never asks for the time on its own when nothing happens: one timer of its connection waits for the next limit.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use mesh_bundle::{Origin, Sourced};
use tokio::time::Instant;

use super::alarms::Entered;
use super::serve::Connection;
use crate::refusal::Refusal;
use crate::tcp::Activity;

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

/// Resolves when the request must end: at the first of its limits, or when a table later than the one that permitted it
/// refuses the peer.
#[derive(Debug)]
pub(crate) struct Watchdog {
    connection: Arc<Connection>,
    activity: Arc<Activity>,
    /// The nearer one of the limits that nothing moves.
    fixed: Option<(Instant, Refusal)>,
    idle: Option<Duration>,
    /// The serial of a table.
    permitted_by: u64,
    entered: Option<Entered>,
}

impl Watchdog {
    /// Begins with the activity. The deadline is that of the client, and no later than its limit here.
    pub(super) fn new(
        (timers, deadline): (&Timers<'_>, Option<Instant>),
        connection: &Arc<Connection>,
        activity: &Arc<Activity>,
        permitted_by: u64,
    ) -> Self {
        let fixed = [
            (timers.request.value.limit(), Refusal::RequestTimeout),
            (timers.max_stream.value.limit(), Refusal::MaxStream),
        ];
        let began = activity.began();
        let fixed = fixed
            .into_iter()
            .filter_map(|(limit, refusal)| Some((began + limit?, refusal)))
            .chain(deadline.map(|deadline| (deadline, Refusal::Deadline)))
            .min_by_key(|(limit, _)| *limit);
        Self {
            connection: Arc::clone(connection),
            activity: Arc::clone(activity),
            fixed,
            idle: timers.stream_idle.value.limit(),
            permitted_by,
            entered: None,
        }
    }

    /// The limit that comes first, as things are.
    fn next(&self) -> Option<(Instant, Refusal)> {
        let idle = self
            .idle
            .map(|limit| (self.activity.last() + limit, Refusal::StreamIdle));
        let limits = [self.fixed, idle].into_iter().flatten();
        limits.min_by_key(|(limit, _)| *limit)
    }
}

impl Future for Watchdog {
    type Output = Refusal;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Refusal> {
        let this = &mut *self;
        let alarms = &this.connection.alarms;
        match this.entered {
            // Whether it is reached already, the connection finds out.
            None => {
                let limit = this.next().map(|(limit, _)| limit);
                this.entered = Some(alarms.enter(limit, cx));
            }
            Some(entered) if alarms.keep(entered, cx) => {}
            Some(entered) => {
                if let Some((limit, refusal)) = this.next() {
                    if limit <= Instant::now() {
                        return Poll::Ready(refusal);
                    }
                    alarms.renew(entered, limit);
                }
            }
        }
        // After it is known whom to wake, so that no word falls between.
        match alarms.is_revoked(this.permitted_by) {
            true => Poll::Ready(Refusal::Revoked),
            false => Poll::Pending,
        }
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        if let Some(entered) = self.entered {
            self.connection.alarms.leave(entered);
        }
    }
}
