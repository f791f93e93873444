//! Dataplane: one proxy beside one instance of a workload (language 3.2).
//!
//! Never looks at services: which destinations a proxy has is known when the mesh is put together.

mod check;
pub(crate) mod outbound;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::scalar::TimeSpan;
use super::{Body, KindInfo, Scope, Spec, read, schema};

use outbound::{Outbound, TransparentProxying};

/// What the registry knows.
pub(crate) const KIND: KindInfo = KindInfo {
    name: "Dataplane",
    short: "dp",
    to: &[],
    example: include_str!("dataplane/example.yaml"),
    scope: Scope::Mesh,
    body: Body::Flat,
    system_only: false,
    name_is_label: false,
    is_policy: false,
    schema: schema::of::<Dataplane>,
    parse: |body, check| {
        let spec: Dataplane = read::typed(body, check)?;
        spec.check(check);
        Some(Spec::Dataplane(Box::new(spec)))
    },
};

/// One proxy beside one instance of a workload. Policies, services and identities select it by its labels.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(crate) struct Dataplane {
    /// Where it listens, and for whom. Required.
    pub(crate) networking: Option<Networking>,
}

/// Where a proxy listens, and for whom.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(crate) struct Networking {
    /// The IP address or DNS name at which other proxies reach this one. Required.
    pub(crate) address: Option<String>,
    /// Listeners for traffic to the workload. None: a client only.
    #[serde(default)]
    pub(crate) inbound: Vec<Inbound>,
    /// Listeners for traffic from the workload, where it is not captured.
    #[serde(default)]
    pub(crate) outbound: Vec<Outbound>,
    /// Makes this the proxy of a gateway of another product: no inbounds.
    pub(crate) gateway: Option<Gateway>,
    /// The traffic of the workload is captured, by rules that `mesh-proxy capture install` writes on its host.
    pub(crate) transparent_proxying: Option<TransparentProxying>,
    /// The interface for administration of the proxy.
    pub(crate) admin: Option<Admin>,
    /// Listeners for traffic between zones. Accepted, but has no effect yet.
    #[serde(default)]
    pub(crate) listeners: Vec<Listener>,
}

/// A listener for traffic to the workload.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(crate) struct Inbound {
    /// Where the proxy listens, 1 to 65535. Required.
    pub(crate) port: Option<u32>,
    /// Where the workload listens, 1 to 65535. Default: `port`.
    pub(crate) service_port: Option<u32>,
    /// The IP address at which the workload listens. Default: `address`.
    pub(crate) service_address: Option<String>,
    /// The IP address at which the proxy listens. Default: `networking.address`.
    pub(crate) address: Option<String>,
    /// What `sectionName` and `targetPort` call this inbound, a DNS label, once per Dataplane. Default: the port as text.
    pub(crate) name: Option<String>,
    /// What the workload speaks: `tcp`, `http`, `http2` or `grpc`. Default: `tcp`.
    pub(crate) protocol: Option<String>,
    /// What is known about the health of the workload.
    pub(crate) health: Option<Health>,
    /// Whether this inbound is an endpoint. Default: `Ready`.
    pub(crate) state: Option<InboundState>,
    /// How the proxy finds out whether the workload is healthy.
    pub(crate) service_probe: Option<ServiceProbe>,
}

/// What is known about the health of the workload.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(crate) struct Health {
    /// `false`: not an endpoint.
    pub(crate) ready: Option<bool>,
}

/// Whether an inbound is an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
pub(crate) enum InboundState {
    /// It is.
    Ready,
    /// It listens, but is not an endpoint.
    NotReady,
    /// It does not listen.
    Ignored,
}

/// The proxy connects to the workload from time to time.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(crate) struct ServiceProbe {
    /// How often. More than zero. Default: `1s`.
    pub(crate) interval: Option<TimeSpan>,
    /// How long to wait for the connection. More than zero. Default: `2s`.
    pub(crate) timeout: Option<TimeSpan>,
    /// Failures in a row until it is unhealthy. More than zero. Default: 1.
    pub(crate) unhealthy_threshold: Option<u32>,
    /// Successes in a row until it is healthy. More than zero. Default: 1.
    pub(crate) healthy_threshold: Option<u32>,
    /// Connects by TCP. Required for the probe to run.
    pub(crate) tcp: Option<TcpProbe>,
}

/// No settings.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(crate) struct TcpProbe {}

/// The proxy of a gateway of another product.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(crate) struct Gateway {
    /// `DELEGATED`. Default: `DELEGATED`.
    #[serde(rename = "type")]
    pub(crate) kind: Option<String>,
    /// Treated as labels. Where there are any, `kuma.io/service` has to be among them.
    #[serde(default)]
    pub(crate) tags: BTreeMap<String, String>,
}

/// The interface for administration of the proxy.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(crate) struct Admin {
    /// Its port on the loopback address; not one that an inbound or outbound has there.
    pub(crate) port: Option<u32>,
}

/// A listener for traffic between zones.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(crate) struct Listener {
    /// `ZoneIngress` or `ZoneEgress`. Required.
    #[serde(rename = "type")]
    pub(crate) kind: Option<ListenerType>,
    /// An IP address or DNS name. Required.
    pub(crate) address: Option<String>,
    /// 1 to 65535. Required.
    pub(crate) port: Option<u32>,
    /// What `sectionName` calls this listener, once per Dataplane. Default: the port as text.
    pub(crate) name: Option<String>,
    /// Whether it is an endpoint. Default: `Ready`.
    pub(crate) state: Option<InboundState>,
}

/// What a listener between zones does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub(crate) enum ListenerType {
    /// Takes traffic from other zones.
    ZoneIngress,
    /// Takes traffic that leaves the mesh.
    ZoneEgress,
}

impl Inbound {
    /// The name of the inbound as a section: its name, else its port.
    pub(crate) fn section(&self) -> String {
        let port = || self.port.unwrap_or_default().to_string();
        self.name.clone().unwrap_or_else(port)
    }
}
