//! What a proxy measures, and who gets it (language 5.12).
//!
//! Never names a metric of its own: those are of the proxy.

use serde::{Deserialize, Serialize};

use super::telemetry::Collector;
use crate::duration::Duration;
use crate::origin::Sourced;

/// The metrics of one proxy. A proxy without this resource exports none of its own accord.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Metrics {
    /// Also those that nothing was counted in.
    pub include_unused: Sourced<bool>,
    /// Sets of metrics, taken together. None: all metrics.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub profiles: Vec<Sourced<Profile>>,
    /// What is left out of the sets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exclude: Option<Sourced<Vec<NameMatch>>>,
    /// What is there whatever the sets and `exclude` say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub include: Option<Sourced<Vec<NameMatch>>>,
    /// Metrics of the workload that are passed on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub applications: Option<Sourced<Vec<Application>>>,
    /// Who gets them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backends: Option<Sourced<Vec<MetricsBackend>>>,
}

/// A set of metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Profile {
    /// Every metric.
    All,
    /// The usual ones.
    Basic,
    /// No metric.
    None,
}

/// Metrics by their names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    tag = "type",
    content = "value",
    rename_all = "camelCase",
    deny_unknown_fields
)]
pub enum NameMatch {
    /// All of the name.
    Exact(String),
    /// Its beginning.
    Prefix(String),
    /// Any part of it.
    Contains(String),
    /// An expression that all of the name must match.
    Regex(String),
}

/// Metrics of the workload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Application {
    /// A label on all of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// IP address or DNS name.
    pub address: String,
    /// 1 to 65535.
    pub port: u16,
    /// Begins with `/`.
    pub path: String,
}

/// Who gets metrics.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    tag = "type",
    rename_all = "camelCase",
    rename_all_fields = "camelCase",
    deny_unknown_fields
)]
pub enum MetricsBackend {
    /// Whoever asks for them.
    Prometheus(PrometheusEndpoint),
    /// A collector that they are sent to.
    OpenTelemetry {
        /// Which one.
        collector: Collector,
        /// How often.
        interval: Duration,
    },
}

/// Where metrics can be asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PrometheusEndpoint {
    /// For this client of discovery only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
    /// 1 to 65535.
    pub port: u16,
    /// Begins with `/`.
    pub path: String,
    /// TLS of the endpoint.
    pub tls: EndpointTls,
}

/// TLS of an endpoint of a proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum EndpointTls {
    /// None.
    Disabled,
    /// With a certificate that is given to the proxy.
    Provided,
    /// With the identity of the proxy.
    Identity,
}

impl Default for Metrics {
    /// What counts where a policy says nothing else.
    fn default() -> Self {
        Self {
            include_unused: Sourced::built_in(false),
            profiles: Vec::new(),
            exclude: None,
            include: None,
            applications: None,
            backends: None,
        }
    }
}
