//! `MeshTrace`: which requests are traced, and where spans go (language 5.13).
//!
//! Never traces connections: spans are of HTTP traffic.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::diag::Pointer;

use super::scalar::Percentage;
use super::target_ref::TargetRef;
use super::telemetry_ref::TelemetryRef;
use super::{Body, Check, KindInfo, Scope, Spec, conf, grammar, read, schema};

/// What the registry knows.
pub(crate) const KIND: KindInfo = KindInfo {
    name: "MeshTrace",
    short: "mtr",
    to: &[],
    example: include_str!("mesh_trace/example.yaml"),
    scope: Scope::Mesh,
    body: Body::Spec,
    system_only: false,
    name_is_label: false,
    is_policy: true,
    schema: schema::of::<MeshTrace>,
    parse: |body, check| {
        let spec: MeshTrace = read::typed(body, check)?;
        spec.check(check);
        Some(Spec::MeshTrace)
    },
};

/// Which requests of the selected proxies are traced, and where the spans go.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(crate) struct MeshTrace {
    /// Whose proxies: `Mesh` or `Dataplane`. Default: `Mesh`.
    pub(crate) target_ref: Option<TargetRef>,
    /// The settings.
    pub(crate) default: Option<TraceConf>,
}

/// Settings of tracing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(crate) struct TraceConf {
    /// Where spans go, at most one. `[]` switches tracing off. Required.
    pub(crate) backends: Option<Vec<TraceBackend>>,
    /// How many requests.
    pub(crate) sampling: Option<Sampling>,
    /// What is added to every span.
    pub(crate) tags: Option<Vec<TraceTag>>,
}

/// Where spans go. The member that belongs to `type` is required.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(crate) struct TraceBackend {
    /// `Zipkin`, `Datadog` or `OpenTelemetry`. Required.
    #[serde(rename = "type")]
    pub(crate) kind: Option<TraceBackendType>,
    /// For `Zipkin`.
    pub(crate) zipkin: Option<Zipkin>,
    /// For `Datadog`.
    pub(crate) datadog: Option<Datadog>,
    /// For `OpenTelemetry`.
    pub(crate) open_telemetry: Option<TraceTelemetry>,
}

/// What takes spans.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
pub(crate) enum TraceBackendType {
    /// Zipkin.
    Zipkin,
    /// Datadog.
    Datadog,
    /// A collector of OpenTelemetry.
    OpenTelemetry,
}

/// A server of Zipkin.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(crate) struct Zipkin {
    /// Its URL. Required.
    pub(crate) url: Option<String>,
    /// Are IDs 128 bits long? Default: `false`.
    #[schemars(extend("default" = false))]
    #[serde(rename = "traceId128bit")]
    pub(crate) trace_id_128_bit: Option<bool>,
    /// `httpJson`, `httpJsonV1` or `httpProto`. Default: `httpJson`.
    #[schemars(extend("default" = "httpJson"))]
    pub(crate) api_version: Option<ZipkinVersion>,
    /// Do client and server share a span? Default: `true`.
    #[schemars(extend("default" = true))]
    pub(crate) shared_span_context: Option<bool>,
}

/// How spans are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) enum ZipkinVersion {
    /// JSON.
    HttpJson,
    /// JSON of the first version.
    HttpJsonV1,
    /// Protobuf.
    HttpProto,
}

/// An agent of Datadog.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(crate) struct Datadog {
    /// `http://<host>:<port>`. Required.
    pub(crate) url: Option<String>,
    /// Is each direction a service of its own? Default: `false`.
    #[schemars(extend("default" = false))]
    pub(crate) split_service: Option<bool>,
}

/// A collector.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(crate) struct TraceTelemetry {
    /// Which one. Required.
    pub(crate) backend_ref: Option<TelemetryRef>,
}

/// How many requests are traced, each 0 to 100 percent. The ID of a trace decides, so that every proxy with the same shares
/// follows the same requests.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(crate) struct Sampling {
    /// At most, over the other two. Built in: 100.
    pub(crate) overall: Option<Percentage>,
    /// Of those that a client asks for which is neither the workload nor a proxy of the mesh, or any with the header
    /// `x-client-trace-id`. Built in: 100.
    pub(crate) client: Option<Percentage>,
    /// Of all others. Built in: 100.
    pub(crate) random: Option<Percentage>,
}

/// Something that is added to every span: exactly one of `literal` and `header`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(crate) struct TraceTag {
    /// Its name. Required.
    pub(crate) name: Option<String>,
    /// A text.
    pub(crate) literal: Option<String>,
    /// A header of the request.
    pub(crate) header: Option<TagHeader>,
}

