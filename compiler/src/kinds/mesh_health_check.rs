//! `MeshHealthCheck`: how proxies find out which instances are well (language 5.9).
//!
//! Never probes the own workload: that is the `serviceProbe` of a Dataplane.

use mesh_bundle::resource::Payload;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::diag::{Code, Pointer};

use super::mesh_http_route::filter::HeaderChanges;
use super::scalar::TimeSpan;
use super::target_ref::TargetRef;
use super::{Body, Check, KindInfo, Scope, Spec, WHOLE_DESTINATIONS, conf, grammar, read, schema};

/// What the registry knows.
pub(crate) const KIND: KindInfo = KindInfo {
    name: "MeshHealthCheck",
    short: "mhc",
    to: WHOLE_DESTINATIONS,
    example: include_str!("mesh_health_check/example.yaml"),
    scope: Scope::Mesh,
    body: Body::Spec,
    system_only: false,
    name_is_label: false,
    is_policy: true,
    schema: schema::of::<MeshHealthCheck>,
    parse: |body, check| {
        let spec: MeshHealthCheck = read::typed(body, check)?;
        spec.check(check);
        Some(Spec::MeshHealthCheck)
    },
};

/// How the selected proxies probe the instances of a destination.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(crate) struct MeshHealthCheck {
    /// Whose proxies: `Mesh` or `Dataplane`. Default: `Mesh`.
    pub(crate) target_ref: Option<TargetRef>,
    /// By destination: `Mesh`, `MeshService`, `MeshExternalService` or `MeshMultiZoneService`.
    #[serde(default)]
    pub(crate) to: Vec<HealthTo>,
}

/// Probes of a destination.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(crate) struct HealthTo {
    /// Which destinations. Required.
    pub(crate) target_ref: Option<TargetRef>,
    /// The probes. Required.
    pub(crate) default: Option<HealthConf>,
}

/// Probes. The section that fits what the port speaks is used, else `tcp`. At least one has to be set.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(crate) struct HealthConf {
    /// How often, more than zero. Built in: `1m`.
    pub(crate) interval: Option<TimeSpan>,
    /// How long to wait for the answer, more than zero. Built in: `15s`.
    pub(crate) timeout: Option<TimeSpan>,
    /// How many failures in a row make an instance unhealthy, more than zero. Built in: 5.
    pub(crate) unhealthy_threshold: Option<u32>,
    /// How many successes in a row make it healthy again, more than zero. Built in: 1.
    pub(crate) healthy_threshold: Option<u32>,
    /// A random wait before the first probe, more than zero. No effect yet.
    pub(crate) initial_jitter: Option<TimeSpan>,
    /// A random wait before each probe, more than zero. No effect yet.
    pub(crate) interval_jitter: Option<TimeSpan>,
    /// The same as a share of the interval, 0 to 100 percent. No effect yet.
    pub(crate) interval_jitter_percent: Option<u32>,
    /// Below the panic threshold requests fail, instead of going to any instance. Default: `false`.
    pub(crate) fail_traffic_on_panic: Option<bool>,
    /// How often while there is no traffic, more than zero. Built in: `60s`.
    pub(crate) no_traffic_interval: Option<TimeSpan>,
    /// A file that changes of health are written to.
    pub(crate) event_log_path: Option<String>,
    /// Is every failure logged, or the first only? Default: `false`.
    pub(crate) always_log_health_check_failures: Option<bool>,
    /// Is one connection used for all probes? Default: `true`.
    pub(crate) reuse_connection: Option<bool>,
    /// Probes by connecting.
    pub(crate) tcp: Option<TcpHealth>,
    /// Probes by a request.
    pub(crate) http: Option<HttpHealth>,
    /// Probes by the health protocol of gRPC.
    pub(crate) grpc: Option<GrpcHealth>,
}

/// Probes by connecting.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(crate) struct TcpHealth {
    /// Switches it off. Default: `false`.
    pub(crate) disabled: Option<bool>,
    /// What is sent, in base64. Default: nothing.
    pub(crate) send: Option<String>,
    /// What has to come back, each in base64. Default: nothing.
    pub(crate) receive: Option<Vec<String>>,
}

