//! `MeshTimeout`: how long to wait, on both ends of a connection (language 5.3).
//!
//! Never holds the built-in values: those are of the proxy that no policy selects.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::diag::{Code, Pointer};

use super::client_match::Match;
use super::scalar::TimeSpan;
use super::target_ref::TargetRef;
use super::{Body, Check, DESTINATIONS, KindInfo, Scope, Spec, read, schema};

/// What the registry knows.
pub(crate) const KIND: KindInfo = KindInfo {
    name: "MeshTimeout",
    short: "mt",
    to: DESTINATIONS,
    example: include_str!("mesh_timeout/example.yaml"),
    scope: Scope::Mesh,
    body: Body::Spec,
    system_only: false,
    name_is_label: false,
    is_policy: true,
    schema: schema::of::<MeshTimeout>,
    parse: |body, check| {
        let spec: MeshTimeout = read::typed(body, check)?;
        spec.check(check);
        Some(Spec::MeshTimeout)
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

impl MeshTimeout {
    fn check(&self, check: &mut Check<'_>) {
        TargetRef::check_top(self.target_ref.as_ref(), !self.rules.is_empty(), check);
        let spec = Pointer::default();
        match (self.to.is_empty(), self.rules.is_empty()) {
            (true, true) => {
                let message = "a timeout must have `to` or `rules`";
                check.error(Code::MISSING_FIELD, &spec, message).help(
                    "`to` is for traffic that proxies send, `rules` for traffic that they receive",
                );
            }
            (false, false) => {
                let message = "`to` and `rules` cannot both be set in one policy";
                check
                    .invalid(&spec, message)
                    .help("make two policies of it");
            }
            _ => {}
        }
        for (index, to) in self.to.iter().enumerate() {
            let at = spec.field("to").index(index);
            let target = to.target_ref.as_ref();
            TargetRef::check_item(target, &at.field("targetRef"), KIND.to, check);
            TimeoutConf::check(to.default.as_ref(), &at.field("default"), check);
        }
        for (index, rule) in self.rules.iter().enumerate() {
            rule.check(&spec.field("rules").index(index), check);
        }
    }
}

impl TimeoutRule {
    fn check(&self, at: &Pointer, check: &mut Check<'_>) {
        for (index, one) in self.matches.iter().enumerate() {
            one.check(&at.field("matches").index(index), check);
        }
        let at = at.field("default");
        TimeoutConf::check(self.default.as_ref(), &at, check);
        let about_identity = self.matches.iter().any(|one| one.spiffe_id.is_some());
        let Some(conf) = self.default.as_ref().filter(|_| !self.matches.is_empty()) else {
            return;
        };
        let http = conf.http.clone().unwrap_or_default();
        let before_requests = [
            ("connectionTimeout", conf.connection_timeout, false),
            ("idleTimeout", conf.idle_timeout, false),
            ("requestHeadersTimeout", http.request_headers_timeout, true),
            ("maxStreamDuration", http.max_stream_duration, true),
            ("maxConnectionDuration", http.max_connection_duration, true),
        ];
        for (field, value, inside) in before_requests {
            if value.is_none() {
                continue;
            }
            let at = if inside { at.field("http") } else { at.clone() };
            let at = at.field(field);
            if !about_identity {
                let message = format!("`{field}` has no effect in a rule with `matches`");
                check.warn(Code::NO_EFFECT, &at, message).help(
                    "it is in use before a rule is chosen: set it in a rule without `matches`",
                );
                continue;
            }
            let message = format!("`{field}` cannot depend on who the client is");
            check.invalid(&at, message).help(
                "with a `spiffeID` only `http.requestTimeout` and `http.streamIdleTimeout` can be set: use a rule without `matches` for the others",
            );
        }
    }
}

impl TimeoutConf {
    /// Checks timeouts.
    pub(crate) fn check(conf: Option<&Self>, at: &Pointer, check: &mut Check<'_>) {
        let empty = Self::default();
        let conf = conf.unwrap_or(&empty);
        if *conf == empty {
            check.error(Code::MISSING_FIELD, at, "at least one timeout must be set");
        }
        if conf.connection_timeout.is_some_and(|span| span.0.is_zero()) {
            let message = "`connectionTimeout` must be more than zero";
            check.invalid(&at.field("connectionTimeout"), message);
        }
        if conf
            .http
            .as_ref()
            .is_some_and(|http| *http == HttpTimeouts::default())
        {
            let message = "at least one timeout must be set in this section";
            check.error(Code::MISSING_FIELD, &at.field("http"), message);
        }
    }
}
