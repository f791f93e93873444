//! How a request ends: counted and written down once, however that is.
//!
//! Never believes a word of gRPC in a response to something else.

use std::sync::Arc;
use tokio::time::Instant;

use http::HeaderMap;

use super::answer;
use super::exchange::Rest;
use super::serve::Busy;
use crate::access_log::Log;
use crate::metrics::{NO_FLAG, RequestStats};
use crate::refusal::Refusal;

/// Counts a request when it ends, however it ends.
#[derive(Debug)]
pub(crate) struct Ending {
    stats: Arc<RequestStats>,
    began: Instant,
    code: u16,
    flag: &'static str,
    /// It is a gRPC call, whose end says how it went.
    grpc: bool,
    failed: bool,
    busy: Busy,
    log: Option<Box<Log>>,
}

impl Ending {
    /// Of a request whose response has begun. Without another word the client went away before its end.
    pub(super) fn new(stats: Arc<RequestStats>, began: Instant, code: u16, begun: Rest) -> Self {
        let Rest { busy, log } = begun;
        Self {
            stats,
            began,
            code,
            flag: "DC",
            grpc: false,
            failed: code >= 500,
            busy,
            log,
        }
    }

    /// With these headers; a gRPC call may have nothing else.
    pub(super) fn answered(mut self, grpc: bool, headers: &HeaderMap) -> Self {
        self.grpc = grpc;
        self.closes(headers);
        self
    }

    /// What comes behind the body, or in its place.
    pub(super) fn closes(&mut self, trailers: &HeaderMap) {
        let status = answer::grpc_status(trailers).filter(|_| self.grpc);
        self.failed |= status.is_some_and(answer::is_failed_call);
    }

    pub(super) fn complete(&mut self) {
        self.flag = NO_FLAG;
    }

    /// The same, where nobody has told of it yet.
    pub(super) fn tell(&mut self, refusal: Refusal) {
        self.cut(refusal);
        if refusal != Refusal::Revoked {
            self.busy.tell(refusal);
        }
    }

    pub(super) fn cut(&mut self, refusal: Refusal) {
        self.flag = refusal.row().flag;
    }
}

impl Drop for Ending {
    fn drop(&mut self) {
        let ended = (self.code, self.flag, self.began.elapsed());
        self.stats.ended(ended, self.failed);
        if let Some(log) = &mut self.log {
            log.end(self.code, self.flag);
        }
    }
}
