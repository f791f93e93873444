//! One side of one request, as it is told to a collector.
//!
//! Never tells the query of a request, which may hold secrets, and cuts whatever is long.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue, Method, header};

use super::{Context, Form, Tracer, otlp, zipkin};
use crate::access_log::Record;
use crate::metrics::{Direction, NO_FLAG};

/// Of a path, and of everything else that a client or a server wrote.
const LONGEST_PATH: usize = 1024;
const LONGEST: usize = 256;

/// A request that is followed.
#[derive(Debug)]
pub(crate) struct Span {
    pub(super) tracer: Arc<Tracer>,
    pub(super) context: Context,
    tags: Vec<Option<HeaderValue>>,
    agent: Option<HeaderValue>,
    host: Option<HeaderValue>,
}

/// The names of what is told: each protocol has its own.
#[derive(Debug)]
pub(super) struct Names {
    method: &'static str,
    path: &'static str,
    status: &'static str,
    version: &'static str,
    host: &'static str,
    agent: &'static str,
    received: &'static str,
    sent: &'static str,
    peer: &'static str,
    peer_port: &'static str,
    error: &'static str,
}

/// Semantic conventions of `OpenTelemetry`, 1.30.
pub(super) const OPEN_TELEMETRY: Names = Names {
    method: "http.request.method",
    path: "url.path",
    status: "http.response.status_code",
    version: "network.protocol.version",
    host: "server.address",
    agent: "user_agent.original",
    received: "http.request.body.size",
    sent: "http.response.body.size",
    peer: "network.peer.address",
    peer_port: "network.peer.port",
    error: "error.type",
};

/// What Zipkin's own libraries write.
pub(super) const ZIPKIN: Names = Names {
    method: "http.method",
    path: "http.path",
    status: "http.status_code",
    version: "http.version",
    host: "http.host",
    agent: "http.user_agent",
    received: "http.request.size",
    sent: "http.response.size",
    peer: "peer.address",
    peer_port: "peer.port",
    error: "error",
};

/// What takes what is told.
pub(super) trait Attributes {
    fn text(&mut self, name: &str, value: &str);
    fn number(&mut self, name: &str, value: u64);
}

impl Span {
    pub(crate) fn begin(tracer: &Arc<Tracer>, context: Context, headers: &HeaderMap) -> Self {
        let get = |name: HeaderName| headers.get(name).cloned();
        Self {
            tracer: Arc::clone(tracer),
            context,
            tags: tracer.tagged(headers),
            agent: get(header::USER_AGENT),
            host: get(header::HOST),
        }
    }

    /// Of the trace, and its own.
    pub(crate) fn ids(&self) -> (u128, u64) {
        (self.context.trace_id, self.context.span_id)
    }

    /// Sends it on its way.
    pub(crate) fn end(&self, record: &Record) {
        if let Some(outbox) = self.tracer.outbox.get() {
            outbox.put(|| match self.tracer.form {
                Form::Otlp => otlp::write(self, record),
                Form::Zipkin { version, .. } => zipkin::write(version, self, record),
            });
        }
    }

    /// `GET api`: few different ones, whatever clients ask for.
    pub(super) fn name(&self, record: &Record) -> String {
        let method = record.asked.as_ref().map_or("HTTP", |asked| {
            // Any other word may be of the client's own making.
            match asked.method {
                Method::GET
                | Method::HEAD
                | Method::POST
                | Method::PUT
                | Method::DELETE
                | Method::OPTIONS
                | Method::PATCH => asked.method.as_str(),
                _ => "HTTP",
            }
        });
        match self.service(record) {
            Some(service) => format!("{method} {service}"),
            None => method.to_owned(),
        }
    }

    /// Who is called.
    pub(super) fn service<'r>(&self, record: &'r Record) -> Option<&'r str> {
        record.destination.as_deref()
    }

    /// Did it fail? A server is not at fault for what it refuses.
    pub(super) fn error(&self, record: &Record) -> Option<String> {
        let least = match record.direction {
            Direction::Inbound => 500,
            Direction::Outbound => 400,
        };
        match (record.flag, record.status) {
            (NO_FLAG, status) if status < least => None,
            (NO_FLAG, status) => Some(status.to_string()),
            (flag, _) => Some(flag.to_owned()),
        }
    }

    /// Tells everything, in an order that does not change.
    pub(super) fn tell(&self, record: &Record, names: &Names, to: &mut impl Attributes) {
        let home = &record.home;
        to.text("kuma.mesh", &home.mesh);
        to.text("kuma.zone", &home.zone);
        if let Some(workload) = &home.workload {
            to.text("kuma.workload", workload);
        }
        if let Some(cluster) = &record.cluster {
            to.text("kuma.destination", cluster);
        }
        if let Some(route) = &record.route {
            to.text("kuma.route", route);
        }
        if let Some(peer) = &record.peer {
            to.text("kuma.source", peer);
        }
        if let Some(asked) = &record.asked {
            to.text(names.method, cut(asked.method.as_str(), LONGEST));
            to.text(names.path, cut(asked.uri.path(), LONGEST_PATH));
            to.text(names.version, version(asked.version));
            let authority = asked.uri.authority().map(|authority| authority.as_str());
            let host = self.host.as_ref().and_then(|host| host.to_str().ok());
            if let Some(host) = authority.or(host) {
                to.text(names.host, cut(host, LONGEST));
            }
        }
        if record.status > 0 {
            to.number(names.status, record.status.into());
        }
        to.number(names.received, record.received);
        to.number(names.sent, record.sent);
        if let Some((ip, port)) = other_end(record) {
            to.text(names.peer, &ip.to_string());
            to.number(names.peer_port, port.into());
        }
        if let Some(agent) = &self.agent {
            to.text(
                names.agent,
                cut(&String::from_utf8_lossy(agent.as_bytes()), LONGEST),
            );
        }
        if let Some(error) = self.error(record) {
            to.text(names.error, &error);
        }
        for (name, text) in &self.tracer.literals {
            to.text(name, text);
        }
        for (tag, value) in self.tracer.headers.iter().zip(&self.tags) {
            let value = value
                .as_ref()
                .map(|value| String::from_utf8_lossy(value.as_bytes()));
            if let Some(value) = value.as_deref().or(tag.default.as_deref()) {
                to.text(&tag.name, cut(value, LONGEST));
            }
        }
    }
}

/// Who sent it, or who it was sent to.
pub(super) fn other_end(record: &Record) -> Option<(IpAddr, u16)> {
    let address: SocketAddr = match record.direction {
        Direction::Inbound => record.remote?,
        Direction::Outbound => record.upstream.as_deref()?.parse().ok()?,
    };
    Some((address.ip(), address.port()))
}

fn version(version: http::Version) -> &'static str {
    match version {
        http::Version::HTTP_2 => "2",
        http::Version::HTTP_10 => "1.0",
        _ => "1.1",
    }
}

/// The beginning of a text.
fn cut(text: &str, most: usize) -> &str {
    let mut end = most.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default()
}
