//! What is known of one request or connection when it has ended: for logs, and for the span of one that is traced.
//!
//! Never looks at what a format wants: everything that one could want is kept, and only where somebody wants a record.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use http::request::Parts;
use http::{HeaderMap, Method, Request, Uri, Version};
use tokio::time::Instant;

use super::Outlet;
use crate::metrics::Direction;
use crate::session::Session;
use crate::table::Table;
use crate::tcp::Activity;
use crate::trace::Span;

/// Whose proxy writes.
#[derive(Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Home {
    pub(crate) mesh: String,
    pub(crate) zone: String,
    /// The name of its Dataplane.
    pub(crate) proxy: String,
    /// Where others reach that machine, if the Dataplane says so.
    pub(crate) reached_at: Option<String>,
    pub(crate) workload: Option<Arc<str>>,
    /// Where peers reach it, if they do.
    pub(crate) address: Option<String>,
}

/// The head of a request, as the client sent it.
#[derive(Debug)]
pub(crate) struct RequestHead {
    pub(crate) method: Method,
    pub(crate) uri: Uri,
    pub(crate) version: Version,
    pub(crate) headers: HeaderMap,
}

#[derive(Debug)]
pub(crate) struct Record {
    pub(crate) home: Arc<Home>,
    pub(crate) direction: Direction,
    pub(crate) started: SystemTime,
    pub(crate) remote: Option<SocketAddr>,
    pub(crate) peer: Option<Arc<str>>,
    pub(crate) sni: Option<String>,
    pub(crate) asked: Option<RequestHead>,
    /// The workload that is called.
    pub(crate) destination: Option<Arc<str>>,
    pub(crate) route: Option<Arc<str>>,
    pub(crate) cluster: Option<Arc<str>>,
    /// `host:port`.
    pub(crate) upstream: Option<Arc<str>>,
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) flag: &'static str,
    pub(crate) received: u64,
    pub(crate) sent: u64,
    pub(crate) request_took: Option<Duration>,
    pub(crate) response_after: Option<Duration>,
    pub(crate) took: Duration,
}

/// Writes its record when it is dropped: whatever ends a request or connection ends its log.
#[derive(Debug)]
pub(crate) struct Log {
    pub(crate) outlets: Vec<Arc<Outlet>>,
    pub(crate) record: Record,
    span: Option<Span>,
    began: Instant,
    activity: Option<Arc<Activity>>,
}

/// The head of a request where it is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RequestView<'r> {
    method: &'r Method,
    uri: &'r Uri,
    version: Version,
    pub(crate) headers: &'r HeaderMap,
}

impl<'r> RequestView<'r> {
    pub(crate) fn of<B>(request: &'r Request<B>) -> Self {
        Self {
            method: request.method(),
            uri: request.uri(),
            version: request.version(),
            headers: request.headers(),
        }
    }

    pub(crate) fn of_parts(parts: &'r Parts) -> Self {
        Self {
            method: &parts.method,
            uri: &parts.uri,
            version: parts.version,
            headers: &parts.headers,
        }
    }

    /// To keep; `whole`: with its headers.
    pub(crate) fn head(self, whole: bool) -> RequestHead {
        RequestHead {
            method: self.method.clone(),
            uri: self.uri.clone(),
            version: self.version,
            headers: match whole {
                true => self.headers.clone(),
                false => HeaderMap::new(),
            },
        }
    }
}

impl Record {
    pub(crate) fn new(session: &Session, table: &Table, asked: Option<RequestHead>) -> Self {
        Self {
            home: Arc::clone(&table.home),
            direction: session.direction,
            started: SystemTime::now(),
            remote: session.remote,
            peer: session.peer_id().map(|_| Arc::clone(&session.source)),
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
    pub(crate) fn new(outlets: Vec<Arc<Outlet>>, record: Record, span: Option<Span>) -> Box<Self> {
        Box::new(Self {
            outlets,
            record,
            span,
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
        if !self.outlets.is_empty() {
            self.record.headers = headers.clone();
        }
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
        if let Some(span) = &self.span {
            span.end(&self.record);
        }
        for outlet in &self.outlets {
            outlet.put(&self.record, self.span.as_ref());
        }
    }
}
