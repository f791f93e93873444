//! `MeshOpenTelemetryBackend`: a collector that proxies send telemetry to (language 3.11).
//!
//! Never says what is sent: that is for the policies that refer to it.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::diag::Pointer;

use super::{Body, Check, KindInfo, Scope, Spec, grammar, read, schema};

/// What the registry knows.
pub(crate) const KIND: KindInfo = KindInfo {
    name: "MeshOpenTelemetryBackend",
    short: "motb",
    to: &[],
    example: include_str!("mesh_open_telemetry_backend/example.yaml"),
    scope: Scope::Mesh,
    body: Body::Spec,
    system_only: true,
    name_is_label: false,
    is_policy: false,
    schema: schema::of::<MeshOpenTelemetryBackend>,
    parse: |body, check| {
        let spec: MeshOpenTelemetryBackend = read::typed(body, check)?;
        spec.check(check);
        Some(Spec::MeshOpenTelemetryBackend(spec))
    },
};

/// A collector of OpenTelemetry. Proxies dial it directly, outside of the mesh.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(crate) struct MeshOpenTelemetryBackend {
    /// Where it is.
    pub(crate) endpoint: Option<TelemetryEndpoint>,
    /// `grpc` or `http`. Default: `grpc`.
    pub(crate) protocol: Option<TelemetryProtocol>,
    /// What proxies may take from their own environment.
    pub(crate) env: Option<TelemetryEnv>,
}

/// Where a collector is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(crate) struct TelemetryEndpoint {
    /// An IP address or a DNS name.
    pub(crate) address: Option<String>,
    /// 1 to 65535. Default: 4317.
    pub(crate) port: Option<u32>,
    /// With `http` only: what `/v1/traces`, `/v1/metrics` and `/v1/logs` are appended to.
    pub(crate) path: Option<String>,
}

/// How a collector is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum TelemetryProtocol {
    /// OTLP over gRPC.
    Grpc,
    /// OTLP over HTTP.
    Http,
}

/// What proxies may take from their own environment, `OTEL_EXPORTER_…`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(crate) struct TelemetryEnv {
    /// `Disabled`, `Optional`, or `Required`, with which nothing is sent where no variable is set. Default: `Optional`.
    pub(crate) mode: Option<EnvMode>,
    /// Which one wins: `EnvFirst` or `ExplicitFirst`. Default: `EnvFirst`.
    pub(crate) precedence: Option<EnvPrecedence>,
    /// Do variables of one signal count? Default: `true`.
    pub(crate) allow_signal_overrides: Option<bool>,
}

/// Does the environment count?
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
pub(crate) enum EnvMode {
    /// No.
    Disabled,
    /// Where it is set.
    Optional,
    /// It has to be set.
    Required,
}

/// What wins where both are given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
pub(crate) enum EnvPrecedence {
    /// The environment.
    EnvFirst,
    /// This resource.
    ExplicitFirst,
}

impl MeshOpenTelemetryBackend {
    /// Neither the document nor the environment of a proxy may say where the collector is.
    pub(crate) fn is_nowhere(&self) -> bool {
        let endpoint = self.endpoint.as_ref();
        let address = endpoint.and_then(|endpoint| endpoint.address.as_ref());
        let mode = self.env.as_ref().and_then(|env| env.mode);
        address.is_none() && mode == Some(EnvMode::Disabled)
    }

    fn check(&self, check: &mut Check<'_>) {
        let spec = Pointer::default();
        if let Some(endpoint) = &self.endpoint {
            let http = self.protocol == Some(TelemetryProtocol::Http);
            endpoint.check(http, &spec.field("endpoint"), check);
        }
    }
}

impl TelemetryEndpoint {
    fn check(&self, http: bool, at: &Pointer, check: &mut Check<'_>) {
        let address_at = at.field("address");
        match self.address.as_deref() {
            Some("") => {
                check.missing(&address_at);
            }
            Some(address) if !grammar::is_address(address) => {
                let message = format!("`{address}` is neither an IP address nor a DNS name");
                check.invalid(&address_at, message);
            }
            _ => {}
        }
        check.port(self.port, &at.field("port"));
        let at = at.field("path");
        let Some(path) = &self.path else {
            return;
        };
        if !http {
            check
                .invalid(&at, "`path` must not be set with the protocol `grpc`")
                .help("remove it, or write `protocol: http`");
        } else if !path.starts_with('/') {
            check.invalid(&at, format!("`{path}` does not begin with `/`"));
        } else if path.contains(['?', '#']) {
            check.invalid(&at, format!("`{path}` must hold no query and no fragment"));
        }
    }
}
