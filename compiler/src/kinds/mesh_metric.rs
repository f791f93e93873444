//! `MeshMetric`: what a proxy measures, and who gets it (language 5.12).
//!
//! Never names a metric: those are of the proxy.

use mesh_bundle::decide;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::diag::{Code, Pointer};

use super::scalar::TimeSpan;
use super::target_ref::TargetRef;
use super::telemetry_ref::TelemetryRef;
use super::{Body, Check, KindInfo, Scope, Spec, conf, grammar, read, schema};

/// What the registry knows.
pub(crate) const KIND: KindInfo = KindInfo {
    name: "MeshMetric",
    short: "mm",
    to: &[],
    example: include_str!("mesh_metric/example.yaml"),
    scope: Scope::Mesh,
    body: Body::Spec,
    system_only: false,
    name_is_label: false,
    is_policy: true,
    schema: schema::of::<MeshMetric>,
    parse: |body, check| {
        let spec: MeshMetric = read::typed(body, check)?;
        spec.check(check);
        Some(Spec::MeshMetric)
    },
};

/// What the selected proxies measure, and who gets it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(crate) struct MeshMetric {
    /// Whose proxies: `Mesh` or `Dataplane`. Default: `Mesh`.
    pub(crate) target_ref: Option<TargetRef>,
    /// The settings.
    pub(crate) default: Option<MetricConf>,
}

/// Settings of metrics.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(crate) struct MetricConf {
    /// The metrics of the proxy itself.
    pub(crate) sidecar: Option<SidecarMetrics>,
    /// Metrics of the workload that are passed on.
    pub(crate) applications: Option<Vec<Application>>,
    /// Who gets them.
    pub(crate) backends: Option<Vec<MetricBackend>>,
}

/// The metrics of the proxy itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(crate) struct SidecarMetrics {
    /// Which ones.
    pub(crate) profiles: Option<Profiles>,
    /// Also those that nothing was counted in. Default: `false`.
    #[schemars(extend("default" = false))]
    pub(crate) include_unused: Option<bool>,
}

/// Which metrics: `include` is stronger than `exclude`, that is stronger than profiles.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(crate) struct Profiles {
    /// Sets of metrics; those of all policies are taken together. Built in: `All`.
    pub(crate) append_profiles: Option<Vec<Profile>>,
    /// What is left out.
    pub(crate) exclude: Option<Vec<MetricSelector>>,
    /// What is always there.
    pub(crate) include: Option<Vec<MetricSelector>>,
}

/// A set of metrics.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(crate) struct Profile {
    /// `All`, `Basic` (requests, connections, refusals, and how the proxy is) or `None`. Required.
    pub(crate) name: Option<ProfileName>,
}

/// A set of metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
pub(crate) enum ProfileName {
    /// Every metric.
    All,
    /// The usual ones.
    Basic,
    /// No metric.
    None,
}

/// Metrics of the proxy by their names; a counter goes by its name with `_total` and without.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(crate) struct MetricSelector {
    /// `Prefix`, `Regex`, `Exact` or `Contains`. Required.
    #[serde(rename = "type")]
    pub(crate) how: Option<SelectorType>,
    /// What is compared with the name. Required.
    pub(crate) r#match: Option<String>,
}

/// How a name is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
pub(crate) enum SelectorType {
    /// Its beginning.
    Prefix,
    /// An expression.
    Regex,
    /// All of it.
    Exact,
    /// Any part.
    Contains,
}

/// Metrics of the workload: the proxy asks for them whenever it is asked itself, or sends, and adds them to its own. It waits
/// five seconds at most, and reads 8 MiB and 50,000 samples at most; what does not fit is counted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(crate) struct Application {
    /// The label `application` on all of them. Default: none.
    pub(crate) name: Option<String>,
    /// Where they are. Default: `/metrics`.
    #[schemars(extend("default" = "/metrics"))]
    pub(crate) path: Option<String>,
    /// The address. Default: that of the Dataplane.
    pub(crate) address: Option<String>,
    /// 1 to 65535. Required.
    pub(crate) port: Option<u32>,
}

/// Who gets metrics. The member that belongs to `type` is required.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(crate) struct MetricBackend {
    /// `Prometheus` or `OpenTelemetry`. Required.
    #[serde(rename = "type")]
    pub(crate) kind: Option<MetricBackendType>,
    /// For `Prometheus`.
    pub(crate) prometheus: Option<Prometheus>,
    /// For `OpenTelemetry`.
    pub(crate) open_telemetry: Option<MetricTelemetry>,
}

/// Who gets metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
pub(crate) enum MetricBackendType {
    /// Whoever asks for them.
    Prometheus,
    /// A collector that they are sent to.
    OpenTelemetry,
}

