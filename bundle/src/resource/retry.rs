//! What is tried again towards a destination (language 5.4).
//!
//! Never says whether something went wrong: a condition is a name for what the data plane sees. What a port does not
//! speak is not here: connections are tried again where bytes are forwarded, requests where HTTP is.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::HeaderMatch;
use crate::duration::Duration;
use crate::origin::Sourced;

/// What is tried again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "camelCase")]
pub enum Retry {
    /// To connect, for traffic that is forwarded as bytes.
    Connections(ConnectionRetry),
    /// Requests and calls.
    Requests(Box<RequestRetry>),
}

/// How often a connection is tried. From `tcp` of the language.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ConnectionRetry {
    /// The first time included; 1 or more.
    pub max_connect_attempts: Sourced<u32>,
}

/// When and how often a request is sent again. From `http` of the language, or from `grpc` for a port that speaks it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RequestRetry {
    /// Besides the first time; 0: never again.
    pub num_retries: Sourced<u32>,
    /// How long one time may take. Zero: as long as the request as a whole.
    pub per_try_timeout: Sourced<Duration>,
    /// The waits in between.
    pub back_off: BackOff,
    /// Instead of it, where a response says how long to wait.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate_limited_back_off: Option<RateLimitedBackOff>,
    /// What is reason to send it again.
    pub retry_on: Sourced<RetryOn>,
    /// A response with one of these headers is reason too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response_headers: Option<Sourced<Vec<HeaderMatch>>>,
    /// Only requests with one of these headers are sent again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_headers: Option<Sourced<Vec<HeaderMatch>>>,
    /// Which instances are passed over, the next time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host_selection: Option<Sourced<Vec<HostSelection>>>,
    /// How often another instance is drawn when one is passed over; after that the one that was drawn last is taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host_selection_max_attempts: Option<Sourced<u32>>,
}

/// Waits that double: before retry `n`, from 1, at most `min(base * 2^(n-1), max)`, of which a random part is waited.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct BackOff {
    /// The longest that the first wait may be.
    pub base: Sourced<Duration>,
    /// The longest that any wait may be.
    pub max: Sourced<Duration>,
}

/// Waits that a response asks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RateLimitedBackOff {
    /// Never empty; the first that a response has counts.
    pub reset_headers: Sourced<Vec<ResetHeader>>,
    /// A response that asks for more is not waited for; never zero.
    pub max: Sourced<Duration>,
}

/// A response header that says how long to wait.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ResetHeader {
    /// Lower case.
    pub name: String,
    /// How its value is read.
    pub format: ResetFormat,
}

/// How a response header says how long to wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ResetFormat {
    /// A number of seconds.
    Seconds,
    /// The seconds since 1970 at which the wait is over.
    UnixTimestamp,
}

/// What is reason to send a request again: any condition, status or code that holds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RetryOn {
    /// What has gone wrong. Never empty, unless there are codes.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub conditions: BTreeSet<RetryCondition>,
    /// Responses with these statuses, 100 to 599.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub statuses: BTreeSet<u16>,
    /// Calls that end with these.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub codes: BTreeSet<GrpcCode>,
    /// Only requests with these methods, in upper case. Empty: all.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub methods: BTreeSet<String>,
}

/// What can go wrong with a request. Written as the documents write it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum RetryCondition {
    /// A response 500 to 599, or none: no connection, a reset, a refused stream.
    #[serde(rename = "5xx")]
    ServerError,
    /// A response 502, 503 or 504, or no connection.
    GatewayError,
    /// The server went away, or the time of one try was over, before a response began.
    Reset,
    /// A response 409.
    Retriable4xx,
    /// No connection could be established, or not in time.
    ConnectFailure,
    /// A response with the header `x-envoy-ratelimited`: a rate limit refused the request.
    #[serde(rename = "EnvoyRatelimited")]
    RateLimited,
    /// HTTP/2 `REFUSED_STREAM`: the server has not looked at the request.
    RefusedStream,
    /// A connection of HTTP/3 failed after it was established. Proxies do not speak it, so it never holds.
    Http3PostConnectFailure,
}

/// How a gRPC call can end, of the codes that a call may be sent again on. Written as the documents write it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum GrpcCode {
    /// 1
    Canceled,
    /// 4
    DeadlineExceeded,
    /// 13
    Internal,
    /// 8
    ResourceExhausted,
    /// 14
    Unavailable,
}

/// Which instances are passed over when a request is sent again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    tag = "type",
    content = "value",
    rename_all = "camelCase",
    deny_unknown_fields
)]
pub enum HostSelection {
    /// Those that it was sent to.
    OmitPreviousHosts,
    /// Those with all of these labels; never none.
    OmitHostsWithTags(BTreeMap<String, String>),
    /// Those of priorities that it was sent to; after so many tries, 1 or more, priorities are judged anew.
    OmitPreviousPriorities(u32),
}

impl RequestRetry {
    /// What is built in where a section is set (language 5.4): once, after 25 ms at most, as long as the request may take.
    #[must_use]
    pub fn new(retry_on: RetryOn) -> Self {
        Self {
            num_retries: Sourced::built_in(1),
            per_try_timeout: Sourced::built_in(Duration::ZERO),
            back_off: BackOff::from_base(Sourced::built_in(BackOff::BASE)),
            rate_limited_back_off: None,
            retry_on: Sourced::built_in(retry_on),
            response_headers: None,
            request_headers: None,
            host_selection: None,
            host_selection_max_attempts: None,
        }
    }
}

impl BackOff {
    /// The first wait, where nothing else is said (language 5.4).
    pub const BASE: Duration = Duration::from_millis(25);

    /// With the longest wait that is built in: ten times the first.
    #[must_use]
    pub fn from_base(base: Sourced<Duration>) -> Self {
        let longest = base.value.as_std().saturating_mul(10);
        Self {
            base,
            max: Sourced::built_in(longest.into()),
        }
    }
}

impl RetryOn {
    /// For requests, where no condition is named (language 5.4).
    #[must_use]
    pub fn requests() -> Self {
        use RetryCondition::{ConnectFailure, GatewayError, RefusedStream};
        Self {
            conditions: BTreeSet::from([GatewayError, ConnectFailure, RefusedStream]),
            ..Self::default()
        }
    }

    /// For calls, where nothing is named (language 5.4).
    #[must_use]
    pub fn calls() -> Self {
        use GrpcCode::{Canceled, ResourceExhausted, Unavailable};
        Self {
            conditions: BTreeSet::from([
                RetryCondition::ConnectFailure,
                RetryCondition::GatewayError,
                RetryCondition::RefusedStream,
                RetryCondition::Reset,
            ]),
            codes: BTreeSet::from([Canceled, ResourceExhausted, Unavailable]),
            ..Self::default()
        }
    }
}
