//! `MeshRetry`: what a proxy sends again (language 5.4).
//!
//! Never holds the built-in values: those are of the proxy that no policy selects.

mod check;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::mesh_http_route::HttpHeaderMatch;
use super::scalar::TimeSpan;
use super::target_ref::TargetRef;
use super::{Body, DESTINATIONS, KindInfo, Scope, Spec, read, schema};

/// What the registry knows.
pub(crate) const KIND: KindInfo = KindInfo {
    name: "MeshRetry",
    short: "mr",
    to: DESTINATIONS,
    example: include_str!("mesh_retry/example.yaml"),
    scope: Scope::Mesh,
    body: Body::Spec,
    system_only: false,
    name_is_label: false,
    is_policy: true,
    schema: schema::of::<MeshRetry>,
    parse: |body, check| {
        let spec: MeshRetry = read::typed(body, check)?;
        spec.check(check);
        Some(Spec::MeshRetry(spec))
    },
};

/// What the selected proxies send again, and how often.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(crate) struct MeshRetry {
    /// Whose proxies: `Mesh` or `Dataplane`. Default: `Mesh`.
    pub(crate) target_ref: Option<TargetRef>,
    /// By destination: `Mesh`, `MeshService`, `MeshExternalService`, `MeshMultiZoneService` or `MeshHTTPRoute`.
    #[serde(default)]
    pub(crate) to: Vec<RetryTo>,
}

/// Retries towards a destination.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(crate) struct RetryTo {
    /// Which destinations. Required.
    pub(crate) target_ref: Option<TargetRef>,
    /// The retries. Required.
    pub(crate) default: Option<RetryConf>,
}

/// Retries, by what the port speaks. At least one section has to be set.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(crate) struct RetryConf {
    /// For `tcp`.
    pub(crate) tcp: Option<TcpRetry>,
    /// For `http` and `http2`.
    pub(crate) http: Option<HttpRetry>,
    /// For `grpc`.
    pub(crate) grpc: Option<GrpcRetry>,
}

/// Retries of connections.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(crate) struct TcpRetry {
    /// How often a connection is tried, more than zero. Required.
    pub(crate) max_connect_attempt: Option<u32>,
}

/// Retries of requests. At least one field has to be set.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(crate) struct HttpRetry {
    /// How often; 0 switches retries off. Built in: 1.
    pub(crate) num_retries: Option<u32>,
    /// How long one attempt may take. Built in: the timeout of the request.
    pub(crate) per_try_timeout: Option<TimeSpan>,
    /// How long to wait in between.
    pub(crate) back_off: Option<BackOff>,
    /// How long to wait when the response says so. No effect yet.
    pub(crate) rate_limited_back_off: Option<RateLimitedBackOff>,
    /// On what: `5xx`, `GatewayError`, `Reset`, `Retriable4xx`, `ConnectFailure`, `EnvoyRatelimited`, `RefusedStream`,
    /// `Http3PostConnectFailure`, a status code as a text, or `HttpMethod…` for the methods that may be sent again.
    /// Built in: `GatewayError`, `ConnectFailure`, `RefusedStream`, also where only codes or methods are given.
    pub(crate) retry_on: Option<Vec<Value>>,
    /// Responses with such headers are reason to retry. No effect yet.
    pub(crate) retriable_response_headers: Option<Vec<HttpHeaderMatch>>,
    /// Requests with such headers only. No effect yet.
    pub(crate) retriable_request_headers: Option<Vec<HttpHeaderMatch>>,
    /// Which instances are passed over. No effect yet.
    pub(crate) host_selection: Option<Vec<HostSelection>>,
    /// How often another instance is looked for. Built in: 1. No effect yet.
    pub(crate) host_selection_max_attempts: Option<i64>,
}

/// Retries of calls. At least one field has to be set.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(crate) struct GrpcRetry {
    /// How often; 0 switches retries off. Built in: 1.
    pub(crate) num_retries: Option<u32>,
    /// How long one attempt may take. Built in: the timeout of the request.
    pub(crate) per_try_timeout: Option<TimeSpan>,
    /// How long to wait in between.
    pub(crate) back_off: Option<BackOff>,
    /// How long to wait when the response says so. No effect yet.
    pub(crate) rate_limited_back_off: Option<RateLimitedBackOff>,
    /// On what: `Canceled`, `DeadlineExceeded`, `Internal`, `ResourceExhausted`, `Unavailable`.
    pub(crate) retry_on: Option<Vec<Value>>,
}

/// Waits that double, with jitter. At least one field has to be set.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(crate) struct BackOff {
    /// The first. Built in: `25ms`.
    pub(crate) base_interval: Option<TimeSpan>,
    /// The longest. Built in: ten times the first.
    pub(crate) max_interval: Option<TimeSpan>,
}

/// Waits that a response asks for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(crate) struct RateLimitedBackOff {
    /// The headers that say how long, the first that is there counts. At least one.
    #[serde(default)]
    pub(crate) reset_headers: Vec<ResetHeader>,
    /// The longest, more than zero. Built in: `300s`.
    pub(crate) max_interval: Option<TimeSpan>,
}

/// A header that says how long to wait.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(crate) struct ResetHeader {
    /// Its name. Required.
    pub(crate) name: Option<String>,
    /// `Seconds` or `UnixTimestamp`. Required.
    pub(crate) format: Option<ResetFormat>,
}

/// How a wait is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
pub(crate) enum ResetFormat {
    /// As a number of seconds.
    Seconds,
    /// As a point in time.
    UnixTimestamp,
}

/// Instances to pass over.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(crate) struct HostSelection {
    /// `OmitPreviousHosts`, `OmitHostsWithTags` or `OmitPreviousPriorities`. Required.
    pub(crate) predicate: Option<Predicate>,
    /// With `OmitHostsWithTags`: the labels.
    #[serde(default)]
    pub(crate) tags: BTreeMap<String, String>,
    /// With `OmitPreviousPriorities`: after how many attempts priorities change, more than zero. Default: 2.
    #[schemars(extend("default" = 2))]
    pub(crate) update_frequency: Option<u32>,
}

/// Which instances are passed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
pub(crate) enum Predicate {
    /// Those that were tried.
    #[serde(rename = "OmitPreviousHosts")]
    PreviousHosts,
    /// Those with labels.
    #[serde(rename = "OmitHostsWithTags")]
    HostsWithTags,
    /// Those of priorities that were tried.
    #[serde(rename = "OmitPreviousPriorities")]
    PreviousPriorities,
}
