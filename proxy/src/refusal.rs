//! Every way to say no, in one table: what a client is answered, what is counted, who is at fault.
//!
//! Never decides: the stages do, and give one of these rows as their answer.

use http::StatusCode;

/// Who is at fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Source {
    /// Who asked.
    Downstream,
    /// Who was asked.
    Upstream,
    /// The configuration, or this proxy.
    Local,
}

/// Why a connection or a request is not served.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Refusal {
    /// The request breaks HTTP in a way that two servers could read differently.
    BadRequest,
    /// The head of the request is longer than any may be.
    HeadTooLarge,
    /// The path has no normal form.
    BadPath,
    /// A transfer encoding other than `chunked`.
    TransferEncoding,
    /// `CONNECT` where no route names it, and where nobody would see what follows.
    Method,
    /// The peer may not use the inbound.
    Permission,
    /// The peer was allowed to when the request or connection began, and no longer is.
    Revoked,
    /// Answered on purpose, instead of the workload.
    Fault,
    /// More requests or connections than are let in.
    RateLimit,
    /// No route matches.
    NoRoute,
    /// The backend reference does not resolve.
    Unresolved,
    /// The listener that took the connection is not configured any more.
    Withdrawn,
    /// The service has no instance.
    NoEndpoint,
    /// mTLS is due and there is no certificate yet.
    NoCertificate,
    /// TLS with a server outside needs what this proxy has not been given.
    NoSecret,
    /// No instance accepted a connection.
    Connect,
    /// No instance accepted a connection in time.
    ConnectTimeout,
    /// The server is not who it must be.
    ServerIdentity,
    /// Too many connections or requests to one instance.
    Overflow,
    /// The upstream has not looked at the request, and it cannot be sent again.
    Unprocessed,
    /// One try of several took longer than it may, and there was none left.
    TryTimeout,
    /// The upstream closed the connection before it answered.
    Closed,
    /// The upstream's answer is not HTTP, or not an answer to what was asked.
    BadResponse,
    /// The request took longer than its limit.
    RequestTimeout,
    /// The client's own limit for its call is over.
    Deadline,
    /// Nothing happened on the request for too long.
    StreamIdle,
    /// The request lived for longer than any may.
    MaxStream,
    /// Nothing happened on the connection for too long.
    ConnectionIdle,
    /// The proxy is going away.
    Draining,
    /// The TLS handshake failed, or was not one.
    Handshake,
    /// The handshake, or what tells the protocol, did not come in time.
    HandshakeTimeout,
    /// The peer is not who it says, or nobody trusted.
    PeerIdentity,
    /// Too many connections to this proxy.
    ConnectionLimit,
    /// Nothing of the mesh is at this address, and what is there may not be reached.
    Passthrough,
    /// It came to a port for captured connections without having been captured.
    NotCaptured,
    /// Several inbounds listen on this port, and none at this address.
    UnclearInbound,
}

/// What one row of the table says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    /// As metrics and logs name it.
    pub label: &'static str,
    /// What an HTTP client is answered; connections are closed.
    pub status: StatusCode,
    /// What a gRPC client is answered.
    pub grpc: u8,
    /// As Envoy's access log names it.
    pub flag: &'static str,
    /// Who is at fault.
    pub source: Source,
    /// The body of the answer: the same for everybody, so that it tells nothing about the configuration.
    pub body: &'static str,
}

impl Refusal {
    /// All of them, in the order of the table.
    pub const ALL: [Self; 36] = [
        Self::BadRequest,
        Self::HeadTooLarge,
        Self::BadPath,
        Self::TransferEncoding,
        Self::Method,
        Self::Permission,
        Self::Revoked,
        Self::Fault,
        Self::RateLimit,
        Self::NoRoute,
        Self::Unresolved,
        Self::Withdrawn,
        Self::NoEndpoint,
        Self::NoCertificate,
        Self::NoSecret,
        Self::Connect,
        Self::ConnectTimeout,
        Self::ServerIdentity,
        Self::Overflow,
        Self::Unprocessed,
        Self::TryTimeout,
        Self::Closed,
        Self::BadResponse,
        Self::RequestTimeout,
        Self::Deadline,
        Self::StreamIdle,
        Self::MaxStream,
        Self::ConnectionIdle,
        Self::Draining,
        Self::Handshake,
        Self::HandshakeTimeout,
        Self::PeerIdentity,
        Self::ConnectionLimit,
        Self::Passthrough,
        Self::NotCaptured,
        Self::UnclearInbound,
    ];

