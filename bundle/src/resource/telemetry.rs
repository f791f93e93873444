//! Collectors of OpenTelemetry that logs, metrics and traces are sent to (language 3.11).
//!
//! Never says what is sent: that is of the resource that holds a collector.

use serde::{Deserialize, Serialize};

use crate::kri::Kri;
use crate::origin::Origin;

/// A collector. Proxies dial it directly, outside of the mesh.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Collector {
    /// The `MeshOpenTelemetryBackend`.
    pub kri: Kri,
    /// How it is spoken to.
    pub protocol: CollectorProtocol,
    /// IP address or DNS name. `None`: only the environment of the proxy can tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// 1 to 65535.
    pub port: u16,
    /// With HTTP: what `/v1/logs`, `/v1/metrics` and `/v1/traces` are appended to. Empty: nothing stands before them.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub path: String,
    /// What the proxy may take from its own environment, `OTEL_EXPORTER_…`.
    #[serde(default, skip_serializing_if = "Environment::is_default")]
    pub environment: Environment,
    /// The document.
    pub origin: Origin,
}

/// How a collector is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CollectorProtocol {
    /// OTLP over gRPC.
    Grpc,
    /// OTLP over HTTP.
    Http,
}

/// What a proxy may take from its own environment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Environment {
    /// Does it count at all?
    pub mode: EnvironmentMode,
    /// Does it win over what the collector's document says?
    pub first: bool,
    /// Do variables of one signal count, `OTEL_EXPORTER_OTLP_TRACES_…`?
    pub per_signal: bool,
}

/// Does the environment count?
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EnvironmentMode {
    /// No.
    Disabled,
    /// Where it is set.
    Optional,
    /// It has to be set.
    Required,
}

impl Collector {
    /// The port of OTLP over gRPC, where a document names none.
    pub const PORT: u16 = 4317;
}

impl Default for Environment {
    /// What counts where a document says nothing.
    fn default() -> Self {
        Self {
            mode: EnvironmentMode::Optional,
            first: true,
            per_signal: true,
        }
    }
}

impl Environment {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}
