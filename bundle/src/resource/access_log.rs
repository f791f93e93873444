//! What is written about requests and connections, and where it goes (language 5.11).
//!
//! Formats are here as the compiler has read them: whoever writes a record never looks at the text of a format.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Collector;
use crate::origin::Origin;

mod standard;

/// Where records go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LogBackend {
    /// What it is.
    pub sink: LogSink,
    /// The element of `backends`.
    pub origin: Origin,
}

/// Where records go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    tag = "type",
    rename_all = "camelCase",
    rename_all_fields = "camelCase",
    deny_unknown_fields
)]
pub enum LogSink {
    /// To the end of a file, one line per record.
    File {
        /// Absolute path on the machine of the proxy.
        path: String,
        /// `None`: [`LogFormat::of_requests`] or [`LogFormat::of_connections`], by what is logged.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        format: Option<LogFormat>,
    },
    /// Over a connection, one line per record.
    Tcp {
        /// `host:port`.
        address: String,
        /// `None`: [`LogFormat::of_requests`] or [`LogFormat::of_connections`], by what is logged.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        format: Option<LogFormat>,
    },
    /// To a collector of OpenTelemetry, one log record each.
    OpenTelemetry {
        /// Which one.
        collector: Box<Collector>,
        /// Attributes of a record.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        attributes: Vec<LogField>,
        /// The body of a record. `None`: the line of the default format.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        body: Option<LogTemplate>,
    },
}

/// How a record is written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LogFormat {
    /// The line.
    pub shape: LogShape,
    /// What has no value is left out, instead of being `-` in a text and `null` in JSON.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub omit_empty_values: bool,
}

/// A line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    tag = "type",
    content = "value",
    rename_all = "camelCase",
    deny_unknown_fields
)]
pub enum LogShape {
    /// A text.
    Plain(Vec<LogSegment>),
    /// An object, its fields in this order.
    Json(Vec<LogField>),
}

/// A named value. One that is a single operator keeps its type; everything else is a text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LogField {
    /// Its name.
    pub key: String,
    /// Its parts.
    pub value: Vec<LogSegment>,
}

/// Any JSON value with operators in its texts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    tag = "type",
    content = "value",
    rename_all = "camelCase",
    deny_unknown_fields
)]
pub enum LogTemplate {
    /// A text.
    Text(Vec<LogSegment>),
    /// Truth.
    Bool(bool),
    /// A number, as JSON writes it.
    Number(String),
    /// A list.
    List(Vec<Self>),
    /// An object.
    Object(BTreeMap<String, Self>),
}

/// A part of a text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    tag = "type",
    content = "value",
    rename_all = "camelCase",
    deny_unknown_fields
)]
pub enum LogSegment {
    /// As it stands.
    Text(String),
    /// What an operator says about the request or connection.
    Value(LogValue),
}

/// What an operator says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LogValue {
    /// Which one.
    pub operator: LogOperator,
    /// At most so many characters of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub longest: Option<u32>,
}

/// What a record can say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    tag = "type",
    content = "value",
    rename_all = "camelCase",
    deny_unknown_fields
)]
pub enum LogOperator {
    /// `START_TIME`: when the request or connection began, UTC. Without parts: `2026-01-31T10:00:00.000Z`.
    StartTime(Vec<TimePart>),
    /// `PROTOCOL`: `HTTP/1.1` or `HTTP/2`.
    Protocol,
    /// `RESPONSE_CODE`: the status; 0 where there was none.
    ResponseCode,
    /// `RESPONSE_FLAGS`: why it did not end well.
    ResponseFlags,
    /// `BYTES_RECEIVED`: of the body, or of the connection, from downstream.
    BytesReceived,
    /// `BYTES_SENT`: of the body, or of the connection, to downstream.
    BytesSent,
    /// `DURATION`: milliseconds until the end.
    Duration,
    /// `REQUEST_DURATION`: milliseconds until the last byte of the request came.
    RequestDuration,
    /// `RESPONSE_DURATION`: milliseconds until the first byte of the response came.
    ResponseDuration,
    /// `UPSTREAM_HOST`: address and port of the instance.
    UpstreamHost,
    /// `UPSTREAM_CLUSTER`: the service port that the instance belongs to.
    UpstreamCluster,
    /// `DOWNSTREAM_REMOTE_ADDRESS`: address and port of who connected.
    DownstreamRemoteAddress,
    /// `DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT`.
    DownstreamRemoteAddressWithoutPort,
    /// `DOWNSTREAM_PEER_URI_SAN`: the SPIFFE ID of the peer.
    DownstreamPeerUriSan,
    /// `REQUESTED_SERVER_NAME`: the name in the TLS greeting of downstream.
    RequestedServerName,
    /// `ROUTE_NAME`: the KRI of the route.
    RouteName,
    /// `HOSTNAME`: of the machine that the proxy runs on.
    Hostname,
    /// `REQ(…)`.
    RequestHeader(HeaderName),
    /// `RESP(…)`.
    ResponseHeader(HeaderName),
    /// `KUMA_MESH`.
    Mesh,
    /// `KUMA_ZONE`: of the proxy that writes.
    Zone,
    /// `KUMA_WORKLOAD`: whose proxy writes.
    Workload,
    /// `KUMA_TRAFFIC_DIRECTION`: `INBOUND` or `OUTBOUND`.
    TrafficDirection,
    /// `KUMA_SOURCE_SERVICE`: who sends.
    SourceService,
    /// `KUMA_DESTINATION_SERVICE`: who receives.
    DestinationService,
    /// `KUMA_SOURCE_ADDRESS`: address and port of who sends.
    SourceAddress,
    /// `KUMA_SOURCE_ADDRESS_WITHOUT_PORT`.
    SourceAddressWithoutPort,
}

/// A header, lower case. `:method`, `:path`, `:authority`, `:scheme` and `:status` are headers too.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HeaderName {
    /// Asked for first.
    pub name: String,
    /// Asked for where that is not there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub otherwise: Option<String>,
}

/// A part of a point in time, UTC.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    tag = "type",
    content = "value",
    rename_all = "camelCase",
    deny_unknown_fields
)]
pub enum TimePart {
    /// As it stands.
    Text(String),
    /// Four digits.
    Year,
    /// `01` to `12`.
    Month,
    /// `Jan` to `Dec`.
    MonthName,
    /// `01` to `31`.
    Day,
    /// `00` to `23`.
    Hour,
    /// `00` to `59`.
    Minute,
    /// `00` to `59`.
    Second,
    /// So many digits of the part of a second, 1 to 9.
    Fraction(u8),
    /// Seconds since 1970.
    Unix,
}