    /// The row.
    #[must_use]
    #[expect(clippy::too_many_lines, reason = "it is one table")]
    pub const fn row(self) -> Row {
        use Source::{Downstream, Local, Upstream};
        match self {
            Self::BadRequest => row("bad-request", 400, 13, "DPE", Downstream, "bad request"),
            Self::HeadTooLarge => row(
                "head-too-large",
                431,
                8,
                "DPE",
                Downstream,
                "request head too large",
            ),
            Self::BadPath => row("bad-path", 400, 13, "DPE", Downstream, "bad path"),
            Self::TransferEncoding => row(
                "transfer-encoding",
                501,
                12,
                "DPE",
                Downstream,
                "transfer encoding not implemented",
            ),
            Self::Method => row("method", 405, 12, "DPE", Downstream, "method not allowed"),
            Self::Permission => row(
                "permission",
                403,
                7,
                "RBAC",
                Downstream,
                "RBAC: access denied",
            ),
            Self::Revoked => row("revoked", 403, 7, "RBAC", Downstream, "RBAC: access denied"),
            Self::Fault => row("fault", 503, 14, "FI", Local, "fault filter abort"),
            Self::RateLimit => row("rate-limit", 429, 8, "RL", Downstream, "local_rate_limited"),
            Self::NoRoute => row("no-route", 404, 12, "NR", Local, "no route"),
            Self::Unresolved => row("unresolved", 500, 14, "NC", Local, "no backend"),
            Self::Withdrawn => row("withdrawn", 503, 14, "NR", Local, "no such listener"),
            Self::NoEndpoint => row(
                "no-endpoint",
                503,
                14,
                "UH",
                Upstream,
                "no healthy upstream",
            ),
            Self::NoCertificate => row("no-certificate", 503, 14, "UF", Local, "not ready"),
            Self::NoSecret => row("no-secret", 503, 14, "UF", Local, "not ready"),
            Self::Connect => row("connect", 503, 14, "UF", Upstream, "upstream connect error"),
            Self::ConnectTimeout => row(
                "connect-timeout",
                503,
                14,
                "UF",
                Upstream,
                "upstream connect timeout",
            ),
            Self::ServerIdentity => row(
                "server-identity",
                503,
                14,
                "UF",
                Upstream,
                "upstream identity not trusted",
            ),
            Self::Overflow => row("overflow", 503, 14, "UO", Upstream, "upstream overflow"),
            Self::Unprocessed => row(
                "unprocessed",
                503,
                14,
                "UR",
                Upstream,
                "upstream refused the stream",
            ),
            Self::TryTimeout => row(
                "try-timeout",
                504,
                4,
                "UT",
                Upstream,
                "upstream try timeout",
            ),
            Self::Closed => row(
                "closed",
                503,
                14,
                "UC",
                Upstream,
                "upstream closed the connection",
            ),
            Self::BadResponse => row(
                "bad-response",
                502,
                14,
                "UPE",
                Upstream,
                "bad upstream response",
            ),
            Self::RequestTimeout => row(
                "request-timeout",
                504,
                4,
                "UT",
                Upstream,
                "upstream request timeout",
            ),
            Self::Deadline => row("deadline", 504, 4, "UT", Upstream, "deadline exceeded"),
            Self::StreamIdle => row("stream-idle", 504, 4, "SI", Upstream, "stream timeout"),
            Self::MaxStream => row(
                "max-stream",
                504,
                4,
                "UMSDR",
                Local,
                "stream lived too long",
            ),
            Self::ConnectionIdle => row("connection-idle", 408, 4, "SI", Downstream, "idle"),
            Self::Draining => row("draining", 503, 14, "DC", Local, "shutting down"),
            Self::Handshake => row("handshake", 400, 13, "DPE", Downstream, ""),
            Self::HandshakeTimeout => row("handshake-timeout", 408, 4, "DPE", Downstream, ""),
            Self::PeerIdentity => row("peer-identity", 403, 16, "DPE", Downstream, ""),
            Self::ConnectionLimit => row("connection-limit", 503, 8, "OM", Local, "overloaded"),
            Self::Passthrough => row(
                "passthrough",
                503,
                14,
                "NR",
                Local,
                "no policy of the mesh lets this leave it",
            ),
            Self::NotCaptured => row("not-captured", 400, 13, "DPE", Downstream, ""),
            Self::UnclearInbound => row("unclear-inbound", 503, 14, "NR", Local, ""),
        }
    }
}

const fn row(
    label: &'static str,
    status: u16,
    grpc: u8,
    flag: &'static str,
    source: Source,
    body: &'static str,
) -> Row {
    // Only the constants above come here, and a test reads each of them.
    let status = match StatusCode::from_u16(status) {
        Ok(status) => status,
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR,
    };
    Row {
        label,
        status,
        grpc,
        flag,
        source,
        body,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_row_is_complete_and_its_own() {
        let mut labels = BTreeSet::new();
        for refusal in Refusal::ALL {
            let row = refusal.row();
            assert!(labels.insert(row.label), "{} is there twice", row.label);
            assert!(row.status.is_client_error() || row.status.is_server_error());
            assert!((1..=16).contains(&row.grpc), "{}", row.label);
            assert!(!row.flag.is_empty());
        }
    }

    #[test]
    fn a_denial_is_told_as_envoy_tells_it() {
        let row = Refusal::Permission.row();
        assert_eq!(
            (row.status.as_u16(), row.grpc, row.body),
            (403, 7, "RBAC: access denied")
        );
    }
}