/// Probes by a request.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(crate) struct HttpHealth {
    /// Switches it off. Default: `false`.
    pub(crate) disabled: Option<bool>,
    /// The path. Default: `/`.
    pub(crate) path: Option<String>,
    /// Headers of the request.
    pub(crate) request_headers_to_add: Option<HeaderChanges>,
    /// The statuses of a healthy instance, each 100 to 599. Default: 200.
    pub(crate) expected_statuses: Option<Vec<u32>>,
}

/// Probes by the health protocol of gRPC.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(crate) struct GrpcHealth {
    /// Switches it off. Default: `false`.
    pub(crate) disabled: Option<bool>,
    /// The service that is asked about. Default: the server as a whole.
    pub(crate) service_name: Option<String>,
    /// The authority of the request. Default: the name of the destination.
    pub(crate) authority: Option<String>,
}

impl MeshHealthCheck {
    fn check(&self, check: &mut Check<'_>) {
        TargetRef::check_top(self.target_ref.as_ref(), false, check);
        let at = Pointer::default().field("to");
        if self.to.is_empty() {
            check.warn(Code::NO_EFFECT, &at, "a policy without `to` does nothing");
        }
        for (index, to) in self.to.iter().enumerate() {
            let at = at.index(index);
            let target = to.target_ref.as_ref();
            TargetRef::check_item(target, &at.field("targetRef"), KIND.to, check);
            let at = at.field("default");
            let empty = HealthConf::default();
            to.default.as_ref().unwrap_or(&empty).check(&at, check);
        }
    }
}

impl HealthConf {
    fn check(&self, at: &Pointer, check: &mut Check<'_>) {
        let probes = [
            ("http", self.http.is_some()),
            ("tcp", self.tcp.is_some()),
            ("grpc", self.grpc.is_some()),
        ];
        conf::any_of(&probes, at, check);
        let spans = [
            ("interval", self.interval),
            ("timeout", self.timeout),
            ("initialJitter", self.initial_jitter),
            ("intervalJitter", self.interval_jitter),
            ("noTrafficInterval", self.no_traffic_interval),
        ];
        for (field, span) in spans {
            conf::span_above_zero(span, &at.field(field), check);
        }
        let unhealthy = at.field("unhealthyThreshold");
        conf::above_zero(self.unhealthy_threshold, &unhealthy, check);
        conf::above_zero(self.healthy_threshold, &at.field("healthyThreshold"), check);
        let percent = at.field("intervalJitterPercent");
        conf::between(self.interval_jitter_percent, (0, 100), &percent, check);
        let log = at.field("eventLogPath");
        match self.event_log_path.as_deref() {
            None => {}
            Some(path) if grammar::is_file_path(path) => {}
            Some(path) => {
                check.invalid(&log, format!("`{path}` is not the path of a file"));
            }
        }
        if let Some(tcp) = &self.tcp {
            tcp.check(&at.field("tcp"), check);
        }
        if let Some(http) = &self.http {
            http.check(&at.field("http"), check);
        }
    }
}

impl TcpHealth {
    fn check(&self, at: &Pointer, check: &mut Check<'_>) {
        let sent = self.send.iter().map(|text| (at.field("send"), text));
        let received = self.receive.iter().flatten().enumerate();
        let received = received.map(|(index, text)| (at.field("receive").index(index), text));
        for (at, text) in sent.chain(received) {
            if let Err(malformed) = text.parse::<Payload>() {
                check.invalid(&at, malformed.to_string());
            }
        }
    }
}

impl HttpHealth {
    fn check(&self, at: &Pointer, check: &mut Check<'_>) {
        if self.path.as_ref().is_some_and(String::is_empty) {
            check.missing(&at.field("path"));
        }
        for (index, status) in self.expected_statuses.iter().flatten().enumerate() {
            let at = at.field("expectedStatuses").index(index);
            conf::between(Some(*status), (100, 599), &at, check);
        }
        if let Some(headers) = &self.request_headers_to_add {
            headers.check(&at.field("requestHeadersToAdd"), check);
        }
    }
}
