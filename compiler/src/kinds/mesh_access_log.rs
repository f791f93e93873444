//! `MeshAccessLog`: what is written about every request and connection (language 5.11).
//!
//! Never formats a line: that is for the proxy.

pub(crate) mod format;

mod check;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::client_match::Match;
use super::target_ref::TargetRef;
use super::telemetry_ref::TelemetryRef;
use super::{Body, DESTINATIONS, KindInfo, Scope, Spec, read, schema};

/// What the registry knows.
pub(crate) const KIND: KindInfo = KindInfo {
    name: "MeshAccessLog",
    short: "mal",
    to: DESTINATIONS,
    example: include_str!("mesh_access_log/example.yaml"),
    scope: Scope::Mesh,
    body: Body::Spec,
    system_only: false,
    name_is_label: false,
    is_policy: true,
    schema: schema::of::<MeshAccessLog>,
    parse: |body, check| {
        let spec: MeshAccessLog = read::typed(body, check)?;
        spec.check(check);
        Some(Spec::MeshAccessLog)
    },
};

/// What is written about every request and connection. Either `to`, for traffic that the selected proxies send, or
/// `rules`, for traffic that they receive.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(crate) struct MeshAccessLog {
    /// Whose proxies: `Mesh` or `Dataplane`; with `rules`, `sectionName` selects one inbound. Default: `Mesh`.
    pub(crate) target_ref: Option<TargetRef>,
    /// By destination: `Mesh`, `MeshService`, `MeshExternalService`, `MeshMultiZoneService` or `MeshHTTPRoute`.
    #[serde(default)]
    pub(crate) to: Vec<LogTo>,
    /// Traffic that the proxies receive. Every rule that matches writes.
    #[serde(default)]
    pub(crate) rules: Vec<LogRule>,
}

/// Logs of traffic to a destination.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(crate) struct LogTo {
    /// Which destinations. Required.
    pub(crate) target_ref: Option<TargetRef>,
    /// The logs. Required.
    pub(crate) default: Option<LogConf>,
}

/// Logs of what is received.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(crate) struct LogRule {
    /// Which clients; any one may match. Default: all.
    #[serde(default)]
    pub(crate) matches: Vec<Match>,
    /// The logs. Required.
    pub(crate) default: Option<LogConf>,
}

/// Logs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(crate) struct LogConf {
    /// Where they go. `[]` is no log. Required.
    pub(crate) backends: Option<Vec<LogBackend>>,
}

/// Where a log goes. The member that belongs to `type` is required.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(crate) struct LogBackend {
    /// `Tcp`, `File` or `OpenTelemetry`. Required.
    #[serde(rename = "type")]
    pub(crate) kind: Option<LogBackendType>,
    /// For `Tcp`.
    pub(crate) tcp: Option<LogTcp>,
    /// For `File`.
    pub(crate) file: Option<LogFile>,
    /// For `OpenTelemetry`.
    pub(crate) open_telemetry: Option<LogTelemetry>,
}

/// Where a log goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
pub(crate) enum LogBackendType {
    /// Over a connection, one line per record.
    Tcp,
    /// Into a file.
    File,
    /// To a collector.
    OpenTelemetry,
}

/// A connection.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(crate) struct LogTcp {
    /// `<host>:<port>`. Required.
    pub(crate) address: Option<String>,
    /// How a record is written. Default: that of the language.
    pub(crate) format: Option<LogFormat>,
}

/// A file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(crate) struct LogFile {
    /// Its path, `/dev/stdout` for instance. Required.
    pub(crate) path: Option<String>,
    /// How a record is written. Default: that of the language.
    pub(crate) format: Option<LogFormat>,
}

/// A collector.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(crate) struct LogTelemetry {
    /// Which one. Required.
    pub(crate) backend_ref: Option<TelemetryRef>,
    /// Attributes of a record.
    pub(crate) attributes: Option<Vec<KeyValue>>,
    /// The body of a record: any value.
    pub(crate) body: Option<Value>,
}

/// How a record is written. The member that belongs to `type` is required.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(crate) struct LogFormat {
    /// `Plain` or `Json`. Required.
    #[serde(rename = "type")]
    pub(crate) kind: Option<LogFormatType>,
    /// For `Plain`: a text with `%OPERATOR%`s.
    pub(crate) plain: Option<String>,
    /// For `Json`: the fields of an object.
    pub(crate) json: Option<Vec<KeyValue>>,
    /// Are fields without a value left out? Default: `false`.
    #[schemars(extend("default" = false))]
    pub(crate) omit_empty_values: Option<bool>,
}

/// How a record is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
pub(crate) enum LogFormatType {
    /// As text.
    Plain,
    /// As JSON.
    Json,
}

/// A field.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(crate) struct KeyValue {
    /// Its name. Required.
    pub(crate) key: Option<String>,
    /// A text with `%OPERATOR%`s. Required.
    pub(crate) value: Option<String>,
}
