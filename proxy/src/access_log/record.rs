//! What is known of one request or connection when it has ended.
//!
//! Never looks at what a format wants: everything that one could want is kept, and only where somebody wants a record.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use http::request::Parts;
use http::{HeaderMap, Method, Request, Uri, Version};
use tokio::time::Instant;

use super::{Outlet, value};
use crate::metrics::Direction;
use crate::session::Session;
use crate::table::Table;
use crate::tcp::Activity;

/// Whose proxy writes.
#[derive(Debug, Default)]
pub(crate) struct Home {
    pub(crate) mesh: String,
    pub(crate) zone: String,
    pub(crate) workload: Option<Arc<str>>,
    /// Where peers reach it, if they do.
    pub(crate) address: Option<String>,
}

/// The head of a request, as the client sent it.
#[derive(Debug)]
pub(crate) struct RequestHead {
    pub(super) method: Method,
    pub(super) uri: Uri,
    pub(super) version: Version,
    pub(super) headers: HeaderMap,
}

#[derive(Debug)]
pub(crate) struct Record {
    pub(super) home: Arc<Home>,
    pub(super) direction: Direction,
    pub(super) started: SystemTime,
    pub(super) remote: Option<SocketAddr>,
    pub(super) peer: Option<String>,
    pub(super) sni: Option<String>,
    pub(super) asked: Option<RequestHead>,
    /// The workload that is called.
    pub(super) destination: Option<Arc<str>>,
    pub(super) route: Option<Arc<str>>,
    pub(super) cluster: Option<Arc<str>>,
    /// `host:port`.
    pub(super) upstream: Option<Arc<str>>,
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) flag: &'static str,
    pub(super) received: u64,
    pub(super) sent: u64,
    pub(super) request_took: Option<Duration>,
    pub(super) response_after: Option<Duration>,
    pub(super) took: Duration,
}

/// Writes its record when it is dropped: whatever ends a request or connection ends its log.
#[derive(Debug)]
pub(crate) struct Log {
    pub(super) outlets: Vec<Arc<Outlet>>,
    pub(super) record: Record,
    began: Instant,
    activity: Option<Arc<Activity>>,
}

impl RequestHead {
    pub(crate) fn of<B>(request: &Request<B>) -> Self {
        Self {
            method: request.method().clone(),
            uri: request.uri().clone(),
            version: request.version(),
            headers: request.headers().clone(),
        }
    }

    pub(crate) fn of_parts(parts: &Parts) -> Self {
        Self {
            method: parts.method.clone(),
            uri: parts.uri.clone(),
            version: parts.version,
            headers: parts.headers.clone(),
        }
    }
}

impl Record {
    pub(super) fn new(session: &Session, table: &Table, asked: Option<RequestHead>) -> Self {
        Self {
            home: Arc::clone(&table.home),
            direction: session.direction,
            started: SystemTime::now(),
            remote: session.remote,
            peer: session.peer_id().map(str::to_owned),
            sni: session.peer.as_ref().and_then(|peer| peer.sni.clone()),
            asked,
            destination: None,
            route: None,
            cluster: None,
            upstream: None,
            status: 0,
            headers: HeaderMap::new(),
            // Who says nothing more has gone away.
            flag: "DC",
            received: 0,
            sent: 0,
            request_took: None,
            response_after: None,
            took: Duration::ZERO,
        }
    }
}

impl Log {
    pub(super) fn new(outlets: Vec<Arc<Outlet>>, record: Record) -> Box<Self> {
        Box::new(Self {
            outlets,
            record,
            began: Instant::now(),
            activity: None,
        })
    }

    /// What comes and goes is counted there.
    pub(crate) fn count(&mut self, activity: &Arc<Activity>) {
        self.activity = Some(Arc::clone(activity));
    }

    pub(crate) fn sent_to(&mut self, cluster: &Arc<str>) {
        self.record.cluster = Some(Arc::clone(cluster));
    }

    /// Who has taken it.
    pub(crate) fn taken_by(&mut self, instance: &Arc<str>) {
        self.record.upstream = Some(Arc::clone(instance));
    }

    /// The head of the response.
    pub(crate) fn answered(&mut self, headers: &HeaderMap) {
        self.record.headers = headers.clone();
        self.record.response_after = Some(self.began.elapsed());
    }

    pub(crate) fn end(&mut self, status: u16, flag: &'static str) {
        self.record.status = status;
        self.record.flag = flag;
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        self.record.took = self.began.elapsed();
        if let Some(activity) = &self.activity {
            self.record.received = activity.received();
            self.record.sent = activity.sent();
            self.record.request_took = activity.request_took();
        }
        for outlet in &self.outlets {
            outlet
                .queue
                .put(|| value::line(&outlet.format, &self.record));
        }
    }
}
