//! Routes: what a request must look like, what is done to it, and where it goes (language 5.1 and 5.2).

use serde::{Deserialize, Serialize};

use super::{
    Destination, HashPolicy, LogBackend, Protocol, RequestRetry, Retry, Timeouts, WeightedBackend,
};
use crate::kri::Kri;
use crate::origin::{Origin, Sourced};

/// One match of one rule, in the place where it is tried.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HttpRoute {
    /// The `MeshHTTPRoute` with section `rule_<i>`; the service for the implied catch-all.
    pub kri: Kri,
    /// What the request must look like.
    #[serde(rename = "match")]
    pub matches: RequestMatch,
    /// Applied in this order.
    pub filters: Vec<Filter>,
    /// Never empty, unless a filter redirects.
    pub backends: Vec<WeightedBackend>,
    /// Instead of those of the destination, where a `MeshTimeout` targets this route.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeouts: Option<Box<Timeouts>>,
    /// Instead of those of the destination, where a `MeshLoadBalancingStrategy` targets this route.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hash_policies: Option<Sourced<Vec<HashPolicy>>>,
    /// Instead of that of the destination, where a `MeshAccessLog` targets this route.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access_log: Option<Sourced<Vec<LogBackend>>>,
    /// Instead of that of the destination, where a `MeshRetry` targets this route.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry: Option<Retry>,
    /// The rule, or the service document for the implied catch-all.
    pub origin: Origin,
}

/// The split of TCP connections.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TcpRoute {
    /// The `MeshTCPRoute`; the service where there is none.
    pub kri: Kri,
    /// Never empty.
    pub backends: Vec<WeightedBackend>,
    /// The rule, or the service document.
    pub origin: Origin,
}

/// What a request must look like; all parts must hold. The empty match holds for every request.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RequestMatch {
    /// `None`: any path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<PathMatch>,
    /// `None`: any method. Upper case.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// All must hold.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub headers: Vec<HeaderMatch>,
    /// All must hold.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub query: Vec<QueryMatch>,
}

/// How the path, without query, is compared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    tag = "type",
    content = "value",
    rename_all = "camelCase",
    deny_unknown_fields
)]
pub enum PathMatch {
    /// Equal to the byte.
    Exact(String),
    /// Segment-wise: `/v2` holds for `/v2` and `/v2/x`, not for `/v2x`. No trailing slash, except `/` itself.
    Prefix(String),
    /// RE2 syntax, full match.
    Regex(String),
}

/// How a header is compared; several values of it are joined with `,` first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HeaderMatch {
    /// Lower case.
    pub name: String,
    /// What its value must be.
    pub value: TextMatch,
}

/// How a query parameter is compared; the first occurrence counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct QueryMatch {
    /// Case counts.
    pub name: String,
    /// What its value must be: `Exact` or `Regex`.
    pub value: TextMatch,
}

/// How a text is compared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    tag = "type",
    content = "value",
    rename_all = "camelCase",
    deny_unknown_fields
)]
pub enum TextMatch {
    /// Equal to the byte.
    Exact(String),
    /// Begins with.
    Prefix(String),
    /// RE2 syntax, full match.
    Regex(String),
    /// There is one, whatever its value.
    Present,
    /// There is none.
    Absent,
}

/// What is done to a request or its response.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    tag = "type",
    content = "value",
    rename_all = "camelCase",
    deny_unknown_fields
)]
pub enum Filter {
    /// On the way to the backend.
    RequestHeaders(HeaderModifier),
    /// On the way back to the client.
    ResponseHeaders(HeaderModifier),
    /// Answered here; no backend is contacted.
    Redirect(Redirect),
    /// Host and path towards the backend.
    Rewrite(Rewrite),
    /// A copy of some requests to another service; its response is ignored.
    Mirror(Mirror),
}

/// Headers that no filter may change, in lower case: the framing of messages, where they go, and who sent them.
pub const RESERVED_HEADERS: [&str; 8] = [
    "connection",
    "content-length",
    "host",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "x-forwarded-client-cert",
];

/// Applied in the order set, add, remove. Never holds one of the [`RESERVED_HEADERS`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HeaderModifier {
    /// Replaces every value of the header, or creates it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub set: Vec<HeaderPair>,
    /// One more value.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub add: Vec<HeaderPair>,
    /// Lower-case names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub remove: Vec<String>,
}

/// A header to write.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HeaderPair {
    /// Lower case.
    pub name: String,
    /// Visible ASCII and spaces.
    pub value: String,
}

/// What the `location` of a redirect is made of; absent parts are the request's own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Redirect {
    /// `http` or `https`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scheme: Option<String>,
    /// A DNS name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hostname: Option<String>,
    /// 1 to 65535.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// The path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<PathRewrite>,
    /// 301, 302, 303, 307 or 308.
    pub status: u16,
}

/// What the backend sees instead of the request's own.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Rewrite {
    /// The `host` header or `:authority`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hostname: Option<String>,
    /// The path; the query is kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<PathRewrite>,
}

/// How a path is replaced (Gateway API semantics, language 5.1.2).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    tag = "type",
    content = "value",
    rename_all = "camelCase",
    deny_unknown_fields
)]
pub enum PathRewrite {
    /// The whole path.
    Full(String),
    /// The segments that the route's prefix matched: `/v1` to `/v2` makes `/v2/users` of `/v1/users`.
    Prefix(String),
}

/// A copy of some requests.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Mirror {
    /// In millionths, 0 to 1,000,000.
    pub parts_per_million: u32,
    /// The key of the cluster; an unresolved reference mirrors nothing.
    pub cluster: Option<Kri>,
}

impl HttpRoute {
    /// For every request that comes so far, as it is.
    #[must_use]
    pub fn new(kri: Kri, backends: Vec<WeightedBackend>, origin: Origin) -> Self {
        Self {
            kri,
            matches: RequestMatch::default(),
            filters: Vec::new(),
            backends,
            timeouts: None,
            hash_policies: None,
            access_log: None,
            retry: None,
            origin,
        }
    }

    /// The limits of its requests: its own, or else those of its destination.
    #[must_use]
    pub fn timeouts<'a>(&'a self, destination: &'a Destination) -> &'a Timeouts {
        self.timeouts.as_ref().unwrap_or(&destination.timeouts)
    }

    /// What of its requests is tried again: as it says itself, or else its destination.
    #[must_use]
    pub fn retry<'a>(&'a self, destination: &'a Destination) -> Option<&'a RequestRetry> {
        match self.retry.as_ref().or(destination.retry.as_ref())? {
            Retry::Requests(requests) => Some(requests),
            Retry::Connections(_) => None,
        }
    }

    /// Does it need HTTP at the far end?
    #[must_use]
    pub fn redirects(&self) -> bool {
        self.filters
            .iter()
            .any(|filter| matches!(filter, Filter::Redirect(_)))
    }
}

impl Protocol {
    /// As the documents write it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Http => "http",
            Self::Http2 => "http2",
            Self::Grpc => "grpc",
        }
    }
}