/// A header of the request.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(crate) struct TagHeader {
    /// Its name. Required.
    pub(crate) name: Option<String>,
    /// What stands for it where it is missing. Default: no tag.
    pub(crate) default: Option<String>,
}

impl MeshTrace {
    fn check(&self, check: &mut Check<'_>) {
        TargetRef::check_top(self.target_ref.as_ref(), false, check);
        let at = Pointer::default().field("default");
        let Some(conf) = &self.default else {
            check.missing(&at);
            return;
        };
        let backends = at.field("backends");
        match &conf.backends {
            None => {
                check.missing(&backends).help("`[]` switches tracing off");
            }
            Some(list) if list.len() > 1 => {
                check.invalid(&backends, "there can be only one backend");
            }
            Some(list) => {
                for (index, backend) in list.iter().enumerate() {
                    backend.check(&backends.index(index), check);
                }
            }
        }
        if let Some(sampling) = &conf.sampling {
            let shares = [
                ("overall", &sampling.overall),
                ("client", &sampling.client),
                ("random", &sampling.random),
            ];
            for (field, share) in shares {
                if let Some(share) = share {
                    share.check(&at.field("sampling").field(field), check);
                }
            }
        }
        for (index, tag) in conf.tags.iter().flatten().enumerate() {
            tag.check(&at.field("tags").index(index), check);
        }
    }
}

impl TraceBackend {
    fn check(&self, at: &Pointer, check: &mut Check<'_>) {
        let Some(kind) = self.kind else {
            check
                .missing(&at.field("type"))
                .help("one of `Zipkin`, `Datadog`, `OpenTelemetry`");
            return;
        };
        let wanted = match kind {
            TraceBackendType::Zipkin => "zipkin",
            TraceBackendType::Datadog => "datadog",
            TraceBackendType::OpenTelemetry => "openTelemetry",
        };
        let members = [
            ("zipkin", self.zipkin.is_some()),
            ("datadog", self.datadog.is_some()),
            ("openTelemetry", self.open_telemetry.is_some()),
        ];
        conf::member_of(&format!("{kind:?}"), wanted, &members, at, check);
        if let Some(zipkin) = &self.zipkin {
            let at = at.field("zipkin").field("url");
            if let Some(url) = check.required(zipkin.url.as_ref(), &at)
                && parts(url).is_none_or(|(_, host, _, _)| host.is_empty())
            {
                check.invalid(&at, format!("`{url}` is not a URL"));
            }
        }
        if let Some(datadog) = &self.datadog {
            let what = "proxies do not speak to agents of Datadog, so nothing is traced";
            check
                .not_implemented(&at.field("datadog"), what)
                .help("an agent of Datadog takes OTLP as well: `type: OpenTelemetry`");
            let at = at.field("datadog").field("url");
            if let Some(url) = check.required(datadog.url.as_ref(), &at) {
                check_agent(url, &at, check);
            }
        }
        if let Some(telemetry) = &self.open_telemetry {
            let at = at.field("openTelemetry").field("backendRef");
            TelemetryRef::check(telemetry.backend_ref.as_ref(), &at, check);
        }
    }
}

/// Scheme, host, port and what follows.
fn parts(url: &str) -> Option<(&str, &str, Option<&str>, &str)> {
    let (scheme, rest) = url.split_once("://")?;
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at_checked(end)?;
    let bracketed = authority.ends_with(']');
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !bracketed => (host, Some(port)),
        _ => (authority, None),
    };
    Some((scheme, host, port, path))
}

/// An agent has a host and a port, and nothing else.
fn check_agent(url: &str, at: &Pointer, check: &mut Check<'_>) {
    let is_port = |port: &str| port.parse().is_ok_and(grammar::is_port);
    let fault = match parts(url) {
        Some((scheme, ..)) if scheme != "http" => "the scheme must be `http`",
        None => "there is no scheme",
        Some((_, "", ..)) => "there is no host",
        Some((_, host, ..)) if host.contains('@') => "it must hold no user",
        Some((_, _, None, _)) => "there is no port",
        Some((_, _, Some(port), _)) if !is_port(port) => "a port is a number from 1 to 65535",
        Some((_, _, _, "")) => return,
        Some(_) => "it must hold no path, query or fragment",
    };
    check
        .invalid(at, format!("`{url}` is not the URL of an agent: {fault}"))
        .help("`http://<host>:<port>`");
}

impl TraceTag {
    fn check(&self, at: &Pointer, check: &mut Check<'_>) {
        check.required(self.name.as_ref(), &at.field("name"));
        if self.literal.is_some() == self.header.is_some() {
            check.invalid(at, "a tag must have exactly one of `literal` and `header`");
        }
        if let Some(header) = &self.header {
            let at = at.field("header").field("name");
            check.required(header.name.as_ref(), &at);
        }
    }
}