/// Metrics for whoever asks.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(crate) struct Prometheus {
    /// For this client of discovery only. Default: for all.
    pub(crate) client_id: Option<String>,
    /// 1 to 65535. Default: 5670.
    #[schemars(extend("default" = 5670))]
    pub(crate) port: Option<u32>,
    /// Where Prometheus asks for them. Default: `/metrics`.
    #[schemars(extend("default" = "/metrics"))]
    pub(crate) path: Option<String>,
    /// TLS of the endpoint.
    pub(crate) tls: Option<MetricTls>,
}

/// TLS of the endpoint.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(crate) struct MetricTls {
    /// `Disabled`, `ProvidedTLS` or `ActiveMTLSBackend`. Default: `Disabled`.
    #[schemars(extend("default" = "Disabled"))]
    pub(crate) mode: Option<MetricTlsMode>,
}

/// TLS of the endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
pub(crate) enum MetricTlsMode {
    /// With the certificate that the proxy is started with: `--metrics-cert` and `--metrics-key`.
    #[serde(rename = "ProvidedTLS")]
    ProvidedTls,
    /// With the identity of the proxy, for peers that have one of the mesh too.
    #[serde(rename = "ActiveMTLSBackend")]
    ActiveMtlsBackend,
    /// None.
    Disabled,
}

/// A collector.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(crate) struct MetricTelemetry {
    /// Which one. Required.
    pub(crate) backend_ref: Option<TelemetryRef>,
    /// How often. Built in: `60s`.
    pub(crate) refresh_interval: Option<TimeSpan>,
}

impl MeshMetric {
    fn check(&self, check: &mut Check<'_>) {
        TargetRef::check_top(self.target_ref.as_ref(), false, check);
        let at = Pointer::default().field("default");
        let Some(conf) = &self.default else {
            check.warn(
                Code::NO_EFFECT,
                &at,
                "a policy without `default` does nothing",
            );
            return;
        };
        let profiles = conf.sidecar.as_ref();
        if let Some(profiles) = profiles.and_then(|sidecar| sidecar.profiles.as_ref()) {
            profiles.check(&at.field("sidecar").field("profiles"), check);
        }
        for (index, application) in conf.applications.iter().flatten().enumerate() {
            let at = at.field("applications").index(index);
            check.required_port(application.port, &at.field("port"));
            let address = application.address.as_ref();
            if let Some(address) = address.filter(|address| !grammar::is_address(address)) {
                let message = format!("`{address}` is neither an IP address nor a DNS name");
                check.invalid(&at.field("address"), message);
            }
        }
        for (index, backend) in conf.backends.iter().flatten().enumerate() {
            backend.check(&at.field("backends").index(index), check);
        }
    }
}

impl Profiles {
    fn check(&self, at: &Pointer, check: &mut Check<'_>) {
        for (index, profile) in self.append_profiles.iter().flatten().enumerate() {
            if profile.name.is_none() {
                let at = at.field("appendProfiles").index(index).field("name");
                check.missing(&at).help("one of `All`, `Basic`, `None`");
            }
        }
        for (field, list) in [("exclude", &self.exclude), ("include", &self.include)] {
            for (index, selector) in list.iter().flatten().enumerate() {
                selector.check(&at.field(field).index(index), check);
            }
        }
    }
}

impl MetricSelector {
    fn check(&self, at: &Pointer, check: &mut Check<'_>) {
        if self.how.is_none() {
            check
                .missing(&at.field("type"))
                .help("one of `Prefix`, `Regex`, `Exact`, `Contains`");
        }
        let at = at.field("match");
        let Some(text) = check.required(self.r#match.as_ref(), &at) else {
            return;
        };
        if self.how == Some(SelectorType::Regex)
            && let Err(reason) = decide::check_pattern(text)
        {
            let message = format!("`{text}` is not a usable expression: {reason}");
            check.error(Code::INVALID_REGEX, &at, message);
        }
    }
}

impl MetricBackend {
    fn check(&self, at: &Pointer, check: &mut Check<'_>) {
        let Some(kind) = self.kind else {
            check
                .missing(&at.field("type"))
                .help("one of `Prometheus`, `OpenTelemetry`");
            return;
        };
        let wanted = match kind {
            MetricBackendType::Prometheus => "prometheus",
            MetricBackendType::OpenTelemetry => "openTelemetry",
        };
        let members = [
            ("prometheus", self.prometheus.is_some()),
            ("openTelemetry", self.open_telemetry.is_some()),
        ];
        conf::member_of(&format!("{kind:?}"), wanted, &members, at, check);
        if let Some(prometheus) = &self.prometheus {
            let at = at.field("prometheus");
            check.port(prometheus.port, &at.field("port"));
            if prometheus.client_id.is_some() {
                let what = "every Prometheus may ask: nobody tells it where";
                check.not_implemented(&at.field("clientId"), what);
            }
        }
        if let Some(telemetry) = &self.open_telemetry {
            let at = at.field("openTelemetry");
            let at = at.field("backendRef");
            TelemetryRef::check(telemetry.backend_ref.as_ref(), &at, check);
        }
    }
}
