//! `MeshTimeout`: how long to wait, on both ends of a connection (language 5.3).
//!
//! Never holds the built-in values: those are of the proxy that no policy selects.

use schemars::JsonSchema;
use serde::Deserialize;

use super::client_match::Match;
use super::scalar::TimeSpan;
use super::target_ref::TargetRef;
use super::{Body, DESTINATIONS, KindInfo, PolicyInfo, Scope, Spec, Style, read, schema};

/// What the registry knows.
pub(crate) const KIND: KindInfo = KindInfo {
    name: "MeshTimeout",
    short: "mt",
    scope: Scope::Mesh,
    body: Body::Spec,
    system_only: false,
    name_is_label: false,
    policy: Some(PolicyInfo {
        style: Style::ToOrRules,
        to: DESTINATIONS,
    }),
    schema: schema::of::<MeshTimeout>,
    parse: |body, check| {
        let spec: MeshTimeout = read::typed(body, check)?;
        Some(Spec::MeshTimeout(spec))
    },
};

/// How long to wait. Either `to`, for traffic that the selected proxies send, or `rules`, for traffic that they receive.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(crate) struct MeshTimeout {
    /// Whose proxies: `Mesh` or `Dataplane`; with `rules`, `sectionName` selects one inbound. Default: `Mesh`.
    pub(crate) target_ref: Option<TargetRef>,
    /// Traffic that the proxies send, by destination: `Mesh`, `MeshService`, `MeshExternalService`,
    /// `MeshMultiZoneService` or `MeshHTTPRoute`.
    #[serde(default)]
    pub(crate) to: Vec<TimeoutTo>,
    /// Traffic that the proxies receive.
    #[serde(default)]
    pub(crate) rules: Vec<TimeoutRule>,
}

/// Timeouts towards a destination.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(crate) struct TimeoutTo {
    /// Which destinations. Required.
    pub(crate) target_ref: Option<TargetRef>,
    /// The timeouts. Required.
    pub(crate) default: Option<TimeoutConf>,
}

/// Timeouts for what is received.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(crate) struct TimeoutRule {
    /// Which clients; any one may match. Default: all. With a `spiffeID` only `http.requestTimeout` and
    /// `http.streamIdleTimeout` may be set.
    #[serde(default)]
    pub(crate) matches: Vec<Match>,
    /// The timeouts. Required.
    pub(crate) default: Option<TimeoutConf>,
}

/// Timeouts. At least one has to be set; the others come from weaker policies or are built in.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(crate) struct TimeoutConf {
    /// To establish a connection, TLS included. More than zero. Built in: `5s`.
    pub(crate) connection_timeout: Option<TimeSpan>,
    /// No byte on a TCP connection, or no active request on an HTTP connection. `0s`: off. Built in: `1h`.
    pub(crate) idle_timeout: Option<TimeSpan>,
    /// For HTTP traffic.
    pub(crate) http: Option<HttpTimeouts>,
}

/// Timeouts of requests. At least one has to be set.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(crate) struct HttpTimeouts {
    /// The whole request until the end of the response, retries included. `0s`: off. Built in: `15s`.
    pub(crate) request_timeout: Option<TimeSpan>,
    /// No activity on one request. `0s`: off. Built in: `30m`.
    pub(crate) stream_idle_timeout: Option<TimeSpan>,
    /// The longest that one request may take, streaming included. `0s`: off. Built in: `0s`.
    pub(crate) max_stream_duration: Option<TimeSpan>,
    /// The longest that a connection may live; then it is drained. `0s`: off. Built in: `0s`.
    pub(crate) max_connection_duration: Option<TimeSpan>,
    /// To receive all headers of a request. `0s`: off. Built in: `0s`.
    pub(crate) request_headers_timeout: Option<TimeSpan>,
}
